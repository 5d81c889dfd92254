//! How the columns of a table are distributed: what a model remembers of its input, and what the
//! report shows of a table.
//!
//! Keys, identifiers and their pseudonyms, labels, lists and versions of models are left out. Of sensitive columns,
//! dates and times no more is told than how much is missing. All others, quasi-identifiers included, are
//! told as aggregates of at least ten rows ([`crate::metrics::profile`]).

use std::collections::HashMap;

use polars::prelude::{BooleanChunked, DataFrame, DataType, NewChunkedArray, PolarsResult};
use rayon::prelude::*;

use crate::metrics::profile::ColumnProfile;
use crate::table::{AS_OF, Class, Column, Role, TableSchema, floats};

/// Of more rows a profile is made from every k-th, k being the least that leaves no more than these.
pub const ROWS_MAX: usize = 1_000_000;

/// The columns of a table that a profile tells something of.
pub fn told(schema: &TableSchema) -> Vec<&Column> {
    let tells = |column: &&Column| {
        let name = column.name.as_str();
        !schema.key.iter().any(|key| key == name)
            && name != AS_OF
            && !column.class.names_one()
            && column.role == Role::Plain
            && !matches!(column.dtype, DataType::List(_))
            // A model's version is another one every night, and says nothing of an entity.
            && !name.ends_with("model_version")
    };
    schema.columns.iter().filter(tells).collect()
}

/// The profiles of those columns that the frame has.
pub fn columns(frame: &DataFrame, schema: &TableSchema) -> PolarsResult<Vec<ColumnProfile>> {
    let step = frame.height().div_ceil(ROWS_MAX).max(1);
    let part;
    let frame = if step == 1 {
        frame
    } else {
        let kept = (0..frame.height()).map(|row| row % step == 0);
        part = frame.filter(&BooleanChunked::from_iter_values("kept".into(), kept))?;
        &part
    };
    let told: Vec<&Column> = told(schema).into_iter().filter(|column| frame.column(&column.name).is_ok()).collect();
    told.into_par_iter().map(|column| profile(frame, column)).collect()
}

/// Of numbers that were read from a column of a table, missing ones as NaN.
pub fn of_values(schema: &TableSchema, name: &str, values: Vec<f64>) -> ColumnProfile {
    let step = values.len().div_ceil(ROWS_MAX).max(1);
    let values: Vec<f64> = values.into_iter().step_by(step).collect();
    if schema.column(name).is_some_and(|column| column.class >= Class::Sensitive) {
        let nulls = values.iter().filter(|value| value.is_nan()).count();
        return ColumnProfile::untold(name, values.len() as u64, nulls as u64);
    }
    ColumnProfile::of_numbers(name, values)
}

fn profile(frame: &DataFrame, column: &Column) -> PolarsResult<ColumnProfile> {
    let name = column.name.as_str();
    let values = frame.column(name)?;
    let nulls = values.null_count() as u64;
    if column.class == Class::Sensitive {
        return Ok(ColumnProfile::untold(name, frame.height() as u64, nulls));
    }
    Ok(match values.dtype() {
        DataType::String => {
            let mut counts: HashMap<&str, u64> = HashMap::new();
            for text in values.str()?.iter().flatten() {
                *counts.entry(text).or_default() += 1;
            }
            ColumnProfile::of_levels(name, counts.into_iter().map(|(text, count)| (text.to_owned(), count)), nulls)
        }
        DataType::Boolean => {
            let yes = values.bool()?.sum().unwrap_or_default().into();
            let no = frame.height() as u64 - nulls - yes;
            let counts = [("true", yes), ("false", no)].map(|(level, count)| (level.to_owned(), count));
            ColumnProfile::of_levels(name, counts.into_iter().filter(|(_, count)| *count > 0), nulls)
        }
        dtype if dtype.is_numeric() => ColumnProfile::of_numbers(name, floats(frame, name)?),
        _ => ColumnProfile::untold(name, frame.height() as u64, nulls),
    })
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;

    use super::*;
    use crate::metrics::profile::Shape;

    fn schema() -> TableSchema {
        let label = Role::Label { horizon_days: 90 };
        let columns = vec![
            Column::new("id", DataType::Int64),
            Column::new(AS_OF, DataType::Int32),
            Column::new("mail", DataType::String).class(Class::DirectId),
            Column::new("customer", DataType::String).class(Class::Pseudonym),
            Column::new("illness", DataType::String).class(Class::Sensitive),
            Column::new("country", DataType::String).class(Class::QuasiId),
            Column::new("orders", DataType::Int64),
            Column::new("member", DataType::Boolean),
            Column { role: label, ..Column::new("buys", DataType::Boolean) },
            Column::new("will_buy_model_version", DataType::String),
        ];
        TableSchema { columns, key: vec!["id".into(), AS_OF.into()], ..TableSchema::default() }
    }

    fn frame(rows: i64) -> DataFrame {
        let each = || 0..rows;
        df!(
            "id" => each().collect::<Vec<_>>(),
            AS_OF => each().map(|_| 1_i32).collect::<Vec<_>>(),
            "mail" => each().map(|row| format!("{row}@example.org")).collect::<Vec<_>>(),
            "customer" => each().map(|row| format!("p1_{}", row % 2)).collect::<Vec<_>>(),
            "illness" => each().map(|row| (row % 4 > 0).then_some("flu")).collect::<Vec<_>>(),
            "country" => each().map(|row| if row < 12 { "GB" } else { "FR" }).collect::<Vec<_>>(),
            "orders" => each().map(|row| (row % 10 > 0).then_some(row % 5)).collect::<Vec<_>>(),
            "member" => each().map(|row| row % 2 == 0).collect::<Vec<_>>(),
            "buys" => each().map(|row| row % 3 == 0).collect::<Vec<_>>(),
            "will_buy_model_version" => each().map(|_| "2024-01-01-0badcafe").collect::<Vec<_>>(),
        )
        .unwrap()
    }

    #[test]
    fn tells_what_may_be_told() {
        let found = columns(&frame(40), &schema()).unwrap();
        let names: Vec<&str> = found.iter().map(|profile| profile.name.as_str()).collect();
        assert_eq!(names, ["illness", "country", "orders", "member"]);
        assert_eq!(found[0], ColumnProfile::untold("illness", 40, 10));
        let levels = vec![("FR".to_owned(), 28), ("GB".to_owned(), 12)];
        assert_eq!(found[1].shape, Shape::Category { levels, other: 0 });
        assert_eq!((found[2].nulls, found[2].rows), (4, 40));
        let halves = vec![("false".to_owned(), 20), ("true".to_owned(), 20)];
        assert_eq!(found[3].shape, Shape::Category { levels: halves, other: 0 });
        assert!(!serde_json::to_string(&found).unwrap().contains("example"));
    }

    #[test]
    fn of_very_many_rows_every_kth_is_looked_at() {
        let rows = 2 * ROWS_MAX as i64 + 1;
        let frame = df!("orders" => (0..rows).map(|row| row % 3).collect::<Vec<_>>()).unwrap();
        let found = columns(&frame, &schema()).unwrap();
        assert_eq!(found[0].rows, (rows as u64).div_ceil(3));
    }
}
