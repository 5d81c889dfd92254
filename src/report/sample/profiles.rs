//! Profiles as a run finds them.

use chrono::NaiveDate;

use crate::metrics::profile::{ColumnProfile, Shape};
use crate::report::content::{Drift, ProfiledColumn, TableProfile};

pub fn customers() -> TableProfile {
    let countries = [("United Kingdom", 3_921), ("Germany", 94), ("France", 87), ("Spain", 30), ("Belgium", 25)];
    let levels = countries.map(|(name, count)| (name.to_owned(), count)).to_vec();
    let country = Shape::Category { levels, other: 181 };
    TableProfile {
        table: "customers".to_owned(),
        as_of: NaiveDate::from_ymd_opt(2011, 12, 10),
        rows: 4_338,
        columns: vec![
            profiled("recency_days", numbers(373.0, &[1_604, 822, 511, 402, 301, 244, 188, 141, 82, 43]), 0, 0.021),
            profiled("orders_90d", numbers(20.0, &[2_401, 1_102, 502, 201, 82, 31, 12, 5, 1, 1]), 0, 0.144),
            profiled("spend_365d", numbers(9_000.0, &[2_804, 822, 311, 202, 101, 44, 28, 14, 8, 4]), 0, 0.312),
            profiled(
                "days_between_orders",
                numbers(180.0, &[204, 522, 711, 602, 401, 244, 88, 41, 12, 3]),
                1_510,
                0.019,
            ),
            profiled("country", country, 0, 0.004),
            profiled("customer_name", Shape::None, 12, f64::NAN),
        ],
    }
}

/// Ten equally wide bars from zero on.
pub fn numbers(end: f64, counts: &[u64; 10]) -> Shape {
    let edges = (0..=10).map(|edge| end * f64::from(edge) / 10.0).collect();
    Shape::Number { edges, counts: counts.to_vec(), mean: end * 0.21, median: end * 0.14, quantiles: vec![] }
}

/// Compared with the run before, and less far with what a model was fitted on; with nothing where the index
/// is no number.
pub fn profiled(name: &str, shape: Shape, nulls: u64, psi: f64) -> ProfiledColumn {
    let drift = |against: &str, psi: f64| Drift { against: against.to_owned(), psi, chance: 0.01 };
    let profile = ColumnProfile { name: name.to_owned(), rows: 4_338, nulls, shape };
    let mut found = vec![drift("the run of 2011-12-09", psi), drift("what will_buy was fitted on", psi / 2.0)];
    found.retain(|drift| drift.psi.is_finite());
    ProfiledColumn { profile, drift: found }
}
