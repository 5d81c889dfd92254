//! The rows that are scored, so many at a time that any number of them is.

use std::sync::Arc;

use chrono::NaiveDate;
use ndarray::Array2;
use polars::prelude::{
    AnyValue, DataFrame, DataType, Engine, Expr, IntoLazy, LazyFrame, Scalar, SortMultipleOptions, SortOptions, col,
    lit,
};

use super::learner::{Predictor, Trained};
use super::material::{order, selected};
use super::output::Teller;
use super::task::Task;
use crate::stages::contract::{Failure, Outputs, Pieces, StageContext};
use crate::table::{AS_OF, Table};

/// Rows that are scored at once.
pub const ROWS_AT_ONCE: usize = 500_000;

/// Rows to score: of a table of snapshots those of the run date, of another those whose target is not known.
pub struct ToScore {
    frame: LazyFrame,
    order: Vec<String>,
    /// Of the first column of the order, ascending; one at least.
    ranges: Vec<Range>,
}

/// Values above one and up to another; open where there is no bound.
#[derive(Clone, Default)]
struct Range {
    above: Option<Scalar>,
    up_to: Option<Scalar>,
}

impl Range {
    fn holds(&self, name: &str) -> Option<Expr> {
        let above = self.above.as_ref().map(|bound| col(name).gt(lit(bound.clone())));
        // Nulls come first.
        let up_to = self.up_to.as_ref().map(|bound| match self.above {
            Some(_) => col(name).lt_eq(lit(bound.clone())),
            None => col(name).lt_eq(lit(bound.clone())).or(col(name).is_null()),
        });
        above.into_iter().chain(up_to).reduce(Expr::and)
    }
}

impl ToScore {
    /// Reads where to part the rows, so that no part has more than `at_once` where values of the key differ.
    pub fn plan(
        table: &Table,
        columns: &[impl AsRef<str>],
        target: &str,
        run_date: NaiveDate,
        at_once: usize,
    ) -> Result<ToScore, Failure> {
        let is_scored = match table.schema.snapshots.is_empty() {
            false => col(AS_OF).cast(DataType::Date).eq(lit(run_date)),
            true => col(target).is_null(),
        };
        let frame = selected(table, columns, run_date).filter(is_scored);
        // As of one moment the entity alone gives the order.
        let order: Vec<String> = order(&table.schema).into_iter().filter(|name| name != AS_OF).collect();
        let mut ranges = vec![Range::default()];
        if let Some(first) = order.first() {
            let keys =
                frame.clone().select([col(first.as_str())]).collect_with_engine(Engine::Streaming)?.unwrap_single();
            let keys = keys.column(first)?.as_materialized_series().sort(SortOptions::default())?;
            for place in (at_once..keys.len()).step_by(at_once.max(1)) {
                let bound = Scalar::new(keys.dtype().clone(), keys.get(place - 1)?.into_static());
                let open = ranges.last().and_then(|open| open.above.as_ref());
                if *bound.value() != AnyValue::Null && open.is_none_or(|open| open != &bound) {
                    let above = Range { above: Some(bound.clone()), up_to: None };
                    if let Some(open) = ranges.last_mut() {
                        open.up_to = Some(bound);
                    }
                    ranges.push(above);
                }
            }
        }
        Ok(ToScore { frame, order, ranges })
    }

    /// No rows, with the same columns.
    pub fn none(self) -> ToScore {
        ToScore { frame: self.frame.slice(0, 0), ranges: vec![Range::default()], ..self }
    }

    /// The rows of a range, by key.
    fn rows(&self, range: &Range) -> Result<DataFrame, Failure> {
        let within = self.order.first().and_then(|first| range.holds(first));
        let frame = within.into_iter().fold(self.frame.clone(), LazyFrame::filter);
        Ok(frame.sort(&self.order, SortMultipleOptions::default()).collect()?)
    }
}

/// The tables of the rows by a model: at once where they are few, else so many rows at a time, which takes a reading to
/// rank them and one for each table.
pub fn score<P: Predictor>(
    trained: Trained<P::Learned>,
    to_score: ToScore,
    version: &str,
    is_probability: bool,
    context: &StageContext,
) -> Result<Outputs, Failure> {
    let mut scorer = Scorer::<P> {
        teller: Teller::new(trained, version, is_probability),
        to_score,
        ranked: vec![],
        context: context.clone(),
    };
    if let [all] = scorer.to_score.ranges.as_slice() {
        let asked = scorer.ask(all)?;
        scorer.rank(asked.expected.column(0).to_vec());
        let mut tables = vec![scorer.predictions(&asked)?.lazy()];
        if P::TELLS_CLASSES {
            tables.push(scorer.probabilities(&asked)?.lazy());
        }
        return Ok(Outputs { tables, ..Outputs::default() });
    }
    if scorer.teller.trained.subject.task != Task::Classes {
        let mut scores = Vec::new();
        for range in &scorer.to_score.ranges {
            scores.extend(scorer.ask(range)?.expected.column(0));
        }
        scorer.rank(scores);
    }
    let scorer = Arc::new(scorer);
    let mut pieces = vec![in_pieces(&scorer, Scorer::predictions)];
    if P::TELLS_CLASSES {
        pieces.push(in_pieces(&scorer, Scorer::probabilities));
    }
    Ok(Outputs { pieces, ..Outputs::default() })
}

/// Who tells, of which rows.
struct Scorer<P: Predictor> {
    teller: Teller<P>,
    to_score: ToScore,
    /// The scores of all rows, ascending.
    ranked: Vec<f64>,
    context: StageContext,
}

/// Rows with what is expected of them.
struct Asked {
    rows: DataFrame,
    x: Array2<f64>,
    expected: Array2<f64>,
}

impl<P: Predictor> Scorer<P> {
    fn ask(&self, range: &Range) -> Result<Asked, Failure> {
        self.context.cancel.check()?;
        let rows = self.to_score.rows(range)?;
        let x = self.teller.trained.design.matrix(&rows)?;
        let expected = self.teller.trained.expected_of::<P>(x.view())?;
        Ok(Asked { rows, x, expected })
    }

    /// Takes the scores of all rows, by which each is ranked.
    fn rank(&mut self, mut scores: Vec<f64>) {
        scores.sort_unstable_by(f64::total_cmp);
        self.ranked = scores;
    }

    fn predictions(&self, asked: &Asked) -> Result<DataFrame, Failure> {
        self.teller.predictions(&asked.rows, asked.x.view(), &asked.expected, &self.ranked, &self.context)
    }

    fn probabilities(&self, asked: &Asked) -> Result<DataFrame, Failure> {
        self.teller.probabilities(&asked.rows, &asked.expected)
    }
}

/// What is told of each range.
fn in_pieces<P: Predictor>(
    scorer: &Arc<Scorer<P>>,
    tell: fn(&Scorer<P>, &Asked) -> Result<DataFrame, Failure>,
) -> Pieces {
    let scorer = Arc::clone(scorer);
    Box::new(scorer.to_score.ranges.clone().into_iter().map(move |range| tell(&scorer, &scorer.ask(&range)?)))
}

#[cfg(test)]
mod tests {
    use super::super::boosted_trees::BoostedTrees;
    use super::super::fixture::{bands, context, customer, run, run_date, table};
    use super::super::linear::Linear;
    use super::super::logistic::Logistic;
    use super::*;
    use polars::prelude::{NamedFrom, Series, df};
    use serde_json::{Value, json};

    const COLUMNS: [&str; 3] = ["x", "member", "country"];

    fn customers() -> Table {
        bands(table(|e, s| customer(e, s).3 > 45, |e, s| customer(e, s).3 as f64))
    }

    /// The tables of a stage's model, so many rows at a time.
    fn scored<P: Predictor>(with: &Value, at_once: usize) -> Vec<DataFrame> {
        let stage: P = serde_json::from_value(with.clone()).unwrap();
        let trained = run(&stage, customers()).unwrap().model.unwrap().main().unwrap();
        let target = stage.options().target.to_owned();
        let mut read = COLUMNS.to_vec();
        read.push(&target);
        let rows = ToScore::plan(&customers(), &read, &target, run_date(), at_once).unwrap();
        assert_eq!(rows.ranges.len(), 80_usize.div_ceil(at_once));
        let outputs = score::<P>(trained, rows, "v", true, &context()).unwrap();
        assert_eq!(outputs.pieces.is_empty(), at_once >= 80);
        let mut found: Vec<DataFrame> = outputs.tables.into_iter().map(|table| table.collect().unwrap()).collect();
        let whole = |pieces: Pieces| pieces.map(Result::unwrap).reduce(|all, next| all.vstack(&next).unwrap()).unwrap();
        found.extend(outputs.pieces.into_iter().map(whole));
        found
    }

    #[test]
    fn pieces_are_the_whole() {
        fn check<P: Predictor>(with: &Value, tables: usize) {
            let whole = scored::<P>(with, 80);
            assert_eq!((whole.len(), whole[0].height()), (tables, 80));
            for at_once in [7, 40] {
                let pieces = scored::<P>(with, at_once);
                assert!(pieces.iter().zip(&whole).all(|(pieces, whole)| pieces.equals_missing(whole)), "{with}");
            }
        }
        check::<Logistic>(&json!({"target": "buys", "calibrate": "platt"}), 2);
        check::<BoostedTrees>(&json!({"target": "band", "rounds": 3}), 2);
        check::<Linear>(&json!({"target": "spend_next"}), 1);
    }

    /// Rows of one key stay together, those without one come first, and none is lost.
    #[test]
    fn ranges_part_by_key() {
        let ids = [Some("b"), None, Some("a"), Some("b"), Some("c"), None, Some("b"), Some("a")];
        let frame = df!("id" => ids, "x" => [0.5; 8]).unwrap();
        let frame = frame.lazy().with_column(lit(Series::new("y".into(), [None::<bool>; 8])));
        let mut schema = customers().schema;
        (schema.key, schema.snapshots) = (vec!["id".into()], vec![]);
        let table = Table { frame, schema, watermark: None };
        let parts = |at_once| {
            let rows = ToScore::plan(&table, &["x", "y"], "y", run_date(), at_once).unwrap();
            rows.ranges.iter().map(|range| rows.rows(range).unwrap()).collect::<Vec<_>>()
        };
        let ids = |frame: &DataFrame| -> Vec<Option<String>> {
            frame.column("id").unwrap().str().unwrap().iter().map(|id| id.map(str::to_owned)).collect()
        };
        let whole = ids(&parts(99)[0]);
        assert_eq!(whole.len(), 8);
        for at_once in 1..9 {
            let parts = parts(at_once);
            assert_eq!(parts.iter().flat_map(ids).collect::<Vec<_>>(), whole);
            let firsts: Vec<_> = parts.iter().filter_map(|part| ids(part).first().cloned()).collect();
            assert!(firsts.is_sorted_by(|a, b| a < b), "{firsts:?}");
        }
        assert_eq!(parts(1).len(), 3);
    }
}
