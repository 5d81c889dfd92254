//! What the columns of a query are made of.

use crate::sql;
use crate::stages::contract::InputSchemas;
use crate::stages::lineage::{self, Lineage, Origins, Reads};
use crate::table::TableSchema;

/// What the text says; where it does not say it, all of all inputs.
pub fn of(query: &str, inputs: &InputSchemas, outputs: &[TableSchema]) -> Vec<Lineage> {
    let first = |port: &str| inputs.ports.get(port).and_then(|tables| tables.first());
    let ports = inputs.ports.keys().map(String::as_str);
    let columns: Vec<(&str, Vec<&str>)> = ports.filter_map(|port| Some((port, first(port)?.1.names()))).collect();
    // A column that is called like one of an input may be another.
    let reads = Reads { passed: Some(vec![]), ..Reads::default() };
    let mut all = lineage::of_reads(&reads, inputs, outputs);
    all.iter_mut().for_each(|lineage| lineage.fields.clear());
    let Some(made) = sql::query(query).ok().and_then(|tree| sql::origins(&tree, &columns)) else { return all };
    let named = |port: &str| first(port).map_or_else(|| port.to_owned(), |(name, _)| name.clone());
    let told = |origins: &Origins| origins.renamed(named);
    for lineage in &mut all {
        lineage.fields = made.columns.iter().map(|(name, origins)| (name.clone(), told(origins))).collect();
        lineage.rows = told(&made.rows);
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::NaiveDate;
    use polars::prelude::{AnyValue, DataFrame, IntoColumn, IntoLazy, NamedFrom, Series};

    use crate::stages::contract::{Cancel, InputSchemas, Inputs, NamedTable, Stage, StageContext};
    use crate::stages::prepare::sql::Sql;
    use crate::table::{Column, Table, TableSchema};

    type Tables = Vec<(&'static str, Vec<(&'static str, Vec<i64>)>)>;

    fn tables() -> Tables {
        let of = |step: i64, modulo: i64| (0..24).map(|row| (row * step + row / 5) % modulo).collect::<Vec<i64>>();
        vec![
            ("t", vec![("id", of(5, 9)), ("quantity", of(7, 11)), ("price", of(3, 13)), ("at", of(11, 17))]),
            (
                "u",
                vec![
                    ("k", (0..9).collect()),
                    ("person", vec![4, 1, 8, 1, 5, 9, 2, 6, 5]),
                    ("id", of(2, 9)[..9].to_vec()),
                ],
            ),
        ]
    }

    fn schema(columns: &[(&str, Vec<i64>)]) -> TableSchema {
        let columns = columns.iter().map(|(name, _)| Column::new(*name, polars::prelude::DataType::Int64));
        TableSchema { columns: columns.collect(), ..TableSchema::default() }
    }

    fn stage(query: &str) -> Sql {
        serde_json::from_value(serde_json::json!({ "query": query })).unwrap()
    }

    /// The values of each column, in an order of their own.
    fn gives(query: &str, tables: &Tables) -> BTreeMap<String, Vec<String>> {
        let table = |columns: &Vec<(&'static str, Vec<i64>)>| {
            let series = columns.iter().map(|(name, values)| Series::new((*name).into(), values).into_column());
            let frame = DataFrame::new_infer_height(series.collect()).unwrap().lazy();
            Table { frame, schema: schema(columns), watermark: None }
        };
        let port = |(name, columns): &(&str, Vec<_>)| {
            ((*name).to_owned(), vec![NamedTable { name: (*name).to_owned(), table: table(columns) }])
        };
        let inputs = Inputs { ports: tables.iter().map(port).collect(), ..Inputs::default() };
        let run_date = NaiveDate::from_ymd_opt(2024, 6, 1).unwrap();
        let context = StageContext { run_date, seed: 1, threads: 1, cancel: Cancel::default() };
        let frame = stage(query).run(inputs, &context).unwrap().tables.remove(0).collect().unwrap();
        let values = |column: &polars::prelude::Column| {
            let cells = (0..column.len()).map(|row| column.get(row).unwrap_or(AnyValue::Null).to_string());
            let mut cells: Vec<String> = cells.collect();
            cells.sort_unstable();
            (column.name().to_string(), cells)
        };
        frame.columns().iter().map(values).collect()
    }

    /// Whatever changes when a column does, is said to be made of it or to be decided by it.
    #[test]
    fn nothing_depends_on_more_than_is_told() {
        let queries = [
            "SELECT id, quantity * price AS amount FROM t WHERE at > 4",
            "SELECT id, SUM(price) AS total, COUNT(*) AS n FROM t GROUP BY id HAVING MAX(quantity) > 6",
            "SELECT id, SUM(CASE WHEN quantity > 5 THEN price ELSE 0 END) AS much FROM t GROUP BY id",
            "SELECT price, ROW_NUMBER() OVER (PARTITION BY id ORDER BY at, price) AS n FROM t",
            "SELECT t.price, u.person FROM t JOIN u ON t.id = u.k",
            "SELECT t.price, u.person FROM t LEFT JOIN u ON t.id = u.k AND u.person > 3",
            "SELECT quantity FROM t SEMI JOIN u ON t.id = u.id",
            "SELECT * FROM t JOIN u ON t.id = u.k WHERE u.person > 2",
            "SELECT t.*, u.person + 1 AS next FROM t JOIN u USING (id)",
            "WITH x AS (SELECT id AS who, MAX(at) AS last FROM t WHERE quantity > 2 GROUP BY id), \
             y AS (SELECT k, person FROM u WHERE id > 1) \
             SELECT person, last * 2 AS twice FROM x JOIN y ON x.who = y.k",
            "SELECT id, price FROM t UNION ALL SELECT person, k FROM u",
            "SELECT id FROM t UNION SELECT person FROM u",
            "SELECT DISTINCT quantity FROM t",
            "SELECT price FROM t ORDER BY quantity LIMIT 5",
            "SELECT price, at FROM (SELECT price, at, id FROM t WHERE quantity > 3) AS x WHERE id > 2",
            "SELECT SUM(price) FILTER (WHERE quantity > 4) AS s, COUNT(DISTINCT id) AS ids FROM t",
        ];
        for query in queries {
            let before = tables();
            let inputs = InputSchemas {
                ports: before
                    .iter()
                    .map(|(name, own)| ((*name).to_owned(), vec![((*name).to_owned(), schema(own))]))
                    .collect(),
            };
            let first = gives(query, &before);
            let outputs =
                stage(query).schemas(&inputs, NaiveDate::MIN).unwrap_or_else(|found| panic!("{query}: {found:?}"));
            let lineage = stage(query).lineage(&inputs, &outputs).remove(0);
            for (table, place, name) in before.iter().enumerate().flat_map(|(table, (_, columns))| {
                columns.iter().enumerate().map(move |(place, (name, _))| (table, place, *name))
            }) {
                let mut changed = tables();
                for (row, value) in changed[table].1[place].1.iter_mut().enumerate() {
                    *value = (*value * 3 + row as i64 * row as i64) % 10;
                }
                let after = gives(query, &changed);
                for (column, values) in &first {
                    let told = |origins: &crate::stages::lineage::Origins| {
                        origins.iter().any(|(own, field, _)| own == before[table].0 && field == name)
                    };
                    if after[column] != *values {
                        let is_told = told(lineage.of(column)) || told(&lineage.rows);
                        assert!(is_told, "{query}: `{column}` depends on {}.{name}", before[table].0);
                    }
                }
            }
        }
    }
}
