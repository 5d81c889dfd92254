//! Linear and logistic regression, support vector machines and boosted trees beside scikit-learn on the same numbers, taking turns:
//! medians and ratios.
//!
//!     PATRONAGE_PEER=/path/to/python cargo bench --bench prediction [-- NAME…]
//!
//! NAME picks the cases whose names contain it. PATRONAGE_PEER is a Python with scikit-learn (`python3` by default), and
//! PATRONAGE_TURNS how often each has its turn (3 by default). scikit-learn has its defaults, with as many threads as it
//! takes of two.

#[path = "../peers/peer.rs"]
mod peer;

use ndarray::{Array2, ArrayView2, s};
use patronage::algorithms::boosted_trees;
use patronage::algorithms::softmax;
use patronage::algorithms::svm::{self, Kernel};
use patronage::algorithms::{elastic, linear};
use peer::{Peer, Wanted};
use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Value, json};

const ROWS: usize = 1_000_000;
const COLUMNS: usize = 16;
/// Of these, those that trees are judged on.
const UNSEEN: usize = 100_000;

/// Correlated columns, and behind them a number, whether something is true, and one of three classes.
fn table() -> Array2<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(42);
    let effects: Vec<f64> = (0..COLUMNS).map(|column| (column as f64 * 0.7).sin()).collect();
    let mut x = Array2::zeros((ROWS, COLUMNS + 3));
    for mut row in x.rows_mut() {
        let common: f64 = rng.sample(StandardNormal);
        let mut sum = 0.0;
        for column in 0..COLUMNS {
            let noise: f64 = rng.sample(StandardNormal);
            row[column] = 0.5 * common + noise;
            sum += effects[column] * row[column];
        }
        let noise: f64 = rng.sample(StandardNormal);
        row[COLUMNS] = sum + 2.0 * noise;
        let chance = 1.0 / (1.0 + (-0.5 * sum).exp());
        row[COLUMNS + 1] = f64::from(u8::from(rng.r#gen::<f64>() < chance));
        row[COLUMNS + 2] = f64::from(rng.r#gen_range(0..2_u8)) + f64::from(u8::from(sum > 1.0));
    }
    x
}

struct Bench {
    peer: Peer,
    turns: usize,
    wanted: Wanted,
}

impl Bench {
    /// Tells how far the numbers found are apart, against the greatest of them.
    fn case(&mut self, name: &str, asked: &Value, ours: impl FnMut() -> Vec<f64>) {
        if !self.wanted.has(name) {
            return;
        }
        let turns = self.peer.take_turns(self.turns, asked, ours);
        let other: Vec<f64> = serde_json::from_value(turns.answer["found"].clone()).unwrap();
        assert_eq!(turns.found.len(), other.len(), "{name}");
        let size = other.iter().fold(1e-300_f64, |most, value| most.max(value.abs()));
        let apart = turns.found.iter().zip(&other).fold(0.0_f64, |most, (a, b)| most.max((a - b).abs())) / size;
        turns.tell(name, &format!("{apart:.1e} apart"));
    }
}

fn main() {
    let peer = Peer::start("prediction.py");
    let mut bench = Bench { peer, turns: peer::turns(3), wanted: Wanted::of_arguments() };
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global().unwrap();
    let all = table();
    bench.peer.give("table", all.view());
    let x = all.slice(s![.., ..COLUMNS]).to_owned();
    let targets = all.column(COLUMNS).to_vec();
    let truth: Vec<bool> = all.column(COLUMNS + 1).iter().map(|value| *value == 1.0).collect();
    let classes: Vec<u32> = all.column(COLUMNS + 2).iter().map(|value| *value as u32).collect();
    let binary: Vec<u32> = truth.iter().map(|truth| u32::from(*truth)).collect();
    drop(all);
    println!("{:<44} {:>10} {:>11} {:>13}", "", "ours", bench.peer.name, "faster");
    let go = || true;
    bench.case("least squares, 1,000,000 x 16", &json!({"do": "least_squares"}), || {
        linear::fit(x.view(), &targets, 0.0).unwrap().coefficients
    });
    bench.case("ridge, 1,000,000 x 16", &json!({"do": "ridge"}), || {
        linear::fit(x.view(), &targets, 10.0).unwrap().coefficients
    });
    let lasso = elastic::Penalty { l1: 0.1 * ROWS as f64, l2: 0.0 };
    bench.case("lasso, 1,000,000 x 16", &json!({"do": "lasso"}), || {
        elastic::fit(x.view(), &targets, None, &lasso, &elastic::Params::default(), &go).unwrap().coefficients
    });
    let penalty = softmax::Penalty { l1: 0.0, l2: 1.0 };
    let fit = |x: ArrayView2<'_, f64>, of: &[u32], count: usize| {
        let found = softmax::fit(x, of, count, None, &penalty, &softmax::Params::default(), &go).unwrap();
        found.coefficients.iter().copied().collect::<Vec<f64>>()
    };
    bench.case("logistic, 1,000,000 x 16", &json!({"do": "logistic"}), || fit(x.view(), &binary, 2));
    bench.case("logistic of 3 classes, 1,000,000 x 16", &json!({"do": "multinomial"}), || fit(x.view(), &classes, 3));
    bench.case("linear svm, 1,000,000 x 16", &json!({"do": "linear_svm"}), || {
        svm::linear::classify(x.view(), &truth, None, &svm::linear::Params::default(), &go).unwrap().coefficients
    });
    let few = x.slice(s![..10_000, ..]).to_owned();
    let gamma = 1.0 / COLUMNS as f64;
    bench.case("rbf svm, 10,000 x 16", &json!({"do": "rbf_svm", "gamma": gamma}), || {
        let params = svm::kernelized::Params::new(Kernel::Rbf { gamma });
        let found = svm::kernelized::classify(few.view(), &truth[..10_000], None, &params, &go).unwrap();
        found.decision(few.slice(s![..1_000, ..])).unwrap()
    });
    let (unseen, outcomes) = (x.slice(s![ROWS - UNSEEN.., ..]), &truth[ROWS - UNSEEN..]);
    for rows in [10_000, ROWS - UNSEEN] {
        let name = format!("boosted trees, {rows} x 16: loss of {UNSEEN} rows");
        bench.case(&name, &json!({"do": "boosted_trees", "rows": rows}), || {
            let params = boosted_trees::Params::default();
            let seen = x.slice(s![..rows, ..]);
            let found = boosted_trees::fit_binary(seen, &truth[..rows], None, &params, &go).unwrap();
            let found = found.predictions(unseen).unwrap();
            let loss = |(p, truth): (&f64, &bool)| -if *truth { p.ln() } else { (1.0 - p).ln() };
            vec![found.iter().zip(outcomes).map(loss).sum::<f64>() / UNSEEN as f64]
        });
    }
}
