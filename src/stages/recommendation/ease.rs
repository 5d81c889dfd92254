use std::collections::BTreeMap;

use polars::prelude::{DataFrame, IntoColumn};

use super::interactions::Interactions;
use super::recommender::{Recommender, Scene, Scored};
use super::weights::Plain;
use crate::algorithms::ease::{self as kernel, EaseError};
use crate::algorithms::wanted::Wanted;
use crate::format;
use crate::metrics::evaluation::Fact;
use crate::stages::contract::{Failure, StageConfig, StageContext};
use crate::stages::files;
use crate::stages::ids;
use crate::stages::model::Model;

recommender! {
    /// One linear model of items on items: a customer's score for an item is the sum of the weights that the
    /// customer's own items have for it, the weights being those that explain each item best by all others.
    ///
    /// B minimizes ‖X − X B‖² + `regularization` · ‖B‖² with a diagonal of zeros; X is the matrix of users × items, whose
    /// entries are what `weighting` makes of the weights. It has one solution, which takes the inverse of a matrix of
    /// items × items: hard to beat, and refused where that does not fit into memory. Source: Steck 2019,
    /// "Embarrassingly shallow autoencoders for sparse data".
    ///
    /// It is evaluated and served as item_cf. The model has a weight for each pair of items, in 32 bits.
    pub struct Ease {
        /// λ: how much large weights cost. More holds back what few customers have behind it.
        #[serde(default = "default_regularization")]
        #[schemars(range(min = 0.000001))]
        regularization: f64,
        /// What a pair of user and item counts.
        #[serde(default)]
        weighting: Plain,
        /// The most memory that fitting may take, in megabytes; 10,000 items take 800.
        #[serde(default = "default_memory_megabytes")]
        #[schemars(range(min = 1, max = 10_000_000))]
        memory_megabytes: u64,
    }
}
recommender_stage!(Ease, requires: [], outputs: []);

impl StageConfig for Ease {
    const KIND: &'static str = "ease";
    const FAMILY: &'static str = "recommendation";
}

fn default_regularization() -> f64 {
    300.0
}

fn default_memory_megabytes() -> u64 {
    1_000
}

const ITEMS: &str = "items.parquet";
/// Items × items, row after row, each in 32 bits, little-endian.
const WEIGHTS: &str = "weights.f32";

impl Recommender for Ease {
    type Fitted = kernel::Weights;

    fn name(&self) -> String {
        "linear model of items".to_owned()
    }

    fn fit(&self, scene: &Scene<'_>, context: &StageContext) -> Result<kernel::Weights, Failure> {
        self.affordable(scene.known.weights.columns())?;
        let known = self.weighting.apply(&scene.known.weights)?;
        kernel::fit(&known, self.regularization, &|| !context.cancel.is_set()).map_err(|error| match error {
            EaseError::Stopped => Failure::Cancelled,
            other => Failure::data(format!("failed to {other}")),
        })
    }

    fn recommend(
        &self,
        fitted: &kernel::Weights,
        scene: &Scene<'_>,
        count: usize,
        wanted: &Wanted<'_>,
    ) -> Result<Scored, Failure> {
        let histories = self.weighting.apply(&scene.histories.weights)?;
        Ok(kernel::recommend(&histories, fitted, 0..histories.rows(), count, wanted))
    }

    fn because(
        &self,
        fitted: &kernel::Weights,
        scene: &Scene<'_>,
        lists: &[Vec<(u32, f64)>],
    ) -> Result<Vec<Vec<Option<u32>>>, Failure> {
        let histories = self.weighting.apply(&scene.histories.weights)?;
        Ok(kernel::because(&histories, fitted, 0..histories.rows(), lists))
    }

    fn facts(&self, fitted: &kernel::Weights, _: &Scene<'_>) -> Result<Vec<Fact>, Failure> {
        let items = format::thousands(fitted.items() as u64);
        let value = format!(
            "{items} × {items}, regularization {}, {}",
            format::number(self.regularization),
            self.weighting.name()
        );
        Ok(vec![Fact::new("weights", value)])
    }

    fn files(
        &self,
        fitted: &kernel::Weights,
        interactions: &Interactions,
    ) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let items = interactions.items.clone().with_name("item".into()).into_column();
        let frame = DataFrame::new_infer_height(vec![items])?;
        let weights = fitted.values().iter().flat_map(|value| value.to_le_bytes()).collect();
        Ok(BTreeMap::from([(ITEMS.to_owned(), files::to_parquet(frame)?), (WEIGHTS.to_owned(), weights)]))
    }

    fn load(&self, model: &Model, scene: &Scene<'_>, _: &StageContext) -> Result<kernel::Weights, Failure> {
        let frame = files::from_parquet(model, ITEMS)?;
        let places = ids::places(frame.column("item")?.as_materialized_series(), &scene.interactions.items)?;
        let bytes = model.files.get(WEIGHTS).map(Vec::as_slice).unwrap_or_default();
        if bytes.len() / 4 != places.len().saturating_mul(places.len()) {
            return Err(Failure::data("the earlier model cannot be read: its weights are not those of its items"));
        }
        let items = scene.interactions.items.len();
        self.affordable(items)?;
        let mut values = vec![0.0; items * items];
        let rows = bytes.chunks(4 * places.len().max(1)).zip(&places);
        for (row, place) in rows.filter_map(|(row, place)| Some((row, (*place)? as usize))) {
            for (cell, other) in row.chunks_exact(4).zip(&places) {
                let (Ok(cell), Some(other)) = (cell.try_into(), other) else { continue };
                if let Some(slot) = values.get_mut(place * items + *other as usize) {
                    *slot = f32::from_le_bytes(cell);
                }
            }
        }
        kernel::Weights::from_values(items, values)
            .ok_or_else(|| Failure::data("the earlier model cannot be read: its weights are not finite"))
    }
}

impl Ease {
    /// Refuses beforehand what would take too much memory.
    fn affordable(&self, items: usize) -> Result<(), Failure> {
        let (bytes, bytes_max) = (kernel::bytes(items), self.memory_megabytes.saturating_mul(1_000_000));
        if bytes <= bytes_max {
            return Ok(());
        }
        Err(Failure::TooLarge(format!(
            "the weights of {} items on each other take {}, more than the {} allowed: raise `memory_megabytes`, filter \
             out items before, or use `item_cf`, which needs no such matrix",
            format::thousands(items as u64),
            format::bytes(bytes),
            format::bytes(bytes_max)
        )))
    }
}

#[cfg(test)]
mod tests;
