//! Recommenders beside Python's `implicit` and scikit-learn on the same numbers, taking turns: medians and ratios.
//!
//!     PATRONAGE_PEER=/path/to/python cargo bench --bench recommendation [-- NAME…]
//!
//! NAME picks the cases whose names contain it. PATRONAGE_PEER is a Python with `implicit` and scikit-learn (`python3` by
//! default), and PATRONAGE_TURNS how often each has its turn (3 by default).
//!
//! `quality` compares lists for a real shop (quality.rs). The rest is about time, on
//! 200,000 users, 20,000 items and about 4.27 million pairs: how many items a user has is log-normal, and how popular they
//! are goes by Zipf's law. Both work with two threads.

#[path = "../peers/peer.rs"]
mod peer;
mod quality;

use ndarray::Array2;
use patronage::algorithms::neighbors::{self, Similarity};
use patronage::algorithms::sparse::{Csr, Duplicates};
use patronage::algorithms::wanted::Wanted;
use patronage::algorithms::weighting::{Documents, Weighting, Weights};
use patronage::algorithms::{als, content, inner_product};
use peer::Peer;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, LogNormal, StandardNormal, Zipf};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Value, json};

const USERS: usize = 200_000;
const ITEMS: usize = 20_000;

/// Each pair once.
fn interactions() -> Csr {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(42);
    let activity = LogNormal::new(2.55, 1.0).unwrap();
    let popularity = Zipf::new(ITEMS as u64, 0.9).unwrap();
    let mut triples = Vec::new();
    for user in 0..USERS as u32 {
        let count = f64::min(activity.sample(&mut rng), 2_000.0) as usize + 1;
        triples.extend((0..count).map(|_| (user, popularity.sample(&mut rng) as u32 - 1, 1.0)));
    }
    Csr::from_triples(USERS, ITEMS, triples, Duplicates::Once).unwrap()
}

struct Bench {
    peer: Peer,
    turns: usize,
    wanted: peer::Wanted,
}

impl Bench {
    /// Lets both take turns; `compare` says how the last results differ.
    fn case<T>(
        &mut self,
        name: &str,
        asked: &Value,
        ours: impl FnMut() -> T,
        compare: impl Fn(&T, &Value) -> String,
    ) -> Option<T> {
        if !self.wanted.has(name) {
            return None;
        }
        let turns = self.peer.take_turns(self.turns, asked, ours);
        let said = compare(&turns.found, &turns.answer);
        let theirs = turns.answer["more_bytes"].as_f64().unwrap_or(0.0) / 1e6;
        turns.tell(name, &format!("{said} (the peer more than its data: {theirs:.0} MB)"));
        Some(turns.found)
    }
}

/// The share of the peer's first ten items that are ours as well.
fn shared(lists: &[Vec<(u32, f64)>], answer: &Value) -> String {
    let theirs = answer["lists"].as_array().unwrap();
    let (mut same, mut all) = (0, 0);
    for list in theirs {
        let user = list["user"].as_u64().unwrap() as usize;
        for item in list["items"].as_array().unwrap() {
            all += 1;
            same += usize::from(lists[user].iter().any(|(own, _)| u64::from(*own) == item.as_u64().unwrap()));
        }
    }
    format!("{:.1} % of the items shared", 100.0 * f64::from(same as u32) / f64::from(all.max(1)))
}

fn by_items(bench: &mut Bench, x: &Csr) {
    for (name, similarity, weighting) in [
        ("cosine", Similarity::Cosine, Weighting::Binary),
        ("bm25", Similarity::Dot, Weighting::Bm25 { k1: 100.0, b: 0.8 }),
    ] {
        // The peer counts an item among its own hundred.
        let parameters = neighbors::Parameters { similarity, neighbors: 99, shrinkage: 0.0 };
        let fit = || {
            let weights = Weights::fit(x, weighting, Documents::Items);
            neighbors::weighted_items(x, &weights, &parameters, &|| true).unwrap()
        };
        let asked = json!({"do": "items_fit", "kind": name});
        let model =
            bench.case(&format!("items {name} fit"), &asked, fit, |model, _| format!("{} neighbors", model.entries()));
        if !bench.wanted.has(&format!("items {name} top 10")) {
            continue;
        }
        let model = model.unwrap_or_else(fit);
        let top = || neighbors::recommend(x, &model, 0..USERS, 10, &Wanted::unseen(x));
        let asked = json!({"do": "items_top", "kind": name});
        bench.case(&format!("items {name} top 10"), &asked, top, |lists, answer| shared(lists, answer));
    }
}

fn by_factors(bench: &mut Bench, x: &Csr) {
    let parameters = als::Parameters {
        regularization_exponent: 0.0,
        regularization: 0.01,
        unobserved_weight: 1.0,
        ..als::Parameters::default()
    };
    let fit = || als::fit(x, &parameters, &|| true).unwrap();
    let asked = json!({"do": "als_fit"});
    let factors = bench.case("als 64 factors, 15 iterations, fit", &asked, fit, |factors, _| {
        format!("loss {:.4e}", factors.loss.last().unwrap())
    });
    if bench.wanted.has("als top 10") {
        let factors = factors.unwrap_or_else(fit);
        let top = || inner_product::top(factors.users.view(), &factors.items, 10, &Wanted::unseen(x));
        bench.case("als top 10", &json!({"do": "als_top"}), top, |lists, answer| shared(lists, answer));
    }
}

/// 100,000 items of 384 numbers, and 2,000 users with five items each.
fn by_vectors(bench: &mut Bench) {
    const DESCRIBED: usize = 100_000;
    let name = "vectors 100,000 x 384, 2,000 users";
    if !bench.wanted.has(name) {
        return;
    }
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let vectors = Array2::from_shape_simple_fn((DESCRIBED, 384), || rng.sample::<f64, _>(StandardNormal));
    bench.peer.give("vectors", vectors.view());
    let vectors = vectors.mapv(|value| value as f32);
    let block = content::Block { weight: 1.0, content: content::Content::Vectors(&vectors) };
    let items = content::Items::new(&[block]).unwrap();
    let pairs =
        (0..2_000_u32).flat_map(|user| (0..5).map(move |step| (user, (user * 31 + step * 7_919) % 100_000, 1.0)));
    let histories = Csr::from_triples(2_000, DESCRIBED, pairs.collect(), Duplicates::Once).unwrap();
    let top = || {
        let wanted = Wanted::unseen(&histories);
        content::recommend(&histories, &items, content::Similarity::Cosine, 0..2_000, 10, &wanted)
    };
    bench.case(name, &json!({"do": "vectors_top"}), top, |lists, answer| shared(lists, answer));
}

fn main() {
    let peer = Peer::start("recommendation.py");
    let mut bench = Bench { peer, turns: peer::turns(3), wanted: peer::Wanted::of_arguments() };
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global().unwrap();
    if bench.wanted.has("quality") {
        quality::run(&mut bench.peer);
        println!();
    }
    if bench.wanted.0 == ["quality"] {
        return;
    }
    let x = interactions();
    println!("{USERS} users, {ITEMS} items, {} pairs", x.entries());
    println!("{:<40} {:>10} {:>11} {:>13}  {:>9}", "", "ours", bench.peer.name, "faster", "more MB");
    let mut pairs = Array2::zeros((x.entries(), 2));
    let each = (0..x.rows()).flat_map(|user| x.row(user).0.iter().map(move |item| [user as f64, f64::from(*item)]));
    pairs.rows_mut().into_iter().zip(each).for_each(|(mut row, pair)| {
        row[0] = pair[0];
        row[1] = pair[1];
    });
    bench.peer.give("pairs", pairs.view());
    drop(pairs);
    by_items(&mut bench, &x);
    by_factors(&mut bench, &x);
    by_vectors(&mut bench);
}
