//! The neighbor lists of an item-based model as a Parquet file: item, neighbor, similarity.

use std::collections::HashMap;
use std::io::Cursor;

use polars::prelude::{DataFrame, DataType, IntoColumn, NamedFrom, ParquetReader, ParquetWriter, SerReader, Series};

use crate::algorithms::item_cf::ItemNeighbors;
use crate::stages::contract::Failure;

/// The lists with the ids of the items.
pub fn to_parquet(neighbors: &ItemNeighbors, items: &Series) -> Result<Vec<u8>, Failure> {
    let (mut from, mut to, mut similarity) = (Vec::new(), Vec::new(), Vec::new());
    for item in 0..neighbors.items() {
        for (other, similar) in neighbors.of(item) {
            from.push(item as u32);
            to.push(*other);
            similarity.push(*similar);
        }
    }
    let columns = vec![
        items.take_slice(&from)?.with_name("item".into()).into_column(),
        items.take_slice(&to)?.with_name("neighbor".into()).into_column(),
        Series::new("similarity".into(), similarity).into_column(),
    ];
    let mut frame = DataFrame::new_infer_height(columns)?;
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame)?;
    Ok(bytes)
}

/// The lists for these items; items that the model does not know have none.
pub fn from_parquet(bytes: &[u8], items: &Series) -> Result<ItemNeighbors, Failure> {
    let frame = ParquetReader::new(Cursor::new(bytes)).finish()?;
    let text = |series: &Series| -> Result<Vec<String>, Failure> {
        let cast = series.cast(&DataType::String)?;
        Ok(cast.str()?.iter().map(|id| id.unwrap_or_default().to_owned()).collect())
    };
    let index: HashMap<String, u32> = text(items)?.into_iter().zip(0..).collect();
    let from = text(frame.column("item")?.as_materialized_series())?;
    let to = text(frame.column("neighbor")?.as_materialized_series())?;
    let similarity = frame.column("similarity")?.f64()?;
    let mut lists: Vec<Vec<(u32, f64)>> = vec![vec![]; items.len()];
    for ((from, to), similarity) in from.iter().zip(&to).zip(similarity.iter()) {
        if let (Some(from), Some(to), Some(similarity)) = (index.get(from), index.get(to), similarity)
            && let Some(list) = lists.get_mut(*from as usize)
        {
            list.push((*to, similarity));
        }
    }
    Ok(ItemNeighbors::from_lists(lists))
}
