//! What the segmentations ask of their input: one row an entity, and columns of numbers and of text.

use std::collections::HashMap;

use chrono::NaiveDate;
use ndarray::Array2;
use polars::prelude::{Column as Values, DataFrame, DataType, SortMultipleOptions, col, lit};
use serde::Serialize;

use crate::format;
use crate::problem::{Code, Problem, Step};
use crate::stages::contract::{Failure, StageConfig};
use crate::stages::lineage::Reads;
use crate::stages::model::{Field, Signature, parameters};
use crate::stages::profile;
use crate::table::{self, AS_OF, Class, Column, Role, Table, TableSchema, floats, type_name};

/// The input port of every segmentation.
pub const PORT: &str = "features";

/// The columns that a segmentation reads, and what it takes them for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The entity, where the table does not say it.
    pub entity: Option<&'a str>,
    /// Columns of numbers.
    pub numbers: &'a [String],
    /// Columns of text.
    pub texts: &'a [String],
    /// What each row counts.
    pub weight: Option<&'a str>,
    /// What each row is known to belong to.
    pub truth: Option<&'a str>,
}

/// The rows of a table at the run date, ascending by entity.
pub struct Rows {
    pub entity: String,
    pub entities: Values,
    /// Rows × columns, missing values as NaN.
    pub numbers: Array2<f64>,
    pub texts: Vec<Values>,
    pub weights: Option<Vec<f64>>,
    /// The level of each row that has one.
    pub truth: Option<Vec<Option<usize>>>,
}

/// The entity of a table: the column asked for, or what the table is keyed by; no output column may have its name.
pub fn entity(schema: &TableSchema, asked: Option<&str>, outputs: &[&str]) -> Result<Column, Problem> {
    let keyed = keyed_by(schema);
    let place = ["with", "entity"];
    let name = match (asked, keyed) {
        (Some(asked), Some(keyed)) if asked != keyed => {
            let message = format!("the table at `{PORT}` has one row per `{keyed}`, not per `{asked}`");
            return Err(Problem::new(Code::BadValue, message).at(place));
        }
        (Some(asked), _) => asked,
        (None, Some(keyed)) => keyed,
        (None, None) => {
            let message = format!("the table at `{PORT}` is not keyed by one entity");
            let help = "feed it the output of a `features` stage, or name the entity's column with `entity`";
            return Err(Problem::new(Code::NoSnapshots, message).help(help).at(["inputs", PORT]));
        }
    };
    let Some(column) = schema.column(name) else {
        let message = format!("the table at `{PORT}` has no column `{name}`");
        return Err(Problem::new(Code::UnknownColumn, message).nearest(name, schema.names()).at(place));
    };
    if !(column.dtype.is_integer() || matches!(column.dtype, DataType::String | DataType::Date)) {
        let message = format!("`{name}` is {}; an entity is a whole number or text", type_name(&column.dtype));
        return Err(Problem::new(Code::WrongColumnType, message).at(place));
    }
    if outputs.contains(&name) || name == AS_OF {
        let message = format!("`{name}` names the entity, and an output column has the same name");
        return Err(Problem::new(Code::DuplicateId, message).at(["inputs", PORT]));
    }
    Ok(column.clone())
}

/// The entity that a table has one row of, at each moment where it has several.
fn keyed_by(schema: &TableSchema) -> Option<&str> {
    match schema.key.as_slice() {
        [entity] if entity != AS_OF => Some(entity.as_str()),
        [entity, as_of] if as_of == AS_OF => Some(entity.as_str()),
        _ => None,
    }
}

impl Asked<'_> {
    /// What keeps the columns from being used, each problem at its place.
    fn problems(&self, schema: &TableSchema) -> Vec<Problem> {
        let at = |option: &'static str, index: usize| [Step::from("with"), Step::from(option), Step::from(index)];
        let numbers = self.numbers.iter().enumerate();
        let mut problems: Vec<Problem> =
            numbers.filter_map(|(index, name)| numeric(schema, name, at("columns", index))).collect();
        let texts = self.texts.iter().enumerate();
        problems.extend(texts.filter_map(|(index, name)| text(schema, name, at("categories", index))));
        problems.extend(self.weight.and_then(|name| numeric(schema, name, ["with", "weight"].map(Step::from))));
        for (option, names) in [("columns", self.numbers), ("categories", self.texts)] {
            let own = names.iter().enumerate().filter(|(_, name)| self.entity == Some(name.as_str()));
            problems.extend(own.map(|(index, name)| {
                let message = format!("`{name}` names the entity and says nothing of what it is like");
                Problem::new(Code::BadValue, message).at(at(option, index))
            }));
        }
        problems.extend(self.truth.and_then(|name| {
            let is_read = self.numbers.iter().chain(self.texts).any(|other| other == name) || self.entity == Some(name);
            let found = schema.column(name).is_none().then(|| unknown(schema, name, |_| true));
            let told =
                || Problem::new(Code::BadValue, format!("`{name}` is what is clustered, and no truth apart from it"));
            found.or_else(|| is_read.then(told)).map(|problem| problem.at(["with", "truth"]))
        }));
        problems
    }

    /// What the tables of a segmentation are made of.
    pub fn reads(&self, schema: &TableSchema, outputs: &[&str]) -> Reads {
        let entity = entity(schema, self.entity, outputs).ok().map(|column| column.name);
        let others = self.weight.iter().chain(&self.truth).map(|name| (*name).to_owned());
        Reads::only(PORT, self.numbers.iter().chain(self.texts).cloned().chain(others), entity)
    }

    /// The entity of the table, if all that is asked of it is there.
    ///
    /// # Errors
    /// All that is wrong with the columns and the entity.
    pub fn entity(&self, schema: &TableSchema, outputs: &[&str]) -> Result<Column, Vec<Problem>> {
        let mut problems = self.problems(schema);
        match entity(schema, self.entity, outputs) {
            Ok(entity) if problems.is_empty() => Ok(entity),
            found => {
                problems.extend(found.err());
                Err(problems)
            }
        }
    }

    /// The class of what tells where an entity belongs: that of the strictest column that it is told from.
    pub fn strictest(&self, schema: &TableSchema) -> Class {
        let class = |name: &str| schema.column(name).map(|column| column.class).unwrap_or_default();
        let told_from = self.numbers.iter().chain(self.texts).map(String::as_str).chain(self.weight);
        told_from.map(class).max().unwrap_or_default()
    }

    /// What a model takes and gives, and what it was fitted on; `outputs` are names and types.
    pub fn signature<C: StageConfig + Serialize>(
        &self,
        stage: &C,
        rows: &Rows,
        features: &TableSchema,
        outputs: &[(&str, &str)],
    ) -> Result<Signature, Failure> {
        let dtype = |name: &str| features.column(name).map(|column| type_name(&column.dtype)).unwrap_or_default();
        let columns = self.numbers.iter().zip(rows.numbers.columns());
        let inputs = self.numbers.iter().chain(self.texts);
        Ok(Signature {
            kind: C::KIND.to_owned(),
            inputs: inputs.map(|name| Field::new(name, dtype(name))).collect(),
            outputs: outputs.iter().map(|(name, dtype)| Field::new(*name, *dtype)).collect(),
            profile: columns.map(|(name, values)| profile::of_values(features, name, values.to_vec())).collect(),
            rows: rows.numbers.nrows(),
            parameters: parameters(stage)?,
        })
    }

    /// Reads the rows of the run date.
    ///
    /// # Errors
    /// There are none; an entity is missing or has several; weights are below zero or missing.
    pub fn read(&self, table: Table, outputs: &[&str], moment: NaiveDate) -> Result<Rows, Failure> {
        let has_snapshots = has_snapshots(&table.schema);
        let columns = self.numbers.iter().chain(self.texts).map(String::as_str).chain(self.weight).chain(self.truth);
        let Entities { entity, frame } = entities(table, self.entity, outputs, columns, moment)?;
        if frame.height() == 0 {
            return Err(Failure::data(match has_snapshots {
                true => format!("the snapshot of {moment} has no rows"),
                false => "the table has no rows".to_owned(),
            }));
        }
        let texts = self.texts.iter().map(|name| frame.column(name).cloned()).collect::<Result<_, _>>()?;
        Ok(Rows {
            entities: frame.column(&entity)?.clone(),
            entity,
            numbers: table::matrix(&frame, self.numbers)?,
            texts,
            weights: self.weight.map(|name| weights(&frame, name)).transpose()?,
            truth: self.truth.map(|name| levels(&frame, name)).transpose()?,
        })
    }
}

fn has_snapshots(schema: &TableSchema) -> bool {
    !schema.snapshots.is_empty() || schema.key.iter().any(|name| name == AS_OF)
}

/// Entities, ascending, and columns of theirs.
pub struct Entities {
    /// The column that names them.
    pub entity: String,
    pub frame: DataFrame,
}

/// The entities of a table at a moment, one row each.
///
/// # Errors
/// An entity is missing, or has several rows.
pub fn entities<'a>(
    table: Table,
    asked: Option<&str>,
    outputs: &[&str],
    columns: impl IntoIterator<Item = &'a str>,
    moment: NaiveDate,
) -> Result<Entities, Failure> {
    let entity = entity(&table.schema, asked, outputs).map_err(|problem| Failure::bug(problem.message))?.name;
    let is_keyed = keyed_by(&table.schema).is_some();
    let frame = snapshot(table, &entity, columns.into_iter().collect(), moment)?;
    if !is_keyed {
        one_row_each(frame.column(&entity)?)?;
    }
    Ok(Entities { entity, frame })
}

/// Refuses entities that are missing or have several rows; they are sorted.
fn one_row_each(entities: &Values) -> Result<(), Failure> {
    let name = entities.name();
    let nulls = entities.null_count();
    if nulls > 0 {
        return Err(Failure::data(format!("`{name}` is null in {}", format::count(nulls as u64, "row", "rows"))));
    }
    let more = entities.len() - entities.n_unique()?;
    if more > 0 {
        let rows = format::count(more as u64, "row", "rows");
        return Err(Failure::data(format!(
            "`{name}` has the same value as another row in {rows}; group the rows by it first, with a `sql` stage"
        )));
    }
    Ok(())
}

fn weights(frame: &DataFrame, name: &str) -> Result<Vec<f64>, Failure> {
    let weights = floats(frame, name)?;
    let wrong = weights.iter().filter(|weight| !(weight.is_finite() && **weight >= 0.0)).count();
    if wrong > 0 {
        let rows = format::count(wrong as u64, "row", "rows");
        return Err(Failure::data(format!("the weight `{name}` is null, not finite or below zero in {rows}")));
    }
    Ok(weights)
}

/// Which of the different values each row has, counted as they come; none for null.
fn levels(frame: &DataFrame, name: &str) -> Result<Vec<Option<usize>>, Failure> {
    let texts = frame.column(name)?.cast(&DataType::String)?;
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let level = |text: Option<_>| {
        text.map(|text| {
            let next = seen.len();
            *seen.entry(text).or_insert(next)
        })
    };
    Ok(texts.str()?.iter().map(level).collect())
}

/// What keeps the column `name` from being used as a number; the problem is placed at `place`.
pub fn numeric(schema: &TableSchema, name: &str, place: impl IntoIterator<Item = Step>) -> Option<Problem> {
    let found = match schema.column(name) {
        Some(column) => plain(schema, column).or_else(|| not_numeric(column)),
        None => Some(unknown(schema, name, |column| plain(schema, column).is_none() && column.dtype.is_numeric())),
    };
    found.map(|problem| problem.at(place))
}

fn text(schema: &TableSchema, name: &str, place: impl IntoIterator<Item = Step>) -> Option<Problem> {
    let is_text = |column: &Column| matches!(column.dtype, DataType::String | DataType::Boolean);
    let found = match schema.column(name) {
        Some(column) => plain(schema, column).or_else(|| {
            let message = format!("`{name}` is {}, not text", type_name(&column.dtype));
            (!is_text(column)).then(|| Problem::new(Code::WrongColumnType, message))
        }),
        None => Some(unknown(schema, name, |column| plain(schema, column).is_none() && is_text(column))),
    };
    found.map(|problem| problem.at(place))
}

fn unknown(schema: &TableSchema, name: &str, usable: impl Fn(&Column) -> bool) -> Problem {
    let names = schema.columns.iter().filter(|column| usable(column)).map(|column| column.name.as_str());
    Problem::new(Code::UnknownColumn, format!("the table at `{PORT}` has no column `{name}`")).nearest(name, names)
}

/// Labels and keys say nothing of what an entity is like.
fn plain(schema: &TableSchema, column: &Column) -> Option<Problem> {
    let name = &column.name;
    if column.role != Role::Plain {
        let message = format!("`{name}` is a label: it looks past the snapshot's moment");
        return Some(Problem::new(Code::Leak, message).help("use a feature"));
    }
    schema
        .key
        .contains(name)
        .then(|| Problem::new(Code::BadValue, format!("`{name}` is part of the key and says nothing of the entity")))
}

fn not_numeric(column: &Column) -> Option<Problem> {
    if column.dtype.is_numeric() {
        return None;
    }
    let message = format!("`{}` is {}, not a number", column.name, type_name(&column.dtype));
    let problem = Problem::new(Code::WrongColumnType, message);
    Some(match column.dtype {
        DataType::Date | DataType::Datetime(..) => problem.help("make it a number of days with DAYS_SINCE"),
        _ => problem,
    })
}

/// The rows of one snapshot, or of a table without snapshots all, the entity first and then `columns` (each once),
/// sorted by entity.
fn snapshot(table: Table, entity: &str, columns: Vec<&str>, moment: NaiveDate) -> Result<DataFrame, Failure> {
    let mut names = vec![entity];
    for name in columns {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let frame = if has_snapshots(&table.schema) {
        table.frame.filter(col(AS_OF).eq(lit(moment).cast(DataType::Date)))
    } else {
        table.frame
    };
    let frame = frame.select(names.into_iter().map(col).collect::<Vec<_>>());
    Ok(frame.sort([entity], SortMultipleOptions::default()).collect()?)
}
