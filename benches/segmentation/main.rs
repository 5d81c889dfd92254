//! k-means, DBSCAN and the silhouette beside scikit-learn on the same numbers, taking turns: medians and ratios.
//!
//!     PATRONAGE_PEER=/path/to/python cargo bench --bench segmentation [-- NAME…]
//!
//! NAME picks the cases whose names contain it. PATRONAGE_PEER is a Python with scikit-learn (`python3` by default), and
//! PATRONAGE_TURNS how often each has its turn (5 by default).

#[path = "../peers/peer.rs"]
mod peer;

use std::cell::RefCell;

use ndarray::{Array2, ArrayView2};
use patronage::algorithms::{dbscan, kmeans};
use patronage::metrics::clustering::silhouette;
use peer::{Peer, Wanted};
use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Gaussian clouds around `centers` points of a cube, deviations from 0.2 to 1, and one row in fifty anywhere.
fn clouds(rows: usize, columns: usize, centers: usize) -> Array2<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(42);
    let places = Array2::from_shape_fn((centers, columns), |_| rng.gen_range(-5.0..5.0));
    let spreads: Vec<f64> = (0..centers).map(|_| rng.gen_range(0.2..1.0)).collect();
    let mut x = Array2::zeros((rows, columns));
    for mut row in x.rows_mut() {
        let center = rng.gen_range(0..centers);
        let anywhere = rng.gen_range(0..50) == 0;
        for (column, value) in row.iter_mut().enumerate() {
            let noise: f64 = rng.sample(StandardNormal);
            *value =
                if anywhere { rng.gen_range(-8.0..8.0) } else { places[(center, column)] + spreads[center] * noise };
        }
    }
    x
}

/// Of whole numbers, as the peer takes it.
fn digest(numbers: impl Iterator<Item = i64>) -> String {
    let mut hash = Sha256::new();
    numbers.for_each(|number| hash.update(number.to_le_bytes()));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One thing that both do.
struct Case<'a> {
    name: String,
    peer: Value,
    ours: Box<dyn FnMut() -> Value + 'a>,
    /// Says how the two results differ.
    compare: fn(&Value, &Value) -> String,
}

fn run(case: &mut Case<'_>, peer: &mut Peer, turns: usize) {
    let turns = peer.take_turns(turns, &case.peer, &mut case.ours);
    let said = (case.compare)(&turns.found, &turns.answer);
    turns.tell(&case.name, &said);
}

fn inertias(ours: &Value, theirs: &Value) -> String {
    let (ours, theirs) = (ours["inertia"].as_f64().unwrap(), theirs["inertia"].as_f64().unwrap());
    format!("inertia {:+.4} %", (ours / theirs - 1.0) * 100.0)
}

fn labels(ours: &Value, theirs: &Value) -> String {
    let same = |name: &str| if ours[name] == theirs[name] { "same" } else { "OTHER" };
    format!(
        "{} clusters, {} noise: {} labels, {} core points",
        theirs["clusters"],
        theirs["noise"],
        same("labels"),
        same("cores")
    )
}

fn means(ours: &Value, theirs: &Value) -> String {
    format!("differ by {:.1e}", (ours["mean"].as_f64().unwrap() - theirs["mean"].as_f64().unwrap()).abs())
}

/// From the same first centroids.
fn kmeans_case<'a>(x: &'a RefCell<Array2<f64>>, clusters: usize, file: &str) -> Case<'a> {
    let start = x.borrow().slice(ndarray::s![..clusters, ..]).to_owned();
    let (rows, columns) = x.borrow().dim();
    let params = kmeans::Params { restarts: 0, max_iterations: 30, tolerance: 0.0, ..kmeans::Params::new(clusters) };
    Case {
        name: format!("k-means {rows} x {columns}, {clusters} clusters"),
        peer: json!({"do": "kmeans", "file": file, "clusters": clusters, "iterations": 30}),
        ours: Box::new(move || {
            let given = kmeans::Given { start: Some(start.view()), weights: None };
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
            let found = kmeans::fit_in_place(&mut x.borrow_mut(), &params, &given, &mut rng).unwrap();
            json!({"inertia": found.inertia})
        }),
        compare: inertias,
    }
}

/// Each number of clusters from 2 to 10, three starts, the best by silhouette of the same 10,000 rows.
fn search_case<'a>(x: &'a RefCell<Array2<f64>>, file: &str) -> Case<'a> {
    let (rows, columns) = x.borrow().dim();
    Case {
        name: format!("k-means {rows} x {columns}, 2 to 10 by silhouette"),
        peer: json!({"do": "search", "file": file}),
        ours: Box::new(move || {
            let mut best = (f64::NEG_INFINITY, 0, 0.0);
            for clusters in 2..=10 {
                let params = kmeans::Params { restarts: 3, ..kmeans::Params::new(clusters) };
                let (mut rng, given) = (Xoshiro256PlusPlus::seed_from_u64(1), kmeans::Given::default());
                let found = kmeans::fit_in_place(&mut x.borrow_mut(), &params, &given, &mut rng).unwrap();
                let x = x.borrow();
                let labels = found.predict(x.view()).unwrap().labels.to_vec();
                let mean = silhouette(x.view(), &labels, 10_000, &mut Xoshiro256PlusPlus::seed_from_u64(2))
                    .unwrap()
                    .mean
                    .unwrap();
                if mean > best.0 {
                    best = (mean, clusters, found.inertia);
                }
            }
            json!({"clusters": best.1, "inertia": best.2})
        }),
        compare: |ours, theirs| {
            format!("{} and {} clusters, {}", ours["clusters"], theirs["clusters"], inertias(ours, theirs))
        },
    }
}

fn dbscan_case<'a>(x: ArrayView2<'a, f64>, radius: f64, file: &str) -> Case<'a> {
    let params =
        dbscan::Params { radius, min_points: 10, metric: dbscan::Metric::Euclidean, engine: dbscan::Engine::Native };
    Case {
        name: format!("DBSCAN {} x {}, radius {radius}", x.nrows(), x.ncols()),
        peer: json!({"do": "dbscan", "file": file, "radius": radius, "min_points": 10}),
        ours: Box::new(move || {
            let found = dbscan::fit(x, &params).unwrap();
            let labels: Vec<i64> = found.labels.iter().map(|label| label.map_or(-1, |label| label as i64)).collect();
            json!({
                "labels": digest(labels.into_iter()),
                "cores": digest(found.cores.iter().map(|core| i64::from(*core))),
            })
        }),
        compare: labels,
    }
}

fn silhouette_case<'a>(x: ArrayView2<'a, f64>, file: &str) -> Case<'a> {
    let labels: Vec<usize> = (0..x.nrows()).map(|row| usize::from(x[(row, 0)] > 0.0)).collect();
    Case {
        name: format!("exact silhouette {} x {}", x.nrows(), x.ncols()),
        peer: json!({"do": "silhouette", "file": file}),
        ours: Box::new(move || {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
            json!({"mean": silhouette(x, &labels, usize::MAX, &mut rng).unwrap().mean})
        }),
        compare: means,
    }
}

fn main() {
    let (wanted, turns) = (Wanted::of_arguments(), peer::turns(5));
    let mut peer = Peer::start("segmentation.py");
    println!("{:<44} {:>10} {:>11} {:>13}  {:>9}", "", "ours", peer.name, "faster", "more MB");
    let sizes = [
        (1_000_000, 16),
        (100_000, 2),
        (100_000, 3),
        (100_000, 4),
        (1_000_000, 2),
        (1_000_000, 3),
        (1_000_000, 4),
        (100_000, 16),
        (10_000, 16),
    ];
    for (rows, columns) in sizes {
        let file = format!("{rows}x{columns}");
        let x = clouds(rows, columns, if columns == 16 { 8 } else { 20 });
        let radius = [0.0, 0.0, 0.05, 0.15, 0.3][columns.min(4)] * (1e6 / rows as f64).powf(1.0 / columns as f64);
        let radius = if columns == 16 { 2.0 } else { (radius * 1e3).round() / 1e3 };
        let shared = RefCell::new(if rows * columns == 16_000_000 { x.clone() } else { Array2::zeros((9, 1)) });
        let cases = match (rows, columns) {
            (1_000_000, 16) => vec![kmeans_case(&shared, 8, &file), search_case(&shared, &file)],
            (10_000, 16) => vec![silhouette_case(x.view(), &file)],
            _ => vec![dbscan_case(x.view(), radius, &file)],
        };
        for mut case in cases.into_iter().filter(|case| wanted.has(&case.name)) {
            peer.give(&file, x.view());
            run(&mut case, &mut peer, turns);
        }
    }
}
