//! The options of the stage that others do not have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::{Code, Problem};

/// How alike two rows are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KernelName {
    /// Their product.
    Linear,
    /// exp(−gamma · their squared distance).
    #[default]
    Rbf,
    /// (gamma · their product + coef0) to the power of `degree`.
    Polynomial,
    /// tanh(gamma · their product + coef0).
    Sigmoid,
}

impl KernelName {
    pub fn name(self) -> &'static str {
        match self {
            KernelName::Linear => "linear",
            KernelName::Rbf => "rbf",
            KernelName::Polynomial => "polynomial",
            KernelName::Sigmoid => "sigmoid",
        }
    }
}

/// How far a kernel reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
#[schemars(with = "GammaSchema")]
pub enum Gamma {
    /// 1 / (columns · variance of all entries).
    #[default]
    Scale,
    /// 1 / columns.
    Auto,
    /// This.
    Number(f64),
}

/// The ways to say it.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum GammaSchema {
    /// This.
    Number(f64),
    /// By a word.
    Word(GammaWord),
}

/// A word for it.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-expected" = "`scale`, `auto` or a number above zero"))]
#[expect(dead_code, reason = "only its schema is used")]
enum GammaWord {
    /// 1 / (columns · variance of all entries).
    Scale,
    /// 1 / columns.
    Auto,
}

impl TryFrom<serde_json::Value> for Gamma {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        match (value.as_f64(), value.as_str()) {
            (Some(number), _) => Ok(Gamma::Number(number)),
            (_, Some("scale")) => Ok(Gamma::Scale),
            (_, Some("auto")) => Ok(Gamma::Auto),
            _ => Err(format!("gamma is `scale`, `auto` or a number, not {value}")),
        }
    }
}

impl From<Gamma> for serde_json::Value {
    fn from(gamma: Gamma) -> Self {
        match gamma {
            Gamma::Scale => "scale".into(),
            Gamma::Auto => "auto".into(),
            Gamma::Number(number) => number.into(),
        }
    }
}

impl Gamma {
    pub fn problems(self) -> Vec<Problem> {
        let is_wrong = matches!(self, Gamma::Number(number) if !(number > 0.0 && number.is_finite()));
        let problem = Problem::new(Code::BadValue, "gamma is `scale`, `auto` or a number above zero");
        is_wrong.then(|| problem.at(["with", "gamma"])).into_iter().collect()
    }
}

/// How several classes are told apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MultiClass {
    /// By a machine for each pair, which vote.
    #[default]
    OneAgainstOne,
    /// By a machine for each class against all others.
    OneAgainstRest,
}

/// Whether a kernel is approximated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approximate {
    /// By Nyström's method where there are more training rows than `exact_rows_max`.
    #[default]
    Auto,
    /// Never; what would take too long is refused.
    None,
    /// By Nyström's method (Williams and Seeger 2001).
    Nystroem,
    /// By random Fourier features (Rahimi and Recht 2007), of the kernel `rbf`.
    Fourier,
}

pub fn default_c() -> f64 {
    1.0
}
