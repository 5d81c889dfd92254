//! Gates: what must hold of a stage's table or model before anything is published.

use schemars::JsonSchema;
use serde::Deserialize;

use super::checks::RowBounds;

/// What must hold of one stage tonight; if it does not, nothing is published.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateSpec {
    /// How many rows the table has; of a table with snapshots, the one of the run date.
    #[serde(default)]
    pub rows: Option<RowBounds>,
    /// How many values are missing.
    #[serde(default)]
    pub nulls: Option<NullsGate>,
    /// How far the columns have moved since the last night that passed.
    #[serde(default)]
    pub drift: Option<DriftGate>,
    /// How good the stage's model is.
    #[serde(default)]
    pub measure: Option<MeasureGate>,
}

/// How many values may be missing.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NullsGate {
    /// The greatest share of nulls that a column may have.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max: f64,
    /// The columns; all but labels by default.
    #[serde(default)]
    pub columns: Vec<String>,
}

/// How far columns may move.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftGate {
    /// The greatest population stability index that a column may have. What chance alone explains does not count.
    #[serde(default = "psi_max")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub psi_max: f64,
    /// The columns; all whose distribution is known by default.
    #[serde(default)]
    pub columns: Vec<String>,
}

/// Above this a distribution is commonly said to have changed.
fn psi_max() -> f64 {
    0.25
}

/// How good a model must be.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasureGate {
    /// The measure, as the report names it, such as `roc_auc`; the one that decides by default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub name: Option<String>,
    /// Its least value.
    #[serde(default)]
    pub min: Option<f64>,
    /// Its greatest value.
    #[serde(default)]
    pub max: Option<f64>,
    /// How the model must stand to its baseline.
    #[serde(default)]
    pub baseline: Option<BaselineRule>,
}

/// How a model must stand to its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BaselineRule {
    /// It is shown to be better.
    Beats,
    /// It is not shown to be worse.
    NotWorse,
}
