//! Recency, frequency and monetary value as scores, and segments named by them.

mod described;
mod names;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, IntoColumn, IntoLazy, NamedFrom, Series};
use schemars::JsonSchema;
use serde::Deserialize;

use super::input::{self, PORT};
use super::migration::{self, Levels};
use super::profiles::as_of;
use crate::algorithms::rfm::{Best, scores};
use crate::problem::{Problem, Step};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::lineage::Reads;
use crate::stages::protocol::Protocol;
use crate::table::{AS_OF, Class, Column, TableSchema, floats};
use names::{Rule, Usual};

/// Scores every entity by how recently, how often and for how much it bought, and names its segment.
///
/// Each of the three columns is cut into `bins` of equal size over the entities of the run date's
/// snapshot (or all rows of a table without snapshots), as SQL's `NTILE` does, from 1 (worst) to `bins` (best); of
/// recency less is better, of the others more. Equal values get equal scores: that of the middle one of them, so with
/// many ties some scores stay unused. A null has no score and does not count as a row; then `rfm`, `total` and
/// `segment_name` are null too.
///
/// The output `scores` has one row per entity: `as_of`, `recency_score`, `frequency_score`, `monetary_score`, `rfm` (the
/// three digits side by side, such as `545`), `total` (their sum) and `segment_name`. The report shows how many entities
/// have which scores of recency and frequency and which segment, and from the second night on who moved.
///
/// Segments are named by the first rule of `segments` whose ranges hold all of its scores. Without `segments` these
/// eleven count, of recency and of value, the mean of frequency and monetary, half a point rounded up. Where there are
/// other than five bins, scores are first brought to five: ⌈5 · score / bins⌉.
///
/// | segment | recency | value |
/// |---|---|---|
/// | Champions | 5 | 4 to 5 |
/// | Loyal | 3 to 4 | 4 to 5 |
/// | Potential loyalists | 4 to 5 | 2 to 3 |
/// | New | 5 | 1 |
/// | Promising | 4 | 1 |
/// | Need attention | 3 | 3 |
/// | About to sleep | 3 | 1 to 2 |
/// | Cannot lose them | 1 to 2 | 5 |
/// | At risk | 1 to 2 | 3 to 4 |
/// | Hibernating | 2 | 1 to 2 |
/// | Lost | 1 | 1 to 2 |
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rfm {
    /// The column that names the entity, where the table does not say it: not needed for the output of `features`.
    #[serde(default)]
    entity: Option<String>,
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
    /// Rules that name segments, in place of the usual eleven: `{name: Whales, monetary: [5, 5]}`. Ranges are of scores as
    /// they are, both ends included; what is left out may be anything. Who is in no rule is `Other`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    segments: Option<Vec<Rule>>,
}

fn default_bins() -> u32 {
    5
}

/// The columns of the output after the entity.
const OUTPUTS: [&str; 7] =
    [AS_OF, "recency_score", "frequency_score", "monetary_score", "rfm", "total", "segment_name"];

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

    fn check(&self) -> Vec<Problem> {
        names::problems(self.segments.as_deref().unwrap_or_default(), self.bins)
    }

    fn protocol(&self) -> Protocol {
        Protocol::Newest { port: PORT }
    }

    fn looks_back(&self) -> bool {
        true
    }

    fn reads(&self, inputs: &InputSchemas) -> Reads {
        let features = inputs.one(PORT).ok();
        let entity = features.and_then(|table| input::entity(table, self.entity.as_deref(), &OUTPUTS).ok());
        Reads::only(PORT, self.sides().map(|(_, name, _)| name.to_owned()), entity.map(|column| column.name))
    }

    fn schemas(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let features = inputs.one(PORT)?;
        let mut problems: Vec<Problem> = Vec::new();
        for (option, name, _) in self.sides() {
            problems.extend(input::numeric(features, name, ["with", option].map(Step::from)));
        }
        match input::entity(features, self.entity.as_deref(), &OUTPUTS) {
            Ok(entity) if problems.is_empty() => Ok(vec![self.schema(entity, features, run_date)]),
            Ok(_) => Err(problems),
            Err(problem) => {
                problems.push(problem);
                Err(problems)
            }
        }
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let before = inputs.before.take();
        let sides = self.sides();
        let read = input::entities(
            inputs.one(PORT)?,
            self.entity.as_deref(),
            &OUTPUTS,
            sides.map(|(_, name, _)| name),
            context.run_date,
        )?;
        let [recency, frequency, monetary] = sides.map(|(_, name, best)| -> Result<_, Failure> {
            scores(&floats(&read.frame, name)?, self.bins, best).map_err(|error| Failure::bug(error.to_string()))
        });
        let scored = Scored { recency: recency?, frequency: frequency?, monetary: monetary? };
        let names = scored.names(self.segments.as_deref(), self.bins);
        let mut columns = vec![read.frame.column(&read.entity)?.clone(), as_of(context.run_date, read.frame.height())];
        columns.extend(scored.columns(&names).into_iter().map(IntoColumn::into_column));
        let table = DataFrame::new(read.frame.height(), columns)?;
        let order: Vec<&str> = match &self.segments {
            Some(rules) => rules.iter().map(|rule| rule.name.as_str()).collect(),
            None => Usual::ALL.iter().map(|usual| usual.name).collect(),
        };
        let place = |name: &str| order.iter().position(|other| *other == name).map_or(i64::MAX, |place| place as i64);
        let levels =
            Levels { entity: &read.entity, column: "segment_name", place: &place, name: &|name| name.to_owned() };
        let moves = migration::moves(before.as_ref(), &table, levels)?;
        let evaluation = scored.described(&read.entity, self.bins, &names, &order, moves);
        Ok(Outputs { tables: vec![table.lazy()], evaluation: Some(evaluation), ..Outputs::default() })
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

    fn schema(&self, entity: Column, features: &TableSchema, run_date: NaiveDate) -> TableSchema {
        let class = |name: &str| features.column(name).map(|column| column.class).unwrap_or_default();
        let of_sides = self.sides().map(|(_, name, _)| class(name));
        let strictest = of_sides.into_iter().max().unwrap_or_default();
        let classes = [Class::default()].into_iter().chain(of_sides).chain(std::iter::repeat(strictest));
        let column = |(name, class): (&str, Class)| {
            let dtype = match name {
                AS_OF => DataType::Date,
                "rfm" | "segment_name" => DataType::String,
                _ => DataType::Int64,
            };
            let described = match name {
                AS_OF => "the moment that it is said of",
                "recency_score" => "how recently bought, 1 worst",
                "frequency_score" => "how often bought, 1 worst",
                "monetary_score" => "for how much bought, 1 worst",
                "rfm" => "the three scores side by side",
                "total" => "sum of the three scores",
                _ => "segment by recency and value",
            };
            Column::new(name, dtype).class(class).described(described)
        };
        let key = vec![entity.name.clone(), AS_OF.to_owned()];
        let columns = std::iter::once(entity).chain(OUTPUTS.into_iter().zip(classes).map(column)).collect();
        TableSchema { columns, key, snapshots: vec![run_date], ..TableSchema::default() }
    }
}

/// The scores of every row.
struct Scored {
    recency: Vec<Option<u32>>,
    frequency: Vec<Option<u32>>,
    monetary: Vec<Option<u32>>,
}

impl Scored {
    /// The three scores of each row that has them.
    fn rows(&self) -> impl Iterator<Item = Option<[u32; 3]>> + '_ {
        let rows = self.recency.iter().zip(&self.frequency).zip(&self.monetary);
        rows.map(|((recency, frequency), monetary)| Some([(*recency)?, (*frequency)?, (*monetary)?]))
    }

    /// The segment of each row that has scores.
    fn names<'a>(&self, rules: Option<&'a [Rule]>, bins: u32) -> Vec<Option<&'a str>> {
        let name = |scores: [u32; 3]| match rules {
            Some(rules) => names::by_rules(rules, scores),
            None => names::usual(scores, bins),
        };
        self.rows().map(|scores| scores.map(name)).collect()
    }

    /// The columns of the output after `as_of`.
    fn columns(&self, names: &[Option<&str>]) -> [Series; 6] {
        let rfm: Vec<Option<String>> = self.rows().map(|row| row.map(|[r, f, m]| format!("{r}{f}{m}"))).collect();
        let total: Vec<Option<i64>> =
            self.rows().map(|row| row.map(|row| row.into_iter().map(i64::from).sum())).collect();
        let wide = |scores: &[Option<u32>]| scores.iter().map(|score| score.map(i64::from)).collect::<Vec<_>>();
        let [_, recency_score, frequency_score, monetary_score, rfm_name, total_name, name] = OUTPUTS.map(Into::into);
        [
            Series::new(recency_score, wide(&self.recency)),
            Series::new(frequency_score, wide(&self.frequency)),
            Series::new(monetary_score, wide(&self.monetary)),
            Series::new(rfm_name, rfm),
            Series::new(total_name, total),
            Series::new(name, names),
        ]
    }
}
