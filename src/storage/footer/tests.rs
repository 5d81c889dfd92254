use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow::datatypes::TimeUnit;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::*;
use crate::storage::{Format, sources};

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, properties: WriterProperties) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn two_row_groups() -> WriterProperties {
    WriterProperties::builder().set_max_row_group_row_count(Some(2)).build()
}

async fn footer(path: &Path) -> Result<Footer, StorageError> {
    let location = Location::parse(path.to_str().unwrap(), Path::new("/"))?;
    let files = sources::list(&location, &Format::Parquet).await?;
    Ok(read_all(&files).await?.remove(0))
}

#[tokio::test]
async fn schema_and_rows_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("Käufe 1.parquet");
    let nanoseconds = vec![Some(5_000), None, Some(1_999), Some(-1), None];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5]))),
        ("at", Arc::new(TimestampNanosecondArray::from(nanoseconds))),
        ("name", Arc::new(StringArray::from(vec![Some("a"), None, None, None, None]))),
    ];
    write(&path, columns, two_row_groups());
    let footer = footer(&path).await.unwrap();
    assert_eq!(footer.rows, Some(5));
    assert_eq!(footer.size, fs::metadata(&path).unwrap().len());
    let names: Vec<_> = footer.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "at", "name"]);
    assert_eq!(footer.columns[1].data_type, Some(DataType::Timestamp(TimeUnit::Nanosecond, None)));
    assert_eq!(footer.columns.iter().map(|c| c.nullable).collect::<Vec<_>>(), [false, true, true]);
}

#[tokio::test]
async fn statistics_tell_what_is_before_a_moment() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("times.parquet");
    let nanoseconds = vec![Some(5_999), None, Some(7_000), Some(9_001), None, None];
    let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(nanoseconds));
    write(&path, vec![("at", times)], two_row_groups());
    let footers = [footer(&path).await.unwrap()];
    let seen = |moment| seen_before(&footers, "at", moment);
    assert_eq!(seen(6), Some((Seen { before: 1, without: 3, newest_us: Some(5) }, vec![])));
    assert_eq!(seen(10), Some((Seen { before: 3, without: 3, newest_us: Some(9) }, vec![])));
    assert_eq!(seen(5), Some((Seen { before: 0, without: 3, newest_us: None }, vec![])));
    // Within the second row group.
    let divided = Divided { file: 0, offset: 2, rows: 2 };
    assert_eq!(seen(8), Some((Seen { before: 1, without: 3, newest_us: Some(5) }, vec![divided])));
    assert_eq!(seen_before(&footers, "on", 10), None);

    let bare = dir.path().join("bare.parquet");
    let properties = WriterProperties::builder().set_statistics_enabled(EnabledStatistics::None).build();
    write(&bare, vec![("at", Arc::new(TimestampNanosecondArray::from(vec![5_999])))], properties);
    assert_eq!(seen_before(&[footer(&bare).await.unwrap()], "at", 10), None, "there are no statistics");
}

#[tokio::test]
async fn a_footer_larger_than_the_first_read_is_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wide.parquet");
    let names: Vec<String> = (0..2_000).map(|n| format!("a_rather_long_column_name_{n}")).collect();
    let column: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let columns = names.iter().map(|name| (name.as_str(), Arc::clone(&column))).collect();
    write(&path, columns, two_row_groups());
    assert!(fs::metadata(&path).unwrap().len() > 2 * TAIL_BYTES);
    assert_eq!(footer(&path).await.unwrap().columns.len(), 2_000);
}

#[tokio::test]
async fn what_is_not_whole_is_corrupt_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let column: ArrayRef = Arc::new(Int32Array::from((0..50_000).collect::<Vec<_>>()));
    write(&path, vec![("id", column)], WriterProperties::default());
    let whole = fs::read(&path).unwrap();
    let cut = whole.len() - 20;
    let without_data = &whole[whole.len() - 2_000..];
    let mut wrong_length = whole.clone();
    wrong_length[whole.len() - 8..whole.len() - 4].copy_from_slice(&u32::MAX.to_le_bytes());
    for bytes in [&b""[..], b"PAR1", b"hello, this is not Parquet", &whole[..cut], without_data, &wrong_length] {
        fs::write(&path, bytes).unwrap();
        let error = footer(&path).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{error}");
        assert!(error.to_string().contains("x.parquet"), "{error}");
    }
}

/// Flipped bits may go unseen, but never end the process.
#[tokio::test]
async fn a_flipped_footer_never_panics_through() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let column: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    write(&path, vec![("id", column)], two_row_groups());
    let whole = fs::read(&path).unwrap();
    for index in (0..whole.len()).rev().take(300) {
        let mut bytes = whole.clone();
        bytes[index] ^= 0xff;
        fs::write(&path, bytes).unwrap();
        if let Err(error) = footer(&path).await {
            assert_eq!(error.kind(), Kind::Corrupt, "{error}");
        }
    }
}
