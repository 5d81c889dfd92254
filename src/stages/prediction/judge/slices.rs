//! The evaluation told apart by the values of columns, so that harm to a group shows.

use std::collections::BTreeMap;

use ndarray::Axis;
use polars::prelude::DataType;

use super::{Judged, default_measure, measure_of};
use crate::format;
use crate::metrics::disclosure::TOLD_MIN;
use crate::metrics::evaluation::{Chart, Evaluation, Fact, Slice};
use crate::stages::contract::Failure;
use crate::stages::prediction::task::{Target, Task};

/// Groups of a column that are shown, the largest first.
const GROUPS_MAX: usize = 20;

pub fn add(judged: &Judged<'_>, evaluation: &mut Evaluation) -> Result<(), Failure> {
    let task = match judged.truth {
        Target::Binary(_) => Task::Binary,
        Target::Classes { .. } => Task::Classes,
        Target::Number(_) => Task::Number,
    };
    let measure = default_measure(task, judged.is_probability);
    let whole = measure_of(measure, &judged.truth, &judged.expected);
    for name in judged.options.slice {
        let values = judged.held.column(name)?.cast(&DataType::String)?;
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (row, value) in values.str()?.iter().enumerate() {
            groups.entry(value.unwrap_or("none").to_owned()).or_default().push(row);
        }
        let mut groups: Vec<(String, Vec<usize>)> = groups.into_iter().collect();
        groups.retain(|(_, rows)| rows.len() as u64 >= TOLD_MIN);
        groups.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(&b.0)));
        let mut rows = Vec::new();
        for (group, places) in groups.into_iter().take(GROUPS_MAX) {
            let expected = judged.expected.select(Axis(0), &places);
            let truth = judged.truth.at(&places);
            let found = measure_of(measure, &truth, &expected);
            let (stated, happened) = means(&truth, &expected);
            let slice = format!("{name} {group}");
            evaluation
                .slices
                .extend(found.map(|value| Slice { baseline: whole, ..Slice::new(&slice, measure, value) }));
            evaluation
                .slices
                .extend(stated.map(|value| Slice { baseline: happened, ..Slice::new(&slice, "mean", value) }));
            let text = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), format::number);
            rows.push(vec![group, format::thousands(places.len() as u64), text(found), text(stated), text(happened)]);
        }
        if rows.is_empty() {
            let value = format!("no value of `{name}` has {TOLD_MIN} rows, so nothing is told apart by it");
            evaluation.facts.push(Fact::new(format!("slice {name}"), value));
        }
        if !rows.is_empty() {
            let columns = [name, "rows", measure, "mean prediction", "mean of what happened"];
            evaluation.charts.push(Chart::Table {
                title: format!("By {name}"),
                columns: columns.map(str::to_owned).to_vec(),
                rows,
            });
        }
    }
    Ok(())
}

/// The means of what was predicted and of what happened, where there are such.
fn means(truth: &Target, expected: &ndarray::Array2<f64>) -> (Option<f64>, Option<f64>) {
    let happened: Vec<f64> = match truth {
        Target::Binary(values) => values.iter().map(|value| f64::from(u8::from(*value))).collect(),
        Target::Number(values) => values.clone(),
        Target::Classes { .. } => return (None, None),
    };
    let mean = |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    (mean(&expected.column(0).to_vec()), mean(&happened))
}
