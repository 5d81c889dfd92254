use std::ops::ControlFlow;
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use polars::prelude::{AnyValue, DataFrame};

use super::*;
use crate::storage::{Csv, Kind, Location};
use crate::table::{Column, parse_type};

fn schema(columns: &[(&str, &str)]) -> TableSchema {
    let columns = columns.iter().map(|(name, dtype)| Column::new(*name, parse_type(dtype).unwrap())).collect();
    TableSchema { columns, ..TableSchema::default() }
}

fn csv() -> Format {
    Format::Csv(Csv { delimiter: b',', quote: Some(b'"'), names: None, null_values: vec![String::new()] })
}

async fn listed(text: &[u8], format: &Format) -> Vec<SourceFile> {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let name = format!("lake/x{}", format.extensions()[0]);
    store.put(&name.as_str().into(), text.to_vec().into()).await.unwrap();
    sources::list(&Location::within(store, "lake", "s3://bucket/lake"), format).await.unwrap()
}

async fn read_before(
    text: &[u8],
    format: &Format,
    schema: &TableSchema,
    before: Option<(&str, i64)>,
) -> Result<(DataFrame, Found), StorageError> {
    let files = listed(text, format).await;
    let heads = heads(&files, format).await?;
    let texts = Texts { files: &files, heads: &heads, format, schema, before };
    let mut all = DataFrame::empty_with_schema(&schema.to_polars());
    let mut found = texts
        .read(|piece| {
            all.vstack_mut_owned(piece).unwrap();
            Ok::<_, Failure>(ControlFlow::Continue(()))
        })
        .await
        .map_err(|Failure(error)| error)?;
    Ok((all, found.remove(0)))
}

async fn read(text: &str, format: &Format, schema: &TableSchema) -> (DataFrame, Found) {
    read_before(text.as_bytes(), format, schema, None).await.unwrap()
}

/// What reading fails with.
#[derive(Debug)]
struct Failure(StorageError);

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Failure {
        Failure(error)
    }
}

impl From<PolarsError> for Failure {
    fn from(error: PolarsError) -> Failure {
        Failure(StorageError::new(Kind::Other, "read", "x", error))
    }
}

#[tokio::test]
async fn both_formats_give_the_same_columns() {
    let schema = schema(&[
        ("t", "string"),
        ("i", "int8"),
        ("u", "uint64"),
        ("f", "float32"),
        ("d", "decimal(20,4)"),
        ("b", "bool"),
        ("day", "date"),
        ("at", "datetime"),
    ]);
    let rows = "\u{feff}t,at,i,u,f,d,b,day\r\n\
        \"a,\"\"b\"\"\nc\",2024-01-02T01:00:00+01:00,-128,18446744073709551615,1.5,1234567890123456.7891,true,2024-02-29\r\n\
        \r\n\
        \"\",1969-12-31 23:59:59.999999,127,0,-inf,-0.5,no,0001-01-01\r\n\
        ,,,,,,,";
    let objects = r#"{"t":"a,\"b\"\nc","at":"2024-01-02T01:00:00+01:00","i":-128,"u":18446744073709551615,"f":1.5,"d":1234567890123456.7891,"b":true,"day":"2024-02-29"}
{"t":"","at":"1969-12-31 23:59:59.999999","i":"127","u":0,"f":"-inf","d":"-0.5","b":false,"day":"0001-01-01"}

{"t":null}
"#;
    let (of_csv, found) = read(rows, &csv(), &schema).await;
    assert!(!found.is_damaged() && found.unread.iter().all(|count| *count == 0), "{found:?}");
    let (of_objects, found) = read(objects, &Format::Ndjson, &schema).await;
    assert!(!found.is_damaged() && found.unread.iter().all(|count| *count == 0), "{found:?}");
    assert_eq!(of_csv.height(), 3);
    assert!(of_csv.equals_missing(&of_objects), "{of_csv} {of_objects}");
    let value = |name: &str, row: usize| of_csv.column(name).unwrap().get(row).unwrap().into_static();
    assert_eq!(value("t", 0), AnyValue::StringOwned("a,\"b\"\nc".into()));
    assert_eq!((value("t", 1), value("t", 2)), (AnyValue::StringOwned("".into()), AnyValue::Null));
    assert_eq!(value("d", 0), AnyValue::Decimal(12_345_678_901_234_567_891, 20, 4));
    assert_eq!(value("at", 0).extract::<i64>(), Some(1_704_153_600_000_000));
    assert_eq!(value("at", 1).extract::<i64>(), Some(-1));
}

#[tokio::test]
async fn lists_are_lists_of_json() {
    let schema = schema(&[("v", "list(float64)")]);
    let (frame, found) = read("{\"v\":[1,null,2.5]}\n{}\n{\"v\":[\"x\"]}\n{\"v\":3}\n", &Format::Ndjson, &schema).await;
    assert_eq!((found.unread, frame.column("v").unwrap().null_count()), (vec![2], 3));
    let first = frame.column("v").unwrap().list().unwrap().get_as_series(0).unwrap();
    assert_eq!(first.f64().unwrap().to_vec(), [Some(1.0), None, Some(2.5)]);
}

#[tokio::test]
async fn what_is_not_of_the_type_is_counted_and_null() {
    let schema = schema(&[("i", "int8"), ("at", "datetime"), ("f", "float64")]);
    let text = "i,at,f\n128,2024-13-01,1e999\n1.0,yesterday,\" 2 \"\n \"1\",2024-01-01,3\n";
    let (frame, found) = read(text, &csv(), &schema).await;
    assert_eq!((found.unread, found.rows, frame.height()), (vec![3, 2, 1], 3, 3));
    assert_eq!(frame.column("f").unwrap().f64().unwrap().to_vec(), [None, Some(2.0), Some(3.0)]);
    // A field of another type is not null for being quoted, but what is nothing is no number either.
    let (_, found) = read("i,at,f\n\"\",\"\",\"\"\n", &csv(), &schema).await;
    assert_eq!(found.unread, [0, 0, 0]);
}

#[tokio::test]
async fn rows_that_are_none_are_counted_by_kind() {
    let text = b"i,t\n1,a\n2\n3,b,c\n\"4\"x,d\n5,\xff\n6,\0\n7,e\n";
    let two = schema(&[("i", "int64"), ("t", "string")]);
    let (frame, found) = read_before(text, &csv(), &two, None).await.unwrap();
    assert_eq!((found.ragged, found.quoting, found.encoding, found.rows), (2, 1, 2, 2));
    assert_eq!(frame.height(), 2);
    let text = b"{\"i\":1,\"t\":\"a\"}\n[1]\n{\"i\":2,\n{\"i\":3,\"z\":1,\"\xff\":1}\n";
    let (_, found) = read_before(text, &Format::Ndjson, &two, None).await.unwrap();
    assert_eq!((found.objects, found.encoding, found.rows, found.extra.len()), (2, 1, 1, 0));
    let (_, found) = read("{\"i\":1,\"z\":{\"a\":[1]}}\n", &Format::Ndjson, &two).await;
    assert_eq!((found.seen, found.extra.into_iter().collect::<Vec<_>>()), (vec![true, false], vec!["z".to_owned()]));
}

#[tokio::test]
async fn later_rows_are_skipped_whatever_is_in_them() {
    let schema = schema(&[("at", "datetime"), ("i", "int64")]);
    let text = b"at,i\n2023-12-31T23:59,1\n2024-01-01,x\n,2\n2025-01-01T00:00:00+23:00,y\n";
    let before = Some(("at", 1_704_067_200_000_000));
    let (frame, found) = read_before(text, &csv(), &schema, before).await.unwrap();
    assert_eq!(found.unread, [0, 0]);
    assert_eq!(frame.column("i").unwrap().i64().unwrap().to_vec(), [Some(1), Some(2)]);
}

/// Records of all lengths, with line breaks in quotes, so that blocks are cut at every place of one.
#[tokio::test]
async fn a_file_of_many_blocks_is_read_as_one() {
    let columns = schema(&[("row", "int64"), ("t", "string")]);
    let field = |row: usize| format!("{}\n\"{}", "ä,".repeat(row % 97), "x".repeat(row % 31));
    let rows = 90_000;
    let mut text = "row,t\n".to_owned();
    for row in 0..rows {
        text.push_str(&format!("{row},\"{}\"\n", field(row).replace('"', "\"\"")));
    }
    assert!(text.len() > 10 << 20);
    let (frame, found) = read(&text, &csv(), &columns).await;
    assert_eq!((found.is_damaged(), found.unread.as_slice(), frame.height()), (false, &[0, 0][..], rows));
    let (numbers, texts) = (frame.column("row").unwrap(), frame.column("t").unwrap());
    assert!(numbers.i64().unwrap().iter().enumerate().all(|(row, number)| number == Some(row as i64)));
    assert!(texts.str().unwrap().iter().enumerate().all(|(row, text)| text == Some(field(row).as_str())));
}

#[tokio::test]
async fn a_quote_that_is_never_closed_does_not_fill_the_memory() {
    let mut text = b"t\n\"".to_vec();
    text.resize(blocks::RECORD_BYTES_MAX + (8 << 20), b'x');
    let error = read_before(&text, &csv(), &schema(&[("t", "string")]), None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    let (_, found) = read("t\na\n\"b\nc\n", &csv(), &schema(&[("t", "string")])).await;
    assert_eq!((found.rows, found.quoting), (1, 1));
}

#[tokio::test]
async fn heads_tell_columns_and_what_is_foreign() {
    let names = |text: &'static [u8], format: Format| async move {
        let files = listed(text, &format).await;
        let heads = heads(&files, &format).await.map_err(|error| error.detail)?;
        Ok(heads[0].columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>())
    };
    let owned = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>());
    assert_eq!(names(b"\xef\xbb\xbfa,\"b c\",a\r\n1,2,3", csv()).await, owned(&["a", "b c", "a"]));
    assert_eq!(names(b"{\"b\":1}\n{\"a\":2,\"b\":3}\n{\"c", Format::Ndjson).await, owned(&["b", "a"]));
    assert_eq!(names(b"", Format::Ndjson).await, owned(&[]));
    let headless = |names: &[&str]| {
        let names = Some(names.iter().map(|name| (*name).to_owned()).collect());
        Format::Csv(Csv { delimiter: b';', quote: Some(b'"'), names, null_values: vec![] })
    };
    assert_eq!(names(b"1;2\n", headless(&["x", "y"])).await, owned(&["x", "y"]));
    let refused: Result<Vec<String>, String> = names(b"1;2\n", headless(&["x"])).await;
    assert_eq!(refused, Err("its first line has 2 fields, but the contract has 1 columns".to_owned()));
    for (text, word) in [
        (&b"PAR1\x00"[..], "Parquet"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\xff\xfea\0", "UTF-16"),
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"\"a", "quoted"),
    ] {
        let error = names(text, csv()).await.unwrap_err();
        assert!(error.contains(word), "{error}");
    }
    assert!(names(b"[{\"a\":1}]", Format::Ndjson).await.is_err());
}
