//! The functions of the dialect.

/// How an aggregate combines the rows of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregate {
    Count,
    Sum,
    Average,
    Min,
    Max,
    Median,
    /// The share of rows below the value, 0 to 1; interpolated.
    Quantile,
    StandardDeviation {
        population: bool,
    },
    Variance {
        population: bool,
    },
    /// The most frequent value; of equally frequent ones the smallest.
    Mode,
    First,
    Last,
}

impl Aggregate {
    /// The aggregate of this name, in any case of letters.
    pub fn parse(name: &str) -> Option<Aggregate> {
        Some(match name.to_ascii_lowercase().as_str() {
            "count" => Aggregate::Count,
            "sum" => Aggregate::Sum,
            "avg" => Aggregate::Average,
            "min" => Aggregate::Min,
            "max" => Aggregate::Max,
            "median" => Aggregate::Median,
            "quantile_cont" => Aggregate::Quantile,
            "stddev" | "stddev_samp" => Aggregate::StandardDeviation { population: false },
            "stddev_pop" => Aggregate::StandardDeviation { population: true },
            "variance" | "var_samp" => Aggregate::Variance { population: false },
            "var_pop" => Aggregate::Variance { population: true },
            "mode" => Aggregate::Mode,
            "first" | "first_value" => Aggregate::First,
            "last" | "last_value" => Aggregate::Last,
            _ => return None,
        })
    }
}

/// Aggregates that a `features` expression may use.
const FEATURE_AGGREGATES: &[&str] = &[
    "avg",
    "count",
    "first",
    "last",
    "max",
    "median",
    "min",
    "mode",
    "quantile_cont",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "sum",
    "var_pop",
    "var_samp",
    "variance",
];

/// Aggregates of a query; those that no engine computes alike are left out.
const QUERY_AGGREGATES: &[&str] =
    &["avg", "count", "max", "median", "min", "quantile_cont", "stddev", "stddev_samp", "sum", "var_samp", "variance"];

const WINDOW: &[&str] = &["dense_rank", "first_value", "lag", "last_value", "lead", "ntile", "rank", "row_number"];

const SCALAR: &[&str] = &[
    "abs",
    "ceil",
    "ceiling",
    "char_length",
    "coalesce",
    "concat",
    "concat_ws",
    "date_part",
    "date_trunc",
    "ends_with",
    "exp",
    "floor",
    "greatest",
    "least",
    "left",
    "length",
    "ln",
    "log10",
    "log2",
    "lower",
    "lpad",
    "ltrim",
    "mod",
    "nullif",
    "pow",
    "power",
    "regexp_like",
    "replace",
    "reverse",
    "right",
    "round",
    "rpad",
    "rtrim",
    "sign",
    "split_part",
    "sqrt",
    "starts_with",
    "strpos",
    "substr",
    "trunc",
    "upper",
];

/// Functions whose integers are narrower than 64 bits on some engine.
pub(super) const COUNTS: &[&str] =
    &["char_length", "count", "date_part", "dense_rank", "length", "rank", "row_number", "strpos"];

/// Whether a function of this name combines rows.
pub fn is_aggregate(name: &str) -> bool {
    Aggregate::parse(name).is_some()
}

/// The names that may stand in a query, or in a feature expression.
pub fn known(in_feature: bool) -> Vec<&'static str> {
    let aggregates = if in_feature { FEATURE_AGGREGATES } else { QUERY_AGGREGATES };
    let windows: &[&str] = if in_feature { &["days_since"] } else { WINDOW };
    [aggregates, windows, SCALAR].concat()
}
