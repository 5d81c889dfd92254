//! Whether what a footer says can be true. A reader makes room by these numbers, and a number that is wrong enough ends
//! the process where no error can be caught.

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};

/// Bytes that one compressed byte can stand for: a block of 128 KiB takes zstd four bytes at least, and other codecs
/// reach less.
const RATIO_MAX: i64 = 1 << 17;
/// Rows of a row group: a page counts its values with 31 bits, and so do readers.
const GROUP_ROWS_MAX: i64 = i32::MAX as i64;

/// What is wrong with the footer of a file of this size, if anything is.
pub(super) fn complaint(metadata: &ParquetMetaData, size: u64) -> Option<String> {
    let rows: i128 = metadata.row_groups().iter().map(|group| i128::from(group.num_rows())).sum();
    if rows != i128::from(metadata.file_metadata().num_rows()) {
        return Some("its footer tells two numbers of rows".to_owned());
    }
    metadata.row_groups().iter().find_map(|group| in_group(group, size))
}

fn in_group(group: &RowGroupMetaData, size: u64) -> Option<String> {
    let rows = group.num_rows();
    if !(0..=GROUP_ROWS_MAX).contains(&rows) {
        return Some(format!("its footer claims {rows} rows in one row group"));
    }
    group.columns().iter().find_map(|chunk| {
        let name = chunk.column_path().string();
        if ends_at(chunk).is_none_or(|end| end > size) {
            return Some(format!("column `{name}` lies outside the file, which must be truncated"));
        }
        if chunk.column_descr().max_rep_level() == 0 && chunk.num_values() != rows {
            return Some(format!("column `{name}` has another number of values than there are rows"));
        }
        let (packed, unpacked) = (chunk.compressed_size(), chunk.uncompressed_size());
        let possible = unpacked >= 0 && unpacked / RATIO_MAX <= packed;
        (!possible).then(|| format!("column `{name}` claims {unpacked} bytes, compressed into {packed}"))
    })
}

/// A footer can outlive its data, for one in a file put together from parts.
fn ends_at(chunk: &ColumnChunkMetaData) -> Option<u64> {
    let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    let length = u64::try_from(chunk.compressed_size()).ok()?;
    u64::try_from(start).ok()?.checked_add(length)
}
