//! The table `profiles`: what the entities of each segment are like, beside all.

use chrono::NaiveDate;
use polars::prelude::{Column as Values, DataFrame, DataType, IdxCa, IdxSize, IntoColumn, NamedFrom, Series};

use super::input::Rows;
use crate::algorithms::scale::quantile_of_sorted;
use crate::stages::contract::Failure;
use crate::table::{AS_OF, Class, Column, TableSchema};

/// The name of a segment's name.
pub const NAME: &str = "segment_name";

/// A segment to be described.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub segment: i64,
    pub name: String,
    /// Rows that the segment was fitted on, and so its name.
    pub fitted: usize,
}

/// The table `profiles`, and what of it the report shows.
pub struct Profiles {
    pub frame: DataFrame,
    pub rows: Vec<ProfileRow>,
}

/// One segment.
#[derive(Debug, Clone)]
pub struct ProfileRow {
    pub group: Group,
    pub size: usize,
    pub share: f64,
    /// One a column of numbers.
    pub columns: Vec<OfColumn>,
    /// Of each column of text, the level that most rows have, and the share of rows that do.
    pub levels: Vec<Option<(String, f64)>>,
}

/// The known values of a column in one segment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OfColumn {
    pub known: usize,
    pub mean: Option<f64>,
    pub median: Option<f64>,
    /// The mean over that of all rows; none where that is zero.
    pub lift: Option<f64>,
}

/// The schema; `strictest` is the class of what tells a segment.
pub fn schema(features: &TableSchema, numbers: &[String], texts: &[String], strictest: Class) -> TableSchema {
    let class = |name: &str| features.column(name).map(|column| column.class).unwrap_or_default();
    let mut columns = vec![
        Column::new("segment", DataType::Int64).class(strictest),
        Column::new(NAME, DataType::String).class(strictest),
        Column::new("size", DataType::Int64),
        Column::new("share", DataType::Float64),
    ];
    for (what, _) in NUMBERS {
        columns.extend(
            numbers.iter().map(|name| Column::new(format!("{what}_{name}"), DataType::Float64).class(class(name))),
        );
    }
    for name in texts {
        columns.push(Column::new(format!("mode_{name}"), DataType::String).class(class(name)));
        columns.push(Column::new(format!("share_of_mode_{name}"), DataType::Float64).class(class(name)));
    }
    columns.push(Column::new("model_version", DataType::String));
    TableSchema { columns, key: vec!["segment".to_owned()], ..TableSchema::default() }
}

type Figure = fn(&OfColumn) -> Option<f64>;

/// What is said of each column of numbers.
const NUMBERS: [(&str, Figure); 3] = [("mean", |of| of.mean), ("median", |of| of.median), ("lift", |of| of.lift)];

/// One row per group, also of those without rows; `labels` are places among the groups.
pub fn profiles(
    rows: &Rows,
    labels: &[usize],
    groups: Vec<Group>,
    (numbers, texts): (&[String], &[String]),
    version: &str,
) -> Result<Profiles, Failure> {
    let mut members: Vec<Vec<usize>> = vec![vec![]; groups.len()];
    for (row, label) in labels.iter().enumerate() {
        if let Some(members) = members.get_mut(*label) {
            members.push(row);
        }
    }
    let mut described: Vec<ProfileRow> = groups
        .into_iter()
        .zip(&members)
        .map(|(group, members)| ProfileRow {
            group,
            size: members.len(),
            share: members.len() as f64 / labels.len().max(1) as f64,
            columns: vec![],
            levels: vec![],
        })
        .collect();
    for column in rows.numbers.columns() {
        let all = mean(column.iter().copied());
        for (row, members) in described.iter_mut().zip(&members) {
            let values = members.iter().filter_map(|row| column.get(*row)).copied();
            row.columns.push(of_column(values.filter(|value| value.is_finite()).collect(), all));
        }
    }
    for texts in &rows.texts {
        let texts = texts.cast(&DataType::String)?;
        for (row, members) in described.iter_mut().zip(&members) {
            row.levels.push(mode(members.iter().filter_map(|row| texts.str().ok()?.get(*row)), members.len()));
        }
    }
    Ok(Profiles { frame: frame(&described, numbers, texts, version)?, rows: described })
}

fn of_column(mut known: Vec<f64>, all: Option<f64>) -> OfColumn {
    known.sort_unstable_by(f64::total_cmp);
    let mean = mean(known.iter().copied());
    OfColumn {
        known: known.len(),
        mean,
        median: (!known.is_empty()).then(|| quantile_of_sorted(&known, 0.5)),
        lift: mean.zip(all.filter(|all| *all != 0.0)).map(|(mean, all)| mean / all),
    }
}

/// Of the values that are known.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) =
        values.filter(|value| value.is_finite()).fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// The level that most have, of equal ones the first by name, and its share of `rows`.
fn mode<'a>(texts: impl Iterator<Item = &'a str>, rows: usize) -> Option<(String, f64)> {
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    texts.for_each(|text| *counts.entry(text).or_default() += 1);
    // Reversed, since of equal ones the last is taken.
    let (level, count) = counts.into_iter().rev().max_by_key(|(_, count)| *count)?;
    Some((level.to_owned(), count as f64 / rows as f64))
}

fn frame(rows: &[ProfileRow], numbers: &[String], texts: &[String], version: &str) -> Result<DataFrame, Failure> {
    let series = |name: &str, values: Series| values.with_name(name.into()).into_column();
    let of =
        |value: &dyn Fn(&ProfileRow) -> Option<f64>| Series::new("".into(), rows.iter().map(value).collect::<Vec<_>>());
    let names: Vec<&str> = rows.iter().map(|row| row.group.name.as_str()).collect();
    let mut columns = vec![
        series("segment", Series::new("".into(), rows.iter().map(|row| row.group.segment).collect::<Vec<_>>())),
        series(NAME, Series::new("".into(), names)),
        series("size", Series::new("".into(), rows.iter().map(|row| row.size as i64).collect::<Vec<_>>())),
        series("share", Series::new("".into(), rows.iter().map(|row| row.share).collect::<Vec<_>>())),
    ];
    for (what, value) in NUMBERS {
        for (place, name) in numbers.iter().enumerate() {
            let value = |row: &ProfileRow| row.columns.get(place).and_then(value);
            columns.push(series(&format!("{what}_{name}"), of(&value)));
        }
    }
    for (place, name) in texts.iter().enumerate() {
        let level = |row: &ProfileRow| row.levels.get(place).cloned().flatten();
        let modes: Vec<Option<String>> = rows.iter().map(|row| level(row).map(|(text, _)| text)).collect();
        columns.push(series(&format!("mode_{name}"), Series::new("".into(), modes)));
        columns.push(series(&format!("share_of_mode_{name}"), of(&|row| level(row).map(|(_, share)| share))));
    }
    columns.push(versions(version, rows.len()));
    Ok(DataFrame::new(rows.len(), columns)?)
}

fn versions(version: &str, rows: usize) -> Values {
    Series::new("model_version".into(), vec![version; rows]).into_column()
}

/// The schema of a table of one row an entity: `own` are the columns that only this kind has. `strictest` is the class of
/// what tells a segment.
pub fn segments_schema(
    entity: Column,
    strictest: Class,
    run_date: NaiveDate,
    own: impl IntoIterator<Item = (&'static str, DataType)>,
) -> TableSchema {
    let key = vec![entity.name.clone(), AS_OF.to_owned()];
    let mut columns = vec![
        entity,
        Column::new(AS_OF, DataType::Date).described("the moment that it is said of"),
        Column::new("segment", DataType::Int64)
            .class(strictest)
            .described("number of the segment, the same every night"),
        Column::new(NAME, DataType::String).class(strictest).described("name of the segment"),
    ];
    let described = |name: &str| match name {
        "distance" => "distance to the middle of the segment, in scaled units",
        "confidence" => "how much nearer the own segment is than the next one, 0 to 1",
        _ => "core, border or noise: how dense it is around it",
    };
    columns.extend(own.into_iter().map(|(name, dtype)| {
        let column = Column::new(name, dtype).class(strictest);
        column.described(described(name))
    }));
    columns.push(Column::new("model_version", DataType::String).described("version of the model that says so"));
    TableSchema { columns, key, snapshots: vec![run_date], ..TableSchema::default() }
}

/// The table: `places` say which of `groups`, number and name, each row is of.
pub fn segments(
    rows: &Rows,
    places: impl Iterator<Item = usize>,
    groups: impl Iterator<Item = (i64, String)>,
    own: impl IntoIterator<Item = Series>,
    (version, run_date): (&str, NaiveDate),
) -> Result<DataFrame, Failure> {
    // Each number and name is kept once, however many rows have it.
    let places = IdxCa::from_vec("".into(), places.map(|place| place as IdxSize).collect());
    let (numbers, names): (Vec<i64>, Vec<String>) = groups.unzip();
    let count = places.len();
    let mut columns = vec![
        rows.entities.clone(),
        as_of(run_date, count),
        Series::new("segment".into(), numbers).take(&places)?.into_column(),
        Series::new(NAME.into(), names).take(&places)?.into_column(),
    ];
    columns.extend(own.into_iter().map(IntoColumn::into_column));
    columns.push(versions(version, count));
    Ok(DataFrame::new(count, columns)?)
}

/// The run date in every row.
pub fn as_of(run_date: NaiveDate, rows: usize) -> Values {
    Series::new(AS_OF.into(), vec![run_date; rows]).into_column()
}
