//! Lifetime value beside `lifetimes` on the same customers, taking turns: medians and ratios.
//!
//!     PATRONAGE_PEER=/path/to/python cargo bench --bench value [-- NAME…]
//!
//! NAME picks the cases whose names contain it. PATRONAGE_PEER is a Python with lifetimes 0.11.3 and pandas before 3
//! (`python3` by default), and PATRONAGE_TURNS how often each has its turn (3 by default: a turn of the peer's takes
//! minutes).

#[path = "../peers/peer.rs"]
mod peer;

use ndarray::Array2;
use patronage::algorithms::lifetime::{self, Ahead, History, Purchases, Spent, gamma_gamma};
use peer::{Peer, Wanted};
use rand::{Rng, SeedableRng};
use rand_distr::{Beta, Distribution, Exp, Gamma};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Value, json};

/// Weeks ahead.
const HORIZON: f64 = 52.0;

/// Customers of BG/NBD (r .8, α 10 weeks, a .8, b 2.5) who came in the last two years, in weeks counted by days: repeats,
/// recency, age, and what a repeat purchase was worth on average.
fn customers(count: usize) -> Array2<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(42);
    let (rates, leaving) = (Gamma::new(0.8, 0.1).unwrap(), Beta::new(0.8, 2.5).unwrap());
    let (values, scales) = (Gamma::new(6.25, 1.0).unwrap(), Gamma::new(3.74, 1.0 / 15.44).unwrap());
    let mut all = Array2::zeros((count, 4));
    for mut row in all.rows_mut() {
        let age = f64::from(rng.gen_range(1..=728_u32));
        let (rate, leaves): (f64, f64) = (rates.sample(&mut rng) / 7.0, leaving.sample(&mut rng));
        let scale: f64 = scales.sample(&mut rng);
        let wait = Exp::new(rate.max(1e-9)).unwrap();
        let (mut at, mut last, mut repeats, mut sum) = (0.0, 0.0, 0.0, 0.0);
        loop {
            at += wait.sample(&mut rng);
            let day = f64::floor(at);
            if day > age {
                break;
            }
            if day > last {
                let value: f64 = values.sample(&mut rng);
                (last, repeats, sum) = (day, repeats + 1.0, sum + value / scale);
            }
            if rng.gen_bool(leaves) {
                break;
            }
        }
        let mean = if repeats > 0.0 { sum / repeats } else { 0.0 };
        row.assign(&ndarray::array![repeats, last / 7.0, age / 7.0, mean]);
    }
    all
}

/// Fits, and says of each customer what is expected and what it is worth; `wholly`: discounted and with ranges, which the
/// peer does not say.
fn value(all: &Array2<f64>, purchases: Purchases, wholly: bool) -> Value {
    let rows = all.as_slice().unwrap().as_chunks::<4>().0;
    let history = |row: &[f64; 4]| History { repeats: row[0] as u32, recency: row[1], age: row[2], cohort: 0 };
    let histories: Vec<History> = rows.iter().map(history).collect();
    let (groups, group_of) = lifetime::grouped(&histories);
    let fitted = lifetime::fit(&groups, 1, purchases, &|| true).unwrap();
    let repeating = rows.iter().filter(|row| row[0] > 0.0);
    let spent: Vec<Spent> = repeating.map(|row| Spent { purchases: row[0] as u32, mean: row[3] }).collect();
    let spend = gamma_gamma::fit(&spent, &|| true).unwrap();
    let of_groups: Vec<[f64; 3]> = if wholly {
        let ahead = Ahead { horizon: HORIZON, discount: 1.1_f64.ln() * 7.0 / 365.25 };
        let found = fitted.outlook(&groups, Some(&spend), ahead);
        found.iter().map(|own| [own.alive, own.purchases, own.discounted]).collect()
    } else {
        let found = fitted.expected(&groups, HORIZON);
        found.iter().map(|[alive, purchases]| [*alive, *purchases, *purchases]).collect()
    };
    let mut sums = [0.0; 3];
    for (row, group) in rows.iter().zip(&group_of) {
        let [alive, purchases, counted] = of_groups[*group as usize];
        sums[0] += alive;
        sums[1] += purchases;
        sums[2] += counted * spend.expected(row[0], row[3]).unwrap();
    }
    let [alive, expected, worth] = sums;
    json!({"expected": expected, "alive": alive, "worth": worth, "groups": groups.len()})
}

fn main() {
    let (wanted, turns) = (Wanted::of_arguments(), peer::turns(3));
    let mut peer = Peer::start("value.py");
    println!("{:<44} {:>10} {:>11} {:>13}  {:>9}", "", "ours", peer.name, "faster", "more MB");
    for count in [100_000, 1_000_000] {
        let all = customers(count);
        for (purchases, model) in [(Purchases::BgNbd, "bg_nbd"), (Purchases::ParetoNbd, "pareto_nbd")] {
            for (wholly, how) in [(false, "the same"), (true, "and ranges")] {
                let name = format!("{model}, {count} customers, {how}");
                if !wanted.has(&name) {
                    continue;
                }
                let file = count.to_string();
                peer.give(&file, all.view());
                let asked = json!({"do": model, "file": file, "horizon": HORIZON});
                let turns = peer.take_turns(turns, &asked, || value(&all, purchases, wholly));
                let (ours, theirs) = (&turns.found, &turns.answer);
                let apart = |name: &str| (ours[name].as_f64().unwrap() / theirs[name].as_f64().unwrap() - 1.0) * 100.0;
                let said = format!(
                    "{} histories; in all, purchases {:+.3} %, active {:+.3} %, worth {:+.3} %",
                    ours["groups"],
                    apart("expected"),
                    apart("alive"),
                    apart("worth")
                );
                turns.tell(&name, &said);
            }
        }
    }
}
