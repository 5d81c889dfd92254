//! Predictions against what happened.

use super::TENTHS;
use crate::format;
use crate::metrics::disclosure::TOLD_MIN;
use crate::metrics::evaluation::{Chart, Curve};

/// Fewer rows make no point.
const POINT_ROWS_MIN: usize = 10;

/// A part of the rows, by prediction.
#[derive(Debug, PartialEq)]
struct Part {
    predicted: f64,
    happened: f64,
}

/// The rows by prediction, the lowest first, in as many parts of nearly the same size as have enough rows. Rows of the
/// same prediction stay in their order, so a part may end among them.
fn parts(truth: &[f64], predicted: &[f64]) -> Vec<Part> {
    let mut order: Vec<(f64, f64)> = predicted.iter().copied().zip(truth.iter().copied()).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let count = (order.len() / POINT_ROWS_MIN).min(TENTHS);
    let cut = |part: usize| order.len() * part / count.max(1);
    let part = |place: usize| {
        let rows = order.get(cut(place)..cut(place + 1)).unwrap_or_default();
        let mean = |of: fn(&(f64, f64)) -> f64| rows.iter().map(of).sum::<f64>() / rows.len() as f64;
        Part { predicted: mean(|row| row.0), happened: mean(|row| row.1) }
    };
    (0..count).map(part).collect()
}

/// The charts that exist of the evaluation rows.
pub fn charts(truth: &[f64], predicted: &[f64]) -> Vec<Chart> {
    let parts = parts(truth, predicted);
    let residuals: Vec<f64> = truth.iter().zip(predicted).map(|(truth, predicted)| truth - predicted).collect();
    let lowest = parts.iter().map(|part| part.predicted.min(part.happened)).fold(f64::INFINITY, f64::min);
    let highest = parts.iter().map(|part| part.predicted.max(part.happened)).fold(f64::NEG_INFINITY, f64::max);
    let ends = parts.first().zip(parts.last()).map(|(first, last)| (first.predicted, last.predicted));
    let line = |title: &str, y: &str, of: fn(&Part) -> f64, reference: Vec<(f64, f64)>| Chart::Lines {
        title: title.to_owned(),
        x: "mean prediction".to_owned(),
        y: y.to_owned(),
        curves: vec![Curve {
            name: "model".to_owned(),
            points: parts.iter().map(|part| (part.predicted, of(part))).collect(),
        }],
        reference,
    };
    let by_part = ends.filter(|_| parts.len() > 1).map(|(first, last)| {
        let against = line(
            "Predicted against actual, by tenth of the predictions",
            "mean of what happened",
            |part| part.happened,
            vec![(lowest, lowest), (highest, highest)],
        );
        let left = line(
            "Residuals, by tenth of the predictions",
            "mean residual",
            |part| part.happened - part.predicted,
            vec![(first, 0.0), (last, 0.0)],
        );
        [against, left]
    });
    by_part.into_iter().flatten().chain(spread(&residuals)).collect()
}

/// How the residuals lie about zero: the share of rows in ranges of a round width near their mean size.
fn spread(residuals: &[f64]) -> Option<Chart> {
    let rows = residuals.len().max(1) as f64;
    let step = round(residuals.iter().map(|value| value.abs()).sum::<f64>() / rows)?;
    let edges: Vec<f64> = [-2.0, -1.0, 0.0, 1.0, 2.0].map(|times| times * step).to_vec();
    let mut counts = vec![0u64; edges.len() + 1];
    for value in residuals {
        if let Some(count) = counts.get_mut(edges.partition_point(|edge| edge <= value)) {
            *count += 1;
        }
    }
    let ranges = told(edges, counts);
    let text = |value: f64| format::number(value);
    let bars = ranges.iter().map(|range| {
        let name = match (range.from, range.to) {
            (None, None) => "all".to_owned(),
            (None, Some(to)) => format!("below {}", text(to)),
            (Some(from), None) => format!("{} and more", text(from)),
            (Some(from), Some(to)) => format!("{} to {}", text(from), text(to)),
        };
        (name, 100.0 * range.rows as f64 / rows)
    });
    Some(Chart::Bars {
        title: "Residuals: what happened, less what was predicted".to_owned(),
        unit: "% of rows".to_owned(),
        bars: bars.collect(),
    })
}

/// Rows with a residual in a range.
#[derive(Debug, PartialEq)]
struct Range {
    from: Option<f64>,
    to: Option<f64>,
    rows: u64,
}

/// The ranges between edges, of which one with a few rows only is joined with its neighbor on the side of zero: what
/// happened to a few people is not told.
fn told(edges: Vec<f64>, counts: Vec<u64>) -> Vec<Range> {
    let from = std::iter::once(None).chain(edges.iter().copied().map(Some));
    let to = edges.iter().copied().map(Some).chain([None]);
    let mut ranges: Vec<Range> = from.zip(to).zip(counts).map(|((from, to), rows)| Range { from, to, rows }).collect();
    while let Some(few) = ranges.iter().position(|range| (1..TOLD_MIN).contains(&range.rows))
        && ranges.len() > 1
    {
        let range = ranges.remove(few);
        let left_of_zero = range.to.is_some_and(|to| to <= 0.0);
        let into = if left_of_zero || few == 0 { few } else { few - 1 };
        if let Some(neighbor) = ranges.get_mut(into) {
            neighbor.rows += range.rows;
            match into == few {
                true => neighbor.from = range.from,
                false => neighbor.to = range.to,
            }
        }
    }
    ranges
}

/// The number of one digit, 1, 2 or 5, next to a size; none of nothing.
fn round(size: f64) -> Option<f64> {
    if !(size > 0.0 && size.is_finite()) {
        return None;
    }
    let power = 10f64.powf(size.log10().floor());
    let digit = [1.0, 2.0, 5.0, 10.0].into_iter().find(|digit| digit * power >= size * 0.75);
    digit.map(|digit| digit * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_round() {
        let found = [0.8, 1.0, 1.3, 3.0, 6.0, 7.0, 1_234.0, 0.004].map(|size| round(size).unwrap());
        assert_eq!(found, [1.0, 1.0, 1.0, 5.0, 5.0, 10.0, 1_000.0, 0.005]);
        assert_eq!((round(0.0), round(f64::INFINITY)), (None, None));
    }

    #[test]
    fn a_few_rows_are_joined_towards_zero() {
        let ranges = told(vec![-10.0, 0.0, 10.0], vec![2, 50, 40, 4]);
        let range = |from, to, rows| Range { from, to, rows };
        assert_eq!(ranges, [range(None, Some(0.0), 52), range(Some(0.0), None, 44)]);
        assert_eq!(told(vec![0.0], vec![0, 3]), [range(None, None, 3)]);
        assert_eq!(told(vec![0.0], vec![0, 9]).len(), 2);
    }

    #[test]
    fn parts_are_as_many_as_have_enough_rows() {
        let truth: Vec<f64> = (0..35).map(f64::from).collect();
        let found = parts(&truth, &truth);
        // 11, 12 and 12 rows.
        assert_eq!(found.iter().map(|part| part.predicted).collect::<Vec<_>>(), [5.0, 16.5, 28.5]);
        assert!(found.iter().all(|part| part.predicted == part.happened));
        assert!(parts(&truth[..9], &truth[..9]).is_empty());
    }
}
