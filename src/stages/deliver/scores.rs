//! One row per entity with what every stage says of it.

mod dictionary;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use polars::prelude::{
    DataType, Expr, IntoLazy, JoinArgs, JoinType, LazyFrame, SortMultipleOptions, UniqueKeepStrategy, col,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::problem::{Code, Problem, Step};
use crate::stages::contract::{
    Failure, InputPort, InputSchemas, Inputs, NamedTable, Outputs, Stage, StageConfig, StageContext,
};
use crate::stages::lineage::{Lineage, Origins, Use};
use crate::stages::ports::{has_snapshots, lacks_snapshot, no_snapshot, of_run_date};
use crate::table::{AS_OF, Column, TableSchema, type_name};

/// Joins the answers of other stages: one row per entity, one column per answer.
///
/// The entities are the distinct values of the column `entity` in the table `entities`, nulls left
/// out; of a table of snapshots only the one of the run date counts, as for every table here. Each
/// of `tables` must have at most one row per entity: its key is the entity, or the entity and
/// `as_of`. Its columns are named `<stage>_<column>`, those of a further port
/// `<stage>_<port>_<column>`. Where a table lacks an entity, its columns are null; entities that only a
/// table knows are left out.
///
/// The second output, `dictionary`, has a row for each column of the first: its `type`, privacy `class`, the `stage` that
/// gives it, and a `description`. Published data have the same beside them, as `_dictionary.md`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// The column that names the entity in every table, such as `customer_id`.
    entity: String,
}

const ENTITIES: &str = "entities";
const TABLES: &str = "tables";

impl StageConfig for Scores {
    const KIND: &'static str = "scores";
    const FAMILY: &'static str = "deliver";
}

impl Stage for Scores {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::one(ENTITIES), InputPort::many(TABLES)]
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["scores", "dictionary"]
    }

    fn schemas(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let entities = inputs.one(ENTITIES)?;
        let entity = self.entity_of(entities)?;
        let mut problems = Vec::new();
        problems.extend(no_snapshot(entities, ENTITIES, run_date));
        let mut owners: BTreeMap<String, &str> = BTreeMap::from([(self.entity.clone(), ENTITIES)]);
        let mut columns = vec![entity.clone()];
        for (index, (name, table)) in inputs.many(TABLES).iter().enumerate() {
            let mut found = self.table_problems(name, table, &entity, run_date);
            for (column, renamed) in self.renamed(name, table) {
                if let Some(owner) = owners.insert(renamed.clone(), name) {
                    let message = format!("`{owner}` and `{name}` both give the column `{renamed}`");
                    found.push(Problem::new(Code::DuplicateId, message).help("rename a stage"));
                }
                columns.push(Column { name: renamed, ..column.clone() });
            }
            let place = || [Step::from("inputs"), Step::from(TABLES), Step::from(index)];
            problems.extend(found.into_iter().map(|problem| problem.at(place())));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let scores = TableSchema { columns, key: vec![self.entity.clone()], ..TableSchema::default() };
        Ok(vec![scores, dictionary::schema()])
    }

    fn lineage(&self, inputs: &InputSchemas, _: &[TableSchema]) -> Vec<Lineage> {
        let mut scores = Lineage::default();
        let entities = inputs.many(ENTITIES);
        for (name, table) in entities.iter().chain(inputs.many(TABLES)) {
            let decides = [(self.entity.as_str(), Use::Join), (AS_OF, Use::Filter)];
            for (column, used) in decides.into_iter().filter(|(column, _)| table.column(column).is_some()) {
                scores.rows.add(&Origins::one(name, column, used), used);
            }
        }
        for (name, _) in entities {
            scores.fields.insert(self.entity.clone(), Origins::one(name, &self.entity, Use::Identity));
        }
        for (name, table) in inputs.many(TABLES) {
            let own = |(column, renamed): (&Column, String)| (renamed, Origins::one(name, &column.name, Use::Identity));
            scores.fields.extend(self.renamed(name, table).into_iter().map(own));
        }
        // The dictionary is about columns, and no row went into it.
        vec![scores, Lineage::default()]
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let entities = inputs.one(ENTITIES)?;
        let key = || col(self.entity.as_str());
        let entity = self.key(&entities.schema);
        let mut words = dictionary::Words::new(entities.schema.column(&self.entity));
        let rows = of_run_date(entities, context.run_date);
        let mut joined = rows.select([entity]).filter(key().is_not_null()).unique(None, UniqueKeepStrategy::Any);
        let mut order = vec![key()];
        for named in inputs.many(TABLES) {
            context.cancel.check()?;
            let renamed = self.renamed(&named.name, &named.table.schema);
            order.extend(renamed.iter().map(|(_, name)| col(name.as_str())));
            renamed.iter().for_each(|(column, renamed)| words.add(&named.name, column, renamed));
            let answers = self.answers(named, context.run_date)?;
            joined = joined.join(answers, [key()], [key()], JoinArgs::new(JoinType::Left));
        }
        let sorted = joined.sort([self.entity.as_str()], SortMultipleOptions::default());
        Ok(Outputs { tables: vec![sorted.select(order), words.frame()?.lazy()], ..Outputs::default() })
    }
}

impl Scores {
    /// The entity as the output has it.
    fn entity_of(&self, entities: &TableSchema) -> Result<Column, Vec<Problem>> {
        let Some(column) = entities.column(&self.entity) else {
            let message = format!("the table at `{ENTITIES}` has no column `{}`", self.entity);
            let problem = Problem::new(Code::UnknownColumn, message).nearest(&self.entity, entities.names());
            return Err(vec![problem.at(["with", "entity"])]);
        };
        if !(column.dtype.is_integer() || matches!(column.dtype, DataType::String | DataType::Date)) {
            let found = type_name(&column.dtype);
            let message = format!("`{}` is {found}; an entity is a whole number or text", self.entity);
            return Err(vec![Problem::new(Code::WrongColumnType, message).at(["with", "entity"])]);
        }
        Ok(Column { dtype: wide(&column.dtype), ..column.clone() })
    }

    /// What keeps a table from being joined.
    fn table_problems(&self, name: &str, table: &TableSchema, entity: &Column, run_date: NaiveDate) -> Vec<Problem> {
        let Some(column) = table.column(&self.entity) else {
            let message = format!("`{name}` has no column `{}`", self.entity);
            return vec![Problem::new(Code::UnknownColumn, message).nearest(&self.entity, table.names())];
        };
        let mut problems = Vec::new();
        if entity.dtype != wide(&column.dtype) {
            let (found, expected) = (type_name(&column.dtype), type_name(&entity.dtype));
            let message =
                format!("`{}` is {found} in `{name}` and {expected} in the table at `{ENTITIES}`", self.entity);
            problems.push(Problem::new(Code::WrongColumnType, message));
        }
        let keyed: Vec<&str> = table.key.iter().map(String::as_str).filter(|name| *name != AS_OF).collect();
        if keyed != [self.entity.as_str()] {
            let found =
                if table.key.is_empty() { "nothing".to_owned() } else { format!("`{}`", table.key.join("`, `")) };
            let message = format!("`{name}` is keyed by {found}, so it may have several rows per `{}`", self.entity);
            let problem = Problem::new(Code::BadValue, message);
            let help = format!("if it has one each, say so where it is made: `key: [{}]`", self.entity);
            problems.push(if table.key.is_empty() { problem.help(help) } else { problem });
        }
        if lacks_snapshot(table, run_date) {
            problems.push(Problem::new(Code::NoSnapshots, format!("`{name}` has no snapshot of the run date")));
        }
        problems
    }

    /// The columns that a table gives, with their names in the output.
    fn renamed<'a>(&self, name: &str, table: &'a TableSchema) -> Vec<(&'a Column, String)> {
        let prefix = name.replace('.', "_");
        let is_key = |column: &Column| column.name == self.entity || (has_snapshots(table) && column.name == AS_OF);
        let given = table.columns.iter().filter(|column| !is_key(column));
        given.map(|column| (column, format!("{prefix}_{}", column.name))).collect()
    }

    /// The entity and the renamed columns; refuses several rows of one entity.
    fn answers(&self, named: NamedTable, run_date: NaiveDate) -> Result<LazyFrame, Failure> {
        let NamedTable { name, table } = named;
        let renamed = self.renamed(&name, &table.schema);
        let columns = renamed.into_iter().map(|(column, renamed)| col(column.name.as_str()).alias(renamed));
        let columns: Vec<Expr> = std::iter::once(self.key(&table.schema)).chain(columns).collect();
        let rows = of_run_date(table, run_date).select(columns);
        let answers = rows.filter(col(self.entity.as_str()).is_not_null()).collect()?;
        let entities = answers.column(&self.entity)?.n_unique()?;
        if entities < answers.height() {
            let rows = answers.height();
            let message =
                format!("`{name}` has {rows} rows for {entities} different `{}`; it needs one row each", self.entity);
            return Err(Failure::data(message));
        }
        Ok(answers.lazy())
    }

    /// The entity; whole numbers of different widths name the same one.
    fn key(&self, table: &TableSchema) -> Expr {
        let entity = col(self.entity.as_str());
        let integer = table.column(&self.entity).is_some_and(|column| column.dtype.is_integer());
        if integer { entity.strict_cast(DataType::Int64) } else { entity }
    }
}

fn wide(dtype: &DataType) -> DataType {
    if dtype.is_integer() { DataType::Int64 } else { dtype.clone() }
}
