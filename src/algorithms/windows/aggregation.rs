//! The ways to combine the values of a window.

/// How the values of a window become one.
///
/// Of no values, counts and `Sum` are 0 and everything else is missing; deviations and variances
/// of a sample need two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregation {
    Count,
    CountDistinct,
    Sum,
    Average,
    Min,
    Max,
    /// Interpolated linearly between the two nearest values; 0.5 is the median.
    Quantile(f64),
    Variance {
        population: bool,
    },
    StandardDeviation {
        population: bool,
    },
    /// The most frequent value; of equally frequent ones the smallest.
    Mode,
    /// The earliest value.
    First,
    /// The latest value.
    Last,
}

impl Aggregation {
    /// Whether the result is an integer for an integer (or absent) argument.
    pub fn keeps_integers(self) -> bool {
        !matches!(self, Self::Average | Self::Quantile(_) | Self::Variance { .. } | Self::StandardDeviation { .. })
    }

    /// Whether the result is a count, whatever the argument.
    pub fn counts(self) -> bool {
        matches!(self, Self::Count | Self::CountDistinct)
    }

    /// Whether the result is one of the values themselves.
    pub fn picks(self) -> bool {
        matches!(self, Self::Min | Self::Max | Self::Mode | Self::First | Self::Last)
    }
}
