use super::*;
use crate::stages::contract::Cancel;
use crate::table::Class;
use crate::table::Table;
use polars::df;
use polars::prelude::DataFrame;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn stage() -> Scores {
    Scores { entity: "customer_id".into() }
}

fn schema(columns: Vec<Column>, key: &[&str]) -> TableSchema {
    let key = key.iter().map(|name| (*name).to_owned()).collect();
    TableSchema { columns, key, ..TableSchema::default() }
}

fn id(dtype: DataType) -> Column {
    Column::new("customer_id", dtype).class(Class::DirectId)
}

fn int(name: &str) -> Column {
    Column::new(name, DataType::Int64)
}

struct Given {
    name: &'static str,
    frame: DataFrame,
    schema: TableSchema,
}

/// Three customers at the run date (one of them twice in the past, one unnamed).
fn customers() -> Given {
    let days = ["2011-12-10", "2011-11-10", "2011-12-10", "2011-12-10", "2011-12-10", "2011-11-10"].map(date);
    let frame = df! {"customer_id" => [Some(3_i32), Some(3), Some(1), Some(2), None, Some(9)], AS_OF => days}.unwrap();
    let columns = vec![id(DataType::Int32), Column::new(AS_OF, DataType::Date)];
    let mut schema = schema(columns, &["customer_id", AS_OF]);
    schema.snapshots = vec![date("2011-11-10"), date("2011-12-10")];
    Given { name: "customers", frame, schema }
}

/// Knows customers 1 and 3, and one that is not asked for.
fn rfm() -> Given {
    let frame = df! {"customer_id" => [1_i64, 3, 8], "total" => [15_i64, 9, 3]}.unwrap();
    Given {
        name: "rfm",
        frame,
        schema: schema(vec![id(DataType::Int64), int("total").class(Class::Sensitive)], &["customer_id"]),
    }
}

/// A port of another stage, with snapshots.
fn states() -> Given {
    let days = ["2011-12-10", "2011-11-10", "2011-12-10"].map(date);
    let frame = df! {AS_OF => days, "customer_id" => [2_i64, 2, 1], "orders" => [7_i64, 6, 5]}.unwrap();
    let columns = vec![Column::new(AS_OF, DataType::Date), id(DataType::Int64), int("orders")];
    Given { name: "history.states", frame, schema: schema(columns, &["customer_id", AS_OF]) }
}

fn ports(entities: &Given, tables: &[Given]) -> InputSchemas {
    let named = |given: &Given| (given.name.to_owned(), given.schema.clone());
    InputSchemas {
        ports: [(ENTITIES.to_owned(), vec![named(entities)]), (TABLES.to_owned(), tables.iter().map(named).collect())]
            .into(),
    }
}

fn run(entities: Given, tables: Vec<Given>) -> Result<DataFrame, Failure> {
    let named = |given: Given| NamedTable {
        name: given.name.to_owned(),
        table: Table { frame: given.frame.lazy(), schema: given.schema, watermark: None },
    };
    let tables = tables.into_iter().map(named).collect();
    let inputs = Inputs {
        ports: [(ENTITIES.into(), vec![named(entities)]), (TABLES.into(), tables)].into(),
        ..Inputs::default()
    };
    let context = StageContext { run_date: date("2011-12-10"), seed: 1, threads: 1, cancel: Cancel::default() };
    Ok(stage().run(inputs, &context)?.tables.remove(0).collect()?)
}

#[test]
fn one_row_per_entity_of_the_run_date() {
    let expected = df! {
        "customer_id" => [1_i64, 2, 3],
        "rfm_total" => [Some(15_i64), None, Some(9)],
        "history_states_orders" => [Some(5_i64), Some(7), None],
    };
    let found = run(customers(), vec![rfm(), states()]).unwrap();
    assert!(found.equals_missing(&expected.unwrap()), "{found:?}");
}

#[test]
fn any_table_with_the_column_gives_the_entities() {
    let frame = df! {"order_id" => ["a", "b", "c"], "customer_id" => [Some(3_i64), None, Some(3)]}.unwrap();
    let columns = vec![Column::new("order_id", DataType::String), id(DataType::Int64)];
    let found = run(Given { name: "sales", frame, schema: schema(columns, &["order_id"]) }, vec![rfm()]).unwrap();
    assert!(found.equals(&df! {"customer_id" => [3_i64], "rfm_total" => [9_i64]}.unwrap()), "{found:?}");
}

#[test]
fn the_schema_is_what_run_gives() {
    let tables = || vec![rfm(), states()];
    let declared = stage().schemas(&ports(&customers(), &tables()), date("2011-12-10")).unwrap().remove(0);
    assert_eq!(declared.to_polars(), **run(customers(), tables()).unwrap().schema());
    assert_eq!(declared.key, ["customer_id"]);
    let classes: Vec<Class> = declared.columns.iter().map(|column| column.class).collect();
    assert_eq!(classes, [Class::DirectId, Class::Sensitive, Class::Behavioral]);
    assert!(declared.snapshots.is_empty());
}

#[test]
fn several_rows_of_one_entity_fail_without_naming_it() {
    let twice = Given { frame: df! {"customer_id" => [4711_i64, 4711, 2], "total" => [1_i64, 2, 3]}.unwrap(), ..rfm() };
    let told = run(customers(), vec![twice]).unwrap_err().to_string();
    assert_eq!(told, "`rfm` has 3 rows for 2 different `customer_id`; it needs one row each");
}

#[test]
fn every_table_that_cannot_be_joined_is_told_at_once() {
    let named = |name, schema| Given { name, frame: DataFrame::empty(), schema };
    let total = || int("total");
    let mut old = schema(vec![id(DataType::Int64), Column::new(AS_OF, DataType::Date)], &["customer_id", AS_OF]);
    old.snapshots = vec![date("2011-11-10")];
    let tables = [
        rfm(),
        named("lines", schema(vec![id(DataType::Int64), int("line")], &["customer_id", "line"])),
        named("loose", schema(vec![id(DataType::Int64)], &[])),
        named("products", schema(vec![Column::new("customer_ids", DataType::String)], &["customer_ids"])),
        named("texts", schema(vec![id(DataType::String)], &["customer_id"])),
        named("old", old),
        rfm(),
        named("rfm_total", schema(vec![id(DataType::Int64), total()], &["customer_id"])),
        named("rfm", schema(vec![id(DataType::Int64), int("total_total")], &["customer_id"])),
    ];
    let problems = stage().schemas(&ports(&customers(), &tables), date("2011-12-10")).unwrap_err();
    let found: Vec<(Code, Step)> =
        problems.iter().map(|problem| (problem.code, problem.place.path[2].clone())).collect();
    let expected = [
        (Code::BadValue, 1),
        (Code::BadValue, 2),
        (Code::UnknownColumn, 3),
        (Code::WrongColumnType, 4),
        (Code::NoSnapshots, 5),
        (Code::DuplicateId, 6),
        (Code::DuplicateId, 8),
    ];
    assert_eq!(found, expected.map(|(code, index)| (code, Step::Index(index))));
    assert_eq!(problems[1].help.as_deref(), Some("if it has one each, say so where it is made: `key: [customer_id]`"));
    assert_eq!(problems[6].message, "`rfm_total` and `rfm` both give the column `rfm_total_total`");
}

#[test]
fn the_entity_must_be_a_column_of_the_entities() {
    let wrong = Scores { entity: "customer".into() };
    let problems = wrong.schemas(&ports(&customers(), &[]), date("2011-12-10")).unwrap_err();
    assert_eq!(problems[0].place.path, ["with", "entity"].map(Step::from));
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `customer_id`?"));
    let late = stage().schemas(&ports(&customers(), &[]), date("2012-01-10")).unwrap_err();
    assert_eq!((late[0].code, late.len()), (Code::NoSnapshots, 1));
}
