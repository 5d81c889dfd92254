//! Measures of models, each defined where it is computed. Pure: they know nothing of models.
//!
//! A measure that does not exist for its input (AUC of one class, silhouette of one cluster) is
//! `None`, never NaN. Input that is no input (lengths that differ, NaN) is a [`MetricError`].

pub mod classification;
pub mod clustering;
pub mod disclosure;
pub mod evaluation;
pub mod intervals;
pub mod many_classes;
pub mod migration;
pub mod profile;
pub mod ranking;
pub mod regression;
pub mod shift;

/// Why there are no measures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// Nothing to measure.
    #[error("measure a model on no rows")]
    Empty,
    /// Truth and prediction differ in number.
    #[error("compare {truth} true values with {predicted} predicted ones")]
    Length {
        /// True values.
        truth: usize,
        /// Predicted values.
        predicted: usize,
    },
    /// NaN or infinite values, or probabilities outside 0 to 1.
    #[error("measure a model: {0} values are not finite or not probabilities")]
    Invalid(usize),
}

fn check_lengths(truth: usize, predicted: usize) -> Result<(), MetricError> {
    match truth {
        _ if truth != predicted => Err(MetricError::Length { truth, predicted }),
        0 => Err(MetricError::Empty),
        _ => Ok(()),
    }
}

/// `numerator / denominator`, which does not exist over nothing.
fn ratio(numerator: f64, denominator: f64) -> Option<f64> {
    (denominator > 0.0).then(|| numerator / denominator)
}
