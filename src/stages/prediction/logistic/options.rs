//! The options of the stage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::algorithms::logistic;

/// What keeps coefficients small.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Penalty {
    /// Multiplies ½‖w‖² against the summed log loss, so it is scikit-learn's 1/C; the intercept is
    /// not penalized.
    #[schemars(range(min = 0.0))]
    pub l2: f64,
}

impl Default for Penalty {
    fn default() -> Self {
        Penalty { l2: 1.0 }
    }
}

/// What a training row weighs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeight {
    /// Both classes weigh the same in all, however rare one is. The order of the customers hardly
    /// changes, but probabilities are then those of a world where both are equally frequent.
    Balanced,
    /// Every row weighs the same, so that probabilities are those to expect.
    #[default]
    None,
}

/// Who fits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Newton's method (L-BFGS above 200 columns) on all cores.
    #[default]
    Native,
    /// The linfa-logistic crate, slower, as a second opinion. It knows no class weights.
    Linfa,
}

/// Turns scores into probabilities that hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Calibrate {
    /// By a sigmoid.
    Platt,
    /// By a step function.
    Isotonic,
}

impl From<ClassWeight> for logistic::ClassWeight {
    fn from(weight: ClassWeight) -> Self {
        match weight {
            ClassWeight::Balanced => logistic::ClassWeight::Balanced,
            ClassWeight::None => logistic::ClassWeight::None,
        }
    }
}

impl From<Engine> for logistic::Engine {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Native => logistic::Engine::Native,
            Engine::Linfa => logistic::Engine::Linfa,
        }
    }
}
