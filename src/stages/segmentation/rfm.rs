//! Recency, frequency and monetary value as scores.

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, IntoColumn, IntoLazy, NamedFrom, Series};
use schemars::JsonSchema;
use serde::Deserialize;

use super::input::{self, PORT};
use crate::algorithms::rfm::{Best, scores};
use crate::problem::{Code, Problem, Step};
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
/// `monetary_score`, `rfm` (the three digits side by side, such as `545`) and `total` (their sum).
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

    fn check(&self) -> Vec<Problem> {
        if (2..=9).contains(&self.bins) {
            return vec![];
        }
        vec![Problem::new(Code::BadValue, format!("{} is not from 2 to 9", self.bins)).at(["with", "bins"])]
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
        let mut columns = vec![frame.column(&entity)?.clone()];
        columns.extend(scored.columns().into_iter().map(IntoColumn::into_column));
        let scores = DataFrame::new(frame.height(), columns)?;
        Ok(Outputs { tables: vec![scores.lazy()], ..Outputs::default() })
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
mod tests {
    use super::*;
    use crate::table::{AS_OF, Role, Table};
    use polars::df;
    use polars::prelude::{AnyValue, LazyFrame};

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn rfm(bins: u32) -> Rfm {
        serde_json::from_value(serde_json::json!({
            "recency": "recency_days", "frequency": "orders", "monetary": "spend", "bins": bins,
        }))
        .unwrap()
    }

    fn schema() -> TableSchema {
        let label = Column { role: Role::Label { horizon_days: 90 }, ..Column::new("buys_90d", DataType::Int64) };
        TableSchema {
            columns: vec![
                Column::new("customer_id", DataType::Int64).class(Class::DirectId),
                Column::new(AS_OF, DataType::Date),
                Column::new("recency_days", DataType::Int64),
                Column::new("orders", DataType::Int64).class(Class::Sensitive),
                Column::new("spend", DataType::Float64),
                Column::new("country", DataType::String),
                label,
            ],
            key: vec!["customer_id".into(), AS_OF.into()],
            snapshots: vec![date("2011-11-10"), date("2011-12-10")],
            ..TableSchema::default()
        }
    }

    fn ports(schema: TableSchema) -> InputSchemas {
        InputSchemas { ports: [(PORT.to_owned(), vec![("customers".to_owned(), schema)])].into() }
    }

    /// Four customers at the run date, out of order, and one of them a month before.
    fn frame() -> LazyFrame {
        let days = ["2011-12-10", "2011-12-10", "2011-11-10", "2011-12-10", "2011-12-10"].map(date);
        df! {
            "customer_id" => [4_i64, 1, 1, 3, 2],
            AS_OF => days,
            "recency_days" => [Some(40_i64), Some(1), Some(7), None, Some(20)],
            "orders" => [1_i64, 9, 5, 2, 3],
            "spend" => [10.0, 900.0, 500.0, 20.0, 30.0],
        }
        .unwrap()
        .lazy()
    }

    fn run(rfm: &Rfm) -> DataFrame {
        let table = Table { frame: frame(), schema: schema(), watermark: None };
        let named = crate::stages::NamedTable { name: "customers".into(), table };
        let inputs = Inputs { ports: [(PORT.to_owned(), vec![named])].into(), earlier: None };
        let context =
            StageContext { run_date: date("2011-12-10"), seed: 1, threads: 1, cancel: crate::stages::contract::Cancel::default() };
        let mut outputs = rfm.run(inputs, &context).unwrap();
        outputs.tables.pop().unwrap().collect().unwrap()
    }

    /// NTILE(2) by hand: recency 1, 20 | 40 with the older half worse, the extra row to the worse
    /// bin; orders 1, 2 | 3, 9; spend 10, 20 | 30, 900.
    #[test]
    fn scores_of_the_run_date_by_customer() {
        let found = run(&rfm(2));
        let expected = df! {
            "customer_id" => [1_i64, 2, 3, 4],
            "recency_score" => [Some(2_i64), Some(1), None, Some(1)],
            "frequency_score" => [2_i64, 2, 1, 1],
            "monetary_score" => [2_i64, 2, 1, 1],
            "rfm" => [Some("222"), Some("122"), None, Some("111")],
            "total" => [Some(6_i64), Some(5), None, Some(3)],
        };
        assert!(found.equals_missing(&expected.unwrap()), "{found:?}");
    }

    #[test]
    fn the_schema_is_what_run_gives() {
        let declared = rfm(5).schemas(&ports(schema()), date("2011-12-10")).unwrap().remove(0);
        assert_eq!(declared.to_polars(), **run(&rfm(5)).schema());
        assert_eq!(declared.key, ["customer_id"]);
        let class = |name: &str| declared.column(name).unwrap().class;
        assert_eq!((class("customer_id"), class("recency_score")), (Class::DirectId, Class::Behavioral));
        assert_eq!((class("frequency_score"), class("total")), (Class::Sensitive, Class::Sensitive));
    }

    #[test]
    fn one_column_may_serve_twice() {
        let twice = Rfm { monetary: "orders".into(), ..rfm(2) };
        assert_eq!(run(&twice).column("rfm").unwrap().get(0).unwrap(), AnyValue::String("222"));
    }

    #[test]
    fn every_wrong_column_is_told_at_once() {
        let wrong = Rfm { recency: "recency_day".into(), frequency: "country".into(), monetary: "buys_90d".into(), bins: 5 };
        let mut unkeyed = schema();
        unkeyed.key.pop();
        let problems = wrong.schemas(&ports(unkeyed), date("2011-12-10")).unwrap_err();
        let codes: Vec<Code> = problems.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, [Code::UnknownColumn, Code::WrongColumnType, Code::Leak, Code::NoSnapshots]);
        assert_eq!(problems[0].place.path, ["with", "recency"].map(Step::from));
        assert_eq!(problems[0].help.as_deref(), Some("did you mean `recency_days`?"));
        assert_eq!(problems[1].message, "`country` is string, not a number");
        assert_eq!(problems[3].place.path, ["inputs", PORT].map(Step::from));
    }

    #[test]
    fn bins_are_single_digits() {
        assert_eq!(rfm(5).check(), []);
        assert_eq!(rfm(10).check()[0].place.path, ["with", "bins"].map(Step::from));
    }
}
