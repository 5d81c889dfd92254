//! Recency, frequency and monetary value as scores.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, IntoColumn, IntoLazy, NamedFrom, Series};
use schemars::JsonSchema;
use serde::Deserialize;

use super::input::{self, PORT};
use crate::algorithms::rfm::{Best, scores};
use crate::format;
use crate::metrics::evaluation::{Chart, Evaluation, Fact, Slice};
use crate::problem::{Problem, Step};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::protocol::Protocol;
use crate::table::{Class, Column, TableSchema, floats};

/// Scores every entity by how recently, how often and for how much it bought.
///
/// Each of the three columns is cut into `bins` of equal size over the entities of the run date's
/// snapshot, as SQL's `NTILE` does, from 1 (worst) to `bins` (best); of recency less is better, of
/// the others more. Equal values get equal scores: that of the middle one of them, so with many
/// ties some scores stay unused. A null has no score and does not count as a row; then `rfm` and
/// `total` are null too.
///
/// The output `scores` has one row per entity: `recency_score`, `frequency_score`,
/// `monetary_score`, `rfm` (the three digits side by side, such as `545`) and `total` (their sum). The
/// report shows how many entities have which scores of recency and frequency.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rfm {
    /// The column that says how long ago the entity last bought, such as `recency_days`.
    recency: String,
    /// The column that says how often it bought, such as `orders`.
    frequency: String,
    /// The column that says for how much it bought, such as `spend`.
    monetary: String,
    /// How many scores there are.
    #[serde(default = "default_bins")]
    #[schemars(range(min = 2, max = 9))]
    bins: u32,
}

/// A smaller number of entities is not told.
const CELL_ROWS_MIN: u64 = 10;

fn default_bins() -> u32 {
    5
}

/// The columns of the output after the entity.
const OUTPUTS: [&str; 5] = ["recency_score", "frequency_score", "monetary_score", "rfm", "total"];

impl StageConfig for Rfm {
    const KIND: &'static str = "rfm";
    const FAMILY: &'static str = "segmentation";
}

impl Stage for Rfm {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::one(PORT)]
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["scores"]
    }

    fn protocol(&self) -> Protocol {
        Protocol::Newest { port: PORT }
    }

    fn schemas(&self, inputs: &InputSchemas, _: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let features = inputs.one(PORT)?;
        let mut problems: Vec<Problem> = Vec::new();
        for (option, name, _) in self.sides() {
            problems.extend(input::numeric(features, name, ["with", option].map(Step::from)));
        }
        match input::entity(features, &OUTPUTS) {
            Ok(entity) if problems.is_empty() => Ok(vec![self.schema(entity, features)]),
            Ok(_) => Err(problems),
            Err(problem) => {
                problems.push(problem);
                Err(problems)
            }
        }
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let table = inputs.one(PORT)?;
        let entity = input::entity(&table.schema, &OUTPUTS).map_err(|problem| Failure::bug(problem.message))?.name;
        let frame = input::snapshot(table, &entity, self.sides().map(|(_, name, _)| name), context.run_date)?;
        let [recency, frequency, monetary] = self.sides().map(|(_, name, best)| -> Result<_, Failure> {
            scores(&floats(&frame, name)?, self.bins, best).map_err(|error| Failure::bug(error.to_string()))
        });
        let scored = Scored { recency: recency?, frequency: frequency?, monetary: monetary? };
        let evaluation = scored.described(&entity, self.bins);
        let mut columns = vec![frame.column(&entity)?.clone()];
        columns.extend(scored.columns().into_iter().map(IntoColumn::into_column));
        let scores = DataFrame::new(frame.height(), columns)?;
        Ok(Outputs { tables: vec![scores.lazy()], evaluation: Some(evaluation), ..Outputs::default() })
    }
}

impl Rfm {
    /// Option, column and which end of it is good.
    fn sides(&self) -> [(&'static str, &str, Best); 3] {
        [
            ("recency", &self.recency, Best::Lowest),
            ("frequency", &self.frequency, Best::Highest),
            ("monetary", &self.monetary, Best::Highest),
        ]
    }

    fn schema(&self, entity: Column, features: &TableSchema) -> TableSchema {
        let class = |name: &str| features.column(name).map(|column| column.class).unwrap_or_default();
        let of_sides = self.sides().map(|(_, name, _)| class(name));
        let strictest = of_sides.into_iter().max().unwrap_or_default();
        let classes = of_sides.into_iter().chain(std::iter::repeat(strictest));
        let column = |(name, class): (&str, Class)| {
            let dtype = if name == "rfm" { DataType::String } else { DataType::Int64 };
            Column::new(name, dtype).class(class)
        };
        let key = vec![entity.name.clone()];
        let columns = std::iter::once(entity).chain(OUTPUTS.into_iter().zip(classes).map(column)).collect();
        TableSchema { columns, key, ..TableSchema::default() }
    }
}

/// The scores of every row.
struct Scored {
    recency: Vec<Option<u32>>,
    frequency: Vec<Option<u32>>,
    monetary: Vec<Option<u32>>,
}

impl Scored {
    /// How many entities have which scores. Nothing is fitted, so nothing is judged.
    fn described(&self, entity: &str, bins: u32) -> Evaluation {
        let scores = || (1..=bins).rev();
        let rows = self.recency.len() as f64;
        let mut cells: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for pair in self.recency.iter().zip(&self.frequency) {
            if let (Some(recency), Some(frequency)) = pair {
                *cells.entry((*recency, *frequency)).or_default() += 1;
            }
        }
        let count = |recency, frequency| cells.get(&(recency, frequency)).copied().unwrap_or_default();
        let counts: Vec<Vec<u64>> = scores().map(|r| scores().map(|f| count(r, f)).collect()).collect();
        let known: u64 = cells.values().sum();
        let shade = |count: &u64| if *count < CELL_ROWS_MIN { 0.0 } else { *count as f64 };
        let text = |count: &u64| match *count {
            0 => "0".to_owned(),
            few if few < CELL_ROWS_MIN => format!("below {CELL_ROWS_MIN}"),
            many => format::thousands(many),
        };
        let names = |what: &str| scores().map(|score| format!("{what} {score}")).collect::<Vec<_>>();
        let slices = cells.iter().filter(|(_, count)| **count >= CELL_ROWS_MIN).map(|((recency, frequency), count)| {
            Slice::new(format!("recency {recency}, frequency {frequency}"), "share", *count as f64 / rows)
        });
        Evaluation {
            target: entity.to_owned(),
            model: "RFM scores".to_owned(),
            baseline: String::new(),
            headline: String::new(),
            measures: vec![],
            facts: vec![Fact::new(
                "rows",
                format!(
                    "{}, of which {} have scores",
                    format::thousands(self.recency.len() as u64),
                    format::thousands(known)
                ),
            )],
            charts: vec![Chart::Grid {
                title: "How many have which scores".to_owned(),
                rows_title: "recency".to_owned(),
                columns_title: "frequency".to_owned(),
                rows: names("recency"),
                columns: names("frequency"),
                values: counts.iter().map(|row| row.iter().map(shade).collect()).collect(),
                texts: counts.iter().map(|row| row.iter().map(text).collect()).collect(),
                center: None,
            }],
            slices: slices.collect(),
            finds: String::new(),
            watch: vec![],
        }
    }

    /// The columns of the output after the entity.
    fn columns(self) -> [Series; 5] {
        let rows = || self.recency.iter().zip(&self.frequency).zip(&self.monetary);
        let rfm: Vec<Option<String>> = rows().map(|((r, f), m)| Some(format!("{}{}{}", (*r)?, (*f)?, (*m)?))).collect();
        let total: Vec<Option<i64>> = rows().map(|((r, f), m)| Some(i64::from((*r)? + (*f)? + (*m)?))).collect();
        let wide = |scores: &[Option<u32>]| scores.iter().map(|score| score.map(i64::from)).collect::<Vec<_>>();
        let [recency_score, frequency_score, monetary_score, rfm_name, total_name] = OUTPUTS.map(Into::into);
        [
            Series::new(recency_score, wide(&self.recency)),
            Series::new(frequency_score, wide(&self.frequency)),
            Series::new(monetary_score, wide(&self.monetary)),
            Series::new(rfm_name, rfm),
            Series::new(total_name, total),
        ]
    }
}

#[cfg(test)]
mod tests;
