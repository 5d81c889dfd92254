use std::collections::BTreeMap;

use ndarray::Array2;
use polars::prelude::{
    DataFrame, DataType, Float32Type, IntoColumn, IntoSeries, ListBuilderTrait, ListPrimitiveChunkedBuilder, Series,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::interactions::Interactions;
use super::recommender::{Recommender, Scene, Scored};
use super::weights::Plain;
use crate::algorithms::als::{self as kernel, AlsError};
use crate::algorithms::inner_product;
use crate::algorithms::wanted::Wanted;
use crate::format;
use crate::metrics::evaluation::Fact;
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, StageConfig, StageContext};
use crate::stages::files;
use crate::stages::ids;
use crate::stages::model::Model;
use crate::table::{Column, TableSchema};

recommender! {
    /// Matrix factorization of implicit feedback by alternating least squares: users and items are each described by a
    /// few numbers, whose product says how well they go together.
    ///
    /// With x a user's and y an item's factors, it minimizes the sum over the pairs that met of c (1 − x·y)² + the sum
    /// over all pairs of `unobserved_weight` · (x·y)² + `regularization` · (the sum over users of p ‖x‖² + the same of
    /// items). Here p is n + `unobserved_weight` · items, n being the number of the user's items; with another
    /// `regularization_exponent` than 1 it is that to this power, times what keeps its mean. So a good `regularization`
    /// is about the same whatever the exponent and the size of the data. The confidence c of a pair is what `weighting`
    /// makes of its weight. Source: Hu, Koren and Volinsky 2008, whose penalty is the exponent 0; Rendle et al. 2021,
    /// "Revisiting the performance of iALS on item recommendation benchmarks", whose is 1 and whose best were .002 to
    /// .005.
    ///
    /// Beside the recommendations it gives `user_factors` and `item_factors`, one row each with a list of numbers. A
    /// model that is applied on a later night describes the users anew by what they have then, those who came after
    /// the fit as well.
    ///
    /// `because` is the user's own item with the greatest share of the score (Hu et al., section 5). It is evaluated and
    /// served as item_cf.
    pub struct Als {
        /// How many numbers describe a user or an item.
        #[serde(default = "default_factors")]
        #[schemars(range(min = 1, max = 512))]
        factors: usize,
        /// How often users and items are solved for.
        #[serde(default = "default_iterations")]
        #[schemars(range(min = 1, max = 200))]
        iterations: usize,
        /// λ: how much large factors cost.
        #[serde(default = "default_regularization")]
        #[schemars(range(min = 0))]
        regularization: f64,
        /// How much more they cost users and items with much: not at all (0) to in proportion (1).
        #[serde(default = "default_exponent")]
        #[schemars(range(min = 0, max = 2))]
        regularization_exponent: f64,
        /// What a pair that never met counts against one that met once.
        #[serde(default = "default_unobserved_weight")]
        #[schemars(range(min = 0))]
        unobserved_weight: f64,
        /// What the confidence of a pair is made of its weight.
        #[serde(default)]
        weighting: Plain,
        /// How a user or an item is solved for.
        #[serde(default)]
        solver: Solver,
    }
}
recommender_stage!(Als, requires: [], outputs: ["user_factors", "item_factors"]);

impl StageConfig for Als {
    const KIND: &'static str = "als";
    const FAMILY: &'static str = "recommendation";
}

/// How a user or an item is solved for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Solver {
    /// Three steps of conjugate gradients from the factors of before: near enough, and much faster.
    #[default]
    ConjugateGradient,
    /// Exactly.
    Cholesky,
}

fn default_factors() -> usize {
    64
}

fn default_iterations() -> usize {
    15
}

fn default_regularization() -> f64 {
    0.005
}

fn default_exponent() -> f64 {
    1.0
}

fn default_unobserved_weight() -> f64 {
    0.5
}

const ITEMS: &str = "item_factors.parquet";
/// λ as the kernel has it, by which later users are folded in.
const PENALTY: &str = "penalty.json";
const FACTORS: &str = "factors";

/// The factors of users and items; of the users only where they were fitted.
pub struct Factors {
    users: Option<Array2<f32>>,
    items: Array2<f32>,
    loss: Vec<f64>,
    /// λ as the kernel has it, not over the mean.
    regularization: f64,
}

impl Recommender for Als {
    type Fitted = Factors;

    fn name(&self) -> String {
        "matrix factorization".to_owned()
    }

    fn own_problems(&self) -> Vec<Problem> {
        let names = [("user", &self.user), ("item", &self.item)];
        let taken = names.into_iter().filter(|(_, name)| *name == FACTORS);
        let problem = |(option, name): (&'static str, &String)| {
            let message = format!("`{name}` is also the name of a column of the output");
            Problem::new(Code::DuplicateId, message).at(["with", option])
        };
        taken.map(problem).collect()
    }

    fn more_schemas(&self, user: &Column, item: &Column) -> Vec<TableSchema> {
        let table = |id: &Column| TableSchema {
            columns: vec![id.clone(), Column::new(FACTORS, DataType::List(Box::new(DataType::Float32)))],
            key: vec![id.name.clone()],
            ..TableSchema::default()
        };
        vec![table(user), table(item)]
    }

    fn more_tables(&self, fitted: &Factors, interactions: &Interactions) -> Result<Vec<DataFrame>, Failure> {
        let none = Array2::zeros((interactions.users.len(), 0));
        Ok(vec![
            table(fitted.users.as_ref().unwrap_or(&none), &interactions.users, &self.user)?,
            table(&fitted.items, &interactions.items, &self.item)?,
        ])
    }

    fn fit_bytes(&self, users: usize, items: usize, pairs: usize) -> u64 {
        kernel::bytes(users, items, pairs, self.factors) as u64
    }

    fn fit(&self, scene: &Scene<'_>, context: &StageContext) -> Result<Factors, Failure> {
        let confidence = self.weighting.apply(&scene.known.weights)?;
        let (exponent, unobserved) = (self.regularization_exponent, self.unobserved_weight);
        let mean = |exponent: f64| kernel::mean_penalty(&scene.known.weights, exponent, unobserved);
        let regularization = self.regularization * mean(1.0) / mean(exponent);
        let parameters = self.parameters(regularization, context.seed);
        let fitted = kernel::fit(&confidence, &parameters, &|| !context.cancel.is_set());
        let kernel::Factors { users, items, loss } = fitted.map_err(|error| match error {
            AlsError::Stopped => Failure::Cancelled,
            other => Failure::data(format!("failed to {other}")),
        })?;
        Ok(Factors { users: Some(users), items, loss, regularization })
    }

    fn recommend(
        &self,
        fitted: &Factors,
        scene: &Scene<'_>,
        count: usize,
        wanted: &Wanted<'_>,
    ) -> Result<Scored, Failure> {
        let folded;
        let users = match &fitted.users {
            Some(users) if scene.is_own => users,
            _ => {
                let histories = self.weighting.apply(&scene.histories.weights)?;
                folded = kernel::fold_in(&histories, &fitted.items, &self.parameters(fitted.regularization, 0));
                &folded
            }
        };
        Ok(inner_product::top(users.view(), &fitted.items, count, wanted))
    }

    fn because(
        &self,
        fitted: &Factors,
        scene: &Scene<'_>,
        lists: &[Vec<(u32, f64)>],
    ) -> Result<Vec<Vec<Option<u32>>>, Failure> {
        let histories = self.weighting.apply(&scene.histories.weights)?;
        Ok(kernel::because(&histories, &fitted.items, &self.parameters(fitted.regularization, 0), lists))
    }

    fn facts(&self, fitted: &Factors, _: &Scene<'_>) -> Result<Vec<Fact>, Failure> {
        let mut facts = vec![Fact::new(
            "factors",
            format!(
                "{}, {} iterations, regularization {} (exponent {}), unobserved weight {}, confidence {}",
                self.factors,
                self.iterations,
                format::number(self.regularization),
                format::number(self.regularization_exponent),
                format::number(self.unobserved_weight),
                self.weighting.name()
            ),
        )];
        if let [.., before, last] = fitted.loss.as_slice() {
            let change = format::percent((before - last) / before.abs().max(f64::MIN_POSITIVE));
            facts
                .push(Fact::new("loss", format!("{}, {change} less than one iteration before", format::number(*last))));
        }
        Ok(facts)
    }

    fn files(&self, fitted: &Factors, interactions: &Interactions) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let frame = table(&fitted.items, &interactions.items, "item")?;
        let regularization = serde_json::json!({ "regularization": fitted.regularization }).to_string().into_bytes();
        Ok(BTreeMap::from([(ITEMS.to_owned(), files::to_parquet(frame)?), (PENALTY.to_owned(), regularization)]))
    }

    fn load(&self, model: &Model, scene: &Scene<'_>, _: &StageContext) -> Result<Factors, Failure> {
        let frame = files::from_parquet(model, ITEMS)?;
        let places = ids::places(frame.column("item")?.as_materialized_series(), &scene.interactions.items)?;
        let mut items = Array2::zeros((scene.interactions.items.len(), self.factors));
        let lists = frame.column(FACTORS)?.list()?.clone();
        for (place, list) in places.into_iter().zip(lists.amortized_iter()) {
            let (Some(place), Some(list)) = (place, list) else { continue };
            let list = list.as_ref().f32()?;
            if list.len() == self.factors {
                let mut row = items.row_mut(place as usize);
                row.iter_mut().zip(list.iter()).for_each(|(slot, value)| *slot = value.unwrap_or(0.0));
            }
        }
        let json = model.files.get(PENALTY).map(Vec::as_slice).unwrap_or_default();
        let penalty: serde_json::Value = serde_json::from_slice(json).unwrap_or_default();
        let regularization = penalty.get("regularization").and_then(serde_json::Value::as_f64);
        let unreadable = || Failure::data(format!("the earlier model cannot be read: `{PENALTY}` names no penalty"));
        let regularization = regularization.ok_or_else(unreadable)?;
        Ok(Factors { users: None, items, loss: vec![], regularization })
    }
}

impl Als {
    fn parameters(&self, regularization: f64, seed: u64) -> kernel::Parameters {
        kernel::Parameters {
            factors: self.factors,
            iterations: self.iterations,
            regularization,
            regularization_exponent: self.regularization_exponent,
            unobserved_weight: self.unobserved_weight,
            solver: match self.solver {
                Solver::ConjugateGradient => kernel::Solver::ConjugateGradient { steps: 3 },
                Solver::Cholesky => kernel::Solver::Cholesky,
            },
            seed,
        }
    }
}

/// The rows that are not all zeros, each as a list of numbers.
fn table(factors: &Array2<f32>, ids: &Series, name: &str) -> Result<DataFrame, Failure> {
    let mut places = Vec::new();
    let width = factors.ncols();
    let mut lists = ListPrimitiveChunkedBuilder::<Float32Type>::new(
        FACTORS.into(),
        factors.nrows(),
        factors.len(),
        DataType::Float32,
    );
    for (place, row) in (0_u32..).zip(factors.rows()) {
        if width > 0 && row.iter().any(|value| *value != 0.0) {
            places.push(place);
            lists.append_slice(&row.to_vec());
        }
    }
    Ok(DataFrame::new_infer_height(vec![
        ids.take_slice(&places)?.with_name(name.into()).into_column(),
        lists.finish().into_series().into_column(),
    ])?)
}

#[cfg(test)]
mod tests;
