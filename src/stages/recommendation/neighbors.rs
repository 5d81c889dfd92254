//! The neighbor lists of an item-based model as a table: item, neighbor, similarity.

use polars::prelude::{DataFrame, IntoColumn, NamedFrom, Series};

use super::interactions::Interactions;
use crate::algorithms::neighbors::{ItemNeighbors, NeighborsError};
use crate::stages::contract::Failure;
use crate::stages::ids;

/// Why items could not be compared.
pub fn failure(error: NeighborsError) -> Failure {
    match error {
        NeighborsError::Stopped => Failure::Cancelled,
        NeighborsError::TooLarge { .. } => Failure::TooLarge(format!("failed to {error}")),
    }
}

/// The lists with the ids of the items.
pub fn to_frame(neighbors: &ItemNeighbors, items: &Series) -> Result<DataFrame, Failure> {
    let (mut from, mut to, mut similarity) = (Vec::new(), Vec::new(), Vec::new());
    for item in 0..neighbors.items() {
        for (other, similar) in neighbors.of(item) {
            from.push(item as u32);
            to.push(*other);
            similarity.push(*similar);
        }
    }
    Ok(DataFrame::new_infer_height(vec![
        items.take_slice(&from)?.with_name("item".into()).into_column(),
        items.take_slice(&to)?.with_name("neighbor".into()).into_column(),
        Series::new("similarity".into(), similarity).into_column(),
    ])?)
}

/// The lists for the items of this night; items that the model does not know have none.
pub fn from_frame(frame: &DataFrame, interactions: &Interactions) -> Result<ItemNeighbors, Failure> {
    let places = |name: &str| ids::places(frame.column(name)?.as_materialized_series(), &interactions.items);
    let (from, to) = (places("item")?, places("neighbor")?);
    let similarity = frame.column("similarity")?.f32()?;
    let mut lists: Vec<Vec<(u32, f32)>> = vec![vec![]; interactions.items.len()];
    for ((from, to), similarity) in from.into_iter().zip(to).zip(similarity.iter()) {
        if let (Some(from), Some(to), Some(similarity)) = (from, to, similarity)
            && let Some(list) = lists.get_mut(from as usize)
        {
            list.push((to, similarity));
        }
    }
    Ok(ItemNeighbors::from_lists(interactions.items.len(), lists))
}
