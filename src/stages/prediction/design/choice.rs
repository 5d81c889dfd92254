//! Which columns of a table of snapshots are features.

use polars::prelude::DataType;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Serialize};

use super::PORT;
use crate::problem::{Code, Problem, Step};
use crate::table::{AS_OF, Column, Role, TableSchema, type_name};

/// Every usable column, or these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub enum Choice {
    #[default]
    All,
    Columns(Vec<String>),
}

/// The two ways to name features.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub enum ChoiceSchema {
    /// Every column that can be one.
    All(AllWord),
    /// These columns.
    Columns(#[schemars(length(min = 1), extend("uniqueItems" = true))] Vec<String>),
}

/// The word for every column that can be a feature.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-expected" = "`all` or a list of columns"))]
#[expect(dead_code, reason = "only its schema is used")]
pub enum AllWord {
    All,
}

impl JsonSchema for Choice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Choice".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        ChoiceSchema::json_schema(generator)
    }
}

impl TryFrom<serde_json::Value> for Choice {
    type Error = serde_json::Error;

    fn try_from(value: serde_json::Value) -> Result<Self, serde_json::Error> {
        match value {
            serde_json::Value::String(word) if word == "all" => Ok(Choice::All),
            serde_json::Value::String(word) => {
                Err(serde_json::Error::custom(format!("`{word}` is neither `all` nor a list of columns")))
            }
            list => serde_json::from_value(list).map(Choice::Columns),
        }
    }
}

impl From<Choice> for serde_json::Value {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::All => "all".into(),
            Choice::Columns(names) => names.into(),
        }
    }
}

/// How the columns of the matrix are scaled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// To mean zero and (population) deviation one over the training rows.
    #[default]
    Standard,
    /// Not at all; a penalty then bears more on columns of small numbers.
    None,
}

impl Choice {
    /// What is wrong with the list itself, whatever the table.
    pub fn check(&self) -> Vec<Problem> {
        let Choice::Columns(names) = self else { return vec![] };
        let mut problems = Vec::new();
        if names.is_empty() {
            problems.push(Problem::new(Code::BadValue, "the list of features is empty").at(["with", "features"]));
        }
        for (index, name) in names.iter().enumerate() {
            if names.iter().take(index).any(|before| before == name) {
                problems.push(Problem::new(Code::BadValue, format!("`{name}` is listed twice")).at(place(index)));
            }
        }
        problems
    }

    /// The features that the table has, in its order for `all`, else in that of the list. Problems
    /// are placed under `with`.
    pub fn columns(&self, schema: &TableSchema, unavailable: &[&str]) -> Result<Vec<String>, Vec<Problem>> {
        let is_available = |name: &&str| !unavailable.contains(name);
        let usable: Vec<&str> = usable(schema).filter(is_available).collect();
        let Choice::Columns(names) = self else {
            if usable.is_empty() {
                let message = format!("no column of the table at `{PORT}` can be a feature");
                let problem =
                    Problem::new(Code::BadValue, message).help("a feature is a number, a truth value or text");
                return Err(vec![problem.at(["with", "features"])]);
            }
            return Ok(usable.into_iter().map(str::to_owned).collect());
        };
        let problem = |(index, name): (usize, &String)| {
            if unavailable.contains(&name.as_str()) {
                let message =
                    format!("`{name}` is what is predicted, what weighs rows, or declared not to be known then");
                return Some(Problem::new(Code::Leak, message).at(place(index)));
            }
            Some(problem(schema, name, &usable)?.at(place(index)))
        };
        let problems: Vec<Problem> = names.iter().enumerate().filter_map(problem).collect();
        if problems.is_empty() { Ok(names.clone()) } else { Err(problems) }
    }
}

fn place(index: usize) -> [Step; 3] {
    ["with".into(), "features".into(), index.into()]
}

/// The names that `all` stands for.
fn usable(schema: &TableSchema) -> impl Iterator<Item = &str> {
    let fits = |column: &&Column| {
        !is_key(schema, &column.name)
            && column.role == Role::Plain
            && !column.class.names_one()
            && is_feature_type(&column.dtype)
    };
    schema.columns.iter().filter(fits).map(|column| column.name.as_str())
}

fn is_key(schema: &TableSchema, name: &str) -> bool {
    name == AS_OF || schema.key.iter().any(|key| key == name)
}

/// Numbers, truth values and text.
fn is_feature_type(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric() || matches!(dtype, DataType::Decimal(..) | DataType::Boolean | DataType::String)
}

/// What keeps a listed column from being a feature.
fn problem(schema: &TableSchema, name: &str, usable: &[&str]) -> Option<Problem> {
    let Some(column) = schema.column(name) else {
        let message = format!("the table at `{PORT}` has no column `{name}`");
        return Some(Problem::new(Code::UnknownColumn, message).nearest(name, usable.iter().copied()));
    };
    if column.role != Role::Plain {
        let message = format!("`{name}` is a label: it looks past the snapshot's moment");
        return Some(Problem::new(Code::Leak, message).help("use features only"));
    }
    if is_key(schema, name) {
        let message = format!("`{name}` is part of the key and says nothing that carries over to another entity");
        return Some(Problem::new(Code::BadValue, message));
    }
    if column.class.names_one() {
        let message =
            format!("`{name}` names a person (class {}), so a model could only learn persons by heart", column.class);
        return Some(Problem::new(Code::BadValue, message));
    }
    if is_feature_type(&column.dtype) {
        return None;
    }
    let message = format!("`{name}` is {}; a feature is a number, a truth value or text", type_name(&column.dtype));
    let problem = Problem::new(Code::WrongColumnType, message);
    Some(match column.dtype {
        DataType::Date | DataType::Datetime(..) => {
            problem.help("list it under `prepare: {dates: …}`, or make it a number of days with DAYS_SINCE")
        }
        _ => problem,
    })
}

/// The entity of a table: the key but for `as_of`; no output column may have its name.
pub fn entity(schema: &TableSchema, outputs: &[&str]) -> Result<Column, Problem> {
    let not_keyed = || {
        let message = format!("the table at `{PORT}` is not keyed by one column, or by one and `{AS_OF}`");
        let help = "feed it the output of a `features` stage, or say where the table is made what identifies a row: `key: […]`";
        Problem::new(Code::NoSnapshots, message).help(help).at(["inputs", PORT])
    };
    if !schema.snapshots.is_empty() && !schema.key.iter().any(|name| name == AS_OF) {
        return Err(not_keyed());
    }
    let keys: Vec<&String> = schema.key.iter().filter(|name| *name != AS_OF).collect();
    let [entity] = keys.as_slice() else { return Err(not_keyed()) };
    let column = schema.column(entity).ok_or_else(not_keyed)?;
    if outputs.contains(&entity.as_str()) {
        let message = format!("`{entity}` names the entity, and an output column has the same name");
        return Err(Problem::new(Code::DuplicateId, message).at(["inputs", PORT]));
    }
    Ok(column.clone())
}
