//! What keeps coefficients small.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::{Code, Problem};

/// What coefficients cost, beside the loss summed over the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Penalty {
    /// Multiplies the sum of the magnitudes of the coefficients; some become zero.
    #[schemars(range(min = 0.0))]
    pub l1: f64,
    /// Multiplies the sum of their squares for `linear`, which makes it scikit-learn's `alpha` of `Ridge`, and half of it
    /// elsewhere, which makes it 1/C.
    #[schemars(range(min = 0.0))]
    pub l2: f64,
}

/// Penalties that are no numbers at or above zero.
pub fn penalty_problems(penalty: Penalty) -> Vec<Problem> {
    let all = [("l1", penalty.l1), ("l2", penalty.l2)];
    let unsound = all.into_iter().filter(|(_, value)| !(*value >= 0.0 && value.is_finite()));
    let problem = |(name, value): (&'static str, f64)| {
        let message = format!("expected a number of at least 0, found {value}");
        Problem::new(Code::BadValue, message).at(["with", "penalty", name])
    };
    unsound.map(problem).collect()
}
