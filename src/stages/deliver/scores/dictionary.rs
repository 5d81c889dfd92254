//! What each column of the scores holds, as a table.

use polars::prelude::{DataFrame, DataType, IntoColumn, NamedFrom, Series};

use crate::stages::contract::Failure;
use crate::table::{Column, TableSchema, type_name};

const COLUMNS: [(&str, &str); 5] = [
    ("column", "name of the column"),
    ("type", "its type"),
    ("class", "its privacy class"),
    ("stage", "the stage, or stage and port, that gives it"),
    ("description", "what it holds"),
];

pub fn schema() -> TableSchema {
    let columns = COLUMNS.map(|(name, described)| Column::new(name, DataType::String).described(described));
    // Without a key: its rows are no entities that a run is compared by with another.
    TableSchema { columns: columns.to_vec(), fixed: true, ..TableSchema::default() }
}

/// The rows, in the order of the columns.
pub struct Words(Vec<[String; 5]>);

impl Words {
    /// Begins with the entity.
    pub fn new(entity: Option<&Column>) -> Words {
        let mut words = Words(vec![]);
        if let Some(entity) = entity {
            let described = if entity.description.is_empty() { "what a row is of" } else { &entity.description };
            words.push("", entity, &entity.name, described.to_owned());
        }
        words
    }

    /// A column of a stage, under the name that it has here.
    pub fn add(&mut self, stage: &str, column: &Column, renamed: &str) {
        let described = match column.description.as_str() {
            // Of a query that computes it, only its name is known.
            "" => format!("`{}` of `{stage}`", column.name),
            described => described.to_owned(),
        };
        self.push(stage, column, renamed, described);
    }

    fn push(&mut self, stage: &str, column: &Column, name: &str, described: String) {
        let class = column.class.to_string();
        self.0.push([name.to_owned(), type_name(&column.dtype), class, stage.to_owned(), described]);
    }

    pub fn frame(mut self) -> Result<DataFrame, Failure> {
        self.0.sort();
        let column = |(place, (name, _)): (usize, &(&str, &str))| {
            let cells: Vec<&str> = self.0.iter().filter_map(|row| row.get(place)).map(String::as_str).collect();
            Series::new((*name).into(), cells).into_column()
        };
        Ok(DataFrame::new_infer_height(COLUMNS.iter().enumerate().map(column).collect())?)
    }
}
