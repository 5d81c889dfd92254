//! What a stage says of its model: measures beside those of a trivial baseline, with intervals.

use serde::{Deserialize, Serialize};

/// The evaluation of one model on data it was not fitted on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// What is modelled, such as `buys_90d` or `product_id`.
    pub target: String,
    /// The model, in words: `logistic regression`, `k-means, 5 clusters`.
    pub model: String,
    /// The baseline, in words: `class prior`, `popularity`.
    pub baseline: String,
    /// The measure that decides; one of `measures`.
    pub headline: String,
    pub measures: Vec<Measure>,
    /// What a reader must know: split, rows, which snapshots trained, that the served model is a refit.
    pub facts: Vec<Fact>,
    /// Tables and curves for the report; none shows a single row.
    pub charts: Vec<Chart>,
    /// Figures of parts of the rows: a segment, a tenth, the decisions at a threshold.
    #[serde(default)]
    pub slices: Vec<Slice>,
    /// What the model found, a sentence in plain words; empty where its measures say it all.
    #[serde(default)]
    pub finds: String,
    /// What to be wary of, each a sentence in plain words.
    #[serde(default)]
    pub watch: Vec<String>,
    /// What someone should look at before the model is used; the run warns of it too.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A figure of a part of the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// `segment 1`, `tenth 1`, `threshold 0.5`
    pub slice: String,
    /// `rows`, `lift`, `precision`
    pub measure: String,
    pub value: f64,
    pub baseline: Option<f64>,
}

impl Slice {
    /// A figure without a baseline.
    pub fn new(slice: impl Into<String>, measure: impl Into<String>, value: f64) -> Slice {
        Slice { slice: slice.into(), measure: measure.into(), value, baseline: None }
    }
}

/// One measure of a model and its baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The standard name: `roc_auc`, `log_loss`, `recall@10`, `silhouette`.
    pub name: String,
    pub better: Better,
    pub model: Estimate,
    pub baseline: Option<Estimate>,
    /// Model minus baseline on the same units; where there is an interval it decides.
    pub difference: Option<Estimate>,
}

/// In which direction a measure improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    Higher,
    Lower,
}

/// A value with its 95 % interval, where one can be given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub value: f64,
    pub low: Option<f64>,
    pub high: Option<f64>,
}

impl Estimate {
    /// A value without an interval.
    pub fn point(value: f64) -> Estimate {
        Estimate { value, low: None, high: None }
    }

    pub fn interval(value: f64, low: f64, high: f64) -> Estimate {
        Estimate { value, low: Some(low), high: Some(high) }
    }
}

/// The name of the fact that says which groups continue those of an earlier night.
pub const SEGMENTS_FACT: &str = "segments";

/// A named fact, such as `evaluated on` — `2011-09-11, 3,370 rows`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    pub name: String,
    pub value: String,
}

impl Fact {
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Fact {
        Fact { name: name.into(), value: value.into() }
    }
}

/// Something to draw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Chart {
    /// Points in order, at most a few hundred, with the diagonal or level a useless model would have.
    Line { title: String, x: String, y: String, points: Vec<(f64, f64)>, reference: Vec<(f64, f64)> },
    /// Several curves in one picture.
    Lines { title: String, x: String, y: String, curves: Vec<Curve>, reference: Vec<(f64, f64)> },
    /// A grid of shaded cells: `values[row][column]` decides the shade, `texts` (same shape) is what is read.
    /// With `center`, values below and above it are shaded in two hues.
    Grid {
        title: String,
        rows_title: String,
        columns_title: String,
        rows: Vec<String>,
        columns: Vec<String>,
        values: Vec<Vec<f64>>,
        texts: Vec<Vec<String>>,
        center: Option<f64>,
    },
    /// A small table: columns, then rows of cells as text.
    Table { title: String, columns: Vec<String>, rows: Vec<Vec<String>> },
    /// Named bars.
    Bars { title: String, unit: String, bars: Vec<(String, f64)> },
}

/// A named curve: points in order, at most a few hundred.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// Whether the model is better than its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Beats,
    /// The interval of the difference contains zero, or there is none.
    NotShown,
    Loses,
}

impl Measure {
    /// By the interval of the difference; without one nothing is shown.
    pub fn verdict(&self) -> Verdict {
        let sign = if self.better == Better::Higher { 1.0 } else { -1.0 };
        let (low, high) = match self.difference {
            Some(Estimate { low: Some(low), high: Some(high), .. }) => (sign * low, sign * high),
            _ => return Verdict::NotShown,
        };
        match (low.min(high), low.max(high)) {
            (low, _) if low > 0.0 => Verdict::Beats,
            (_, high) if high < 0.0 => Verdict::Loses,
            _ => Verdict::NotShown,
        }
    }
}

impl Evaluation {
    pub fn headline(&self) -> Option<&Measure> {
        self.measures.iter().find(|measure| measure.name == self.headline)
    }

    /// In plain words: what the model reaches, whether that beats its baseline, and what it found.
    pub fn sentence(&self) -> String {
        let judgement = self.judgement();
        if self.finds.is_empty() { judgement } else { format!("{judgement} {}", self.finds) }
    }

    fn judgement(&self) -> String {
        let Some(measure) = self.headline() else {
            if !self.measures.is_empty() {
                return format!(
                    "The {} of {} stands beside its baseline ({}) in several measures, none of which decides.",
                    self.model, self.target, self.baseline
                );
            }
            if self.baseline.is_empty() {
                return format!(
                    "The {} of {} only describe: nothing is predicted, so nothing is evaluated.",
                    self.model, self.target
                );
            }
            return format!("The {} of {} was not evaluated.", self.model, self.target);
        };
        let Some(baseline) = measure.baseline else {
            return format!(
                "The {} of {} reaches a {} of {:.3}.",
                self.model, self.target, measure.name, measure.model.value
            );
        };
        let reaches =
            format!("The {} of {} reaches a {} of {:.3}", self.model, self.target, measure.name, measure.model.value);
        let other = format!("its baseline ({})", self.baseline);
        match measure.verdict() {
            Verdict::Beats => format!("{reaches} and beats {other}, which has {:.3}.", baseline.value),
            Verdict::NotShown => format!(
                "{reaches}; {other} has {:.3}. It is not shown to be better: prefer the baseline until it is.",
                baseline.value
            ),
            Verdict::Loses => {
                format!("{reaches}; {other} has {:.3}, which is better: do not use this model.", baseline.value)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(better: Better, model: f64, difference: Option<Estimate>) -> Measure {
        Measure {
            name: "m".into(),
            better,
            model: Estimate::point(model),
            baseline: Some(Estimate::point(0.5)),
            difference,
        }
    }

    #[test]
    fn the_interval_decides() {
        assert_eq!(measure(Better::Higher, 0.6, None).verdict(), Verdict::NotShown);
        assert_eq!(measure(Better::Lower, 0.6, None).verdict(), Verdict::NotShown);
        let unsure = Some(Estimate::interval(0.1, -0.01, 0.2));
        assert_eq!(measure(Better::Higher, 0.6, unsure).verdict(), Verdict::NotShown);
        let surely_lower = Some(Estimate::interval(-0.1, -0.2, -0.01));
        assert_eq!(measure(Better::Lower, 0.4, surely_lower).verdict(), Verdict::Beats);
    }
}
