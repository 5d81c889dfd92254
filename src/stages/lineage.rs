//! Which columns of its inputs each column of an output is made of. An answer may name too much, never too little.

use std::collections::BTreeMap;

use super::contract::InputSchemas;
pub use crate::sql::{Origins, Use};
use crate::table::{AS_OF, TableSchema};

/// What an output is made of. Tables go by the names of what feeds the stage (`segments`, `segments.profiles`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lineage {
    /// By column; one that is made of nothing (the run date) has no origins, but an entry.
    pub fields: BTreeMap<String, Origins>,
    /// What every column is made of that has no entry.
    pub others: Origins,
    /// What decides which rows there are.
    pub rows: Origins,
}

impl Lineage {
    /// What a column is made of.
    pub fn of(&self, column: &str) -> &Origins {
        self.fields.get(column).unwrap_or(&self.others)
    }
}

/// What a stage reads of its inputs.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    /// By port, the columns that it reads beside keys and times; all of a port without an entry.
    pub columns: Vec<(&'static str, Vec<String>)>,
    /// The columns that leave as they entered, and by which port. None: an output's entity and `as_of`, where they are
    /// part of an input's key too.
    pub passed: Option<Vec<(&'static str, String)>>,
}

impl Reads {
    /// Only these columns of one port; `entity` leaves as it entered.
    pub fn only(port: &'static str, columns: impl IntoIterator<Item = String>, entity: Option<String>) -> Reads {
        let columns = columns.into_iter().chain(entity.clone()).collect();
        Reads { columns: vec![(port, columns)], passed: Some(entity.into_iter().map(|name| (port, name)).collect()) }
    }
}

/// The lineage of a stage of which no more is known than what it reads: of all that, in a way that is not told.
pub fn of_reads(reads: &Reads, inputs: &InputSchemas, outputs: &[TableSchema]) -> Vec<Lineage> {
    let (mut others, mut rows) = (Origins::default(), Origins::default());
    for (port, tables) in &inputs.ports {
        let named = reads.columns.iter().find(|(own, _)| own == port).map(|(_, names)| names);
        for (name, table) in tables {
            let read = |column: &&str| named.is_none_or(|names| is_read(column, names, table));
            for column in table.names().into_iter().filter(read) {
                others.add(&Origins::one(name, column, Use::Transformation), Use::Transformation);
                rows.add(&Origins::one(name, column, Use::Influence), Use::Influence);
            }
        }
    }
    let of = |output: &TableSchema| {
        let own = |name: &str| Some((name.to_owned(), passed(name, reads, inputs, output)?));
        let fields = output.names().into_iter().filter_map(own).collect();
        Lineage { fields, others: others.clone(), rows: rows.clone() }
    };
    outputs.iter().map(of).collect()
}

fn is_read(column: &str, named: &[String], table: &TableSchema) -> bool {
    let own = table.key.iter().chain(&table.event_time).map(String::as_str).chain([AS_OF]);
    own.chain(named.iter().map(String::as_str)).any(|name| name == column)
}

/// What a column is made of that leaves as it entered. A moment that no input has is that of the run.
fn passed(name: &str, reads: &Reads, inputs: &InputSchemas, output: &TableSchema) -> Option<Origins> {
    let is_key = |table: &TableSchema| table.key.iter().any(|key| key == name);
    let is_entity = output.key.first().is_some_and(|entity| entity == name);
    // Where one input has it as its key, it may come from any that has it.
    let may_pass = (is_entity || name == AS_OF) && inputs.ports.values().flatten().any(|(_, table)| is_key(table));
    let mut origins = Origins::default();
    for (port, tables) in &inputs.ports {
        let passes = match &reads.passed {
            Some(passed) => passed.iter().any(|(own, column)| own == port && column == name),
            None => may_pass,
        };
        for (table, _) in tables.iter().filter(|(_, table)| passes && table.column(name).is_some()) {
            origins.add(&Origins::one(table, name, Use::Identity), Use::Identity);
        }
    }
    (name == AS_OF || !origins.is_empty()).then_some(origins)
}

#[cfg(test)]
mod tests {
    use polars::prelude::DataType;

    use super::*;
    use crate::table::Column;

    fn table(columns: &[&str], key: &[&str]) -> TableSchema {
        let columns = columns.iter().map(|name| Column::new(*name, DataType::Int64)).collect();
        TableSchema { columns, key: key.iter().map(|name| (*name).to_owned()).collect(), ..TableSchema::default() }
    }

    fn inputs() -> InputSchemas {
        let features = table(&["customer", AS_OF, "spend", "orders"], &["customer", AS_OF]);
        InputSchemas { ports: BTreeMap::from([("features".to_owned(), vec![("shop".to_owned(), features)])]) }
    }

    fn names(origins: &Origins) -> Vec<String> {
        origins.iter().map(|(table, column, uses)| format!("{table}.{column} {uses:?}")).collect()
    }

    #[test]
    fn a_stage_that_says_nothing_may_use_everything() {
        let outputs = [table(&["customer", AS_OF, "score"], &["customer", AS_OF]), table(&["score", "n"], &["score"])];
        let found = of_reads(&Reads::default(), &inputs(), &outputs);
        assert_eq!(names(found[0].of("customer")), ["shop.customer {Identity}"]);
        assert_eq!(names(found[0].of(AS_OF)), [format!("shop.{AS_OF} {{Identity}}")]);
        assert_eq!(found[0].of("score").len(), 4);
        assert_eq!(found[1].of("score"), &found[1].others, "a key that no input has is computed");
        assert_eq!(found[0].rows.len(), 4);
    }

    #[test]
    fn a_stage_may_say_what_it_reads() {
        let reads = Reads::only("features", ["spend".to_owned()], Some("customer".to_owned()));
        let output = table(&["customer", AS_OF, "score"], &["customer", AS_OF]);
        let found = &of_reads(&reads, &inputs(), &[output])[0];
        assert_eq!(names(found.of("customer")), ["shop.customer {Identity}"]);
        assert!(found.of(AS_OF).is_empty(), "it is the run's");
        let wanted = ["shop.as_of {Transformation}", "shop.customer {Transformation}", "shop.spend {Transformation}"];
        assert_eq!(names(found.of("score")), wanted);
    }
}
