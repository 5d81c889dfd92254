//! Lists for a real shop beside those of `implicit`: same split, same items asked for, same measure.
//!
//! Of Online Retail (PATRONAGE_RETAIL names its transactions.parquet) the last 30 days are held out to compare by, and the
//! 30 days before to choose the settings of each by, out of small grids. A customer's relevant items are those bought in
//! the hold-out and never before; the measure is NDCG@10.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::Array2;
use patronage::algorithms::als::{self, Solver};
use patronage::algorithms::inner_product;
use patronage::algorithms::neighbors::{self, Similarity};
use patronage::algorithms::sparse::{Csr, Duplicates};
use patronage::algorithms::wanted::Wanted;
use patronage::algorithms::weighting::{Documents, Weighting, Weights};
use patronage::metrics::{intervals, ranking};
use polars::prelude::{DataType, LazyFrame, PlRefPath, ScanArgsParquet, col};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Value, json};

use super::peer::Peer;

const DAY_US: i64 = 86_400_000_000;
const HOLDOUT_DAYS: i64 = 30;
const LENGTH: usize = 10;

/// What was bought before a moment, and what each customer bought anew in the 30 days after it.
struct Split {
    known: Csr,
    relevant: Vec<Vec<u32>>,
}

/// Customer, item, microseconds.
fn purchases(path: &str) -> Vec<(i64, String, i64)> {
    let scanned = LazyFrame::scan_parquet(PlRefPath::new(path), ScanArgsParquet::default()).unwrap();
    let wanted = col("customer_id").is_not_null().and(col("product_id").is_not_null());
    let frame = scanned
        .filter(wanted.and(col("quantity").gt(0)))
        .select([col("customer_id"), col("product_id"), col("ordered_at").cast(DataType::Int64)])
        .collect()
        .unwrap();
    let customers = frame.column("customer_id").unwrap().i64().unwrap().clone();
    let items = frame.column("product_id").unwrap().str().unwrap().clone();
    let times = frame.column("ordered_at").unwrap().i64().unwrap().clone();
    let rows = customers.iter().zip(items.iter()).zip(times.iter());
    rows.filter_map(|((customer, item), time)| Some((customer?, item?.to_owned(), time?))).collect()
}

fn split(purchases: &[(i64, String, i64)], end_us: i64) -> Split {
    let start_us = end_us - HOLDOUT_DAYS * DAY_US;
    let before = || purchases.iter().filter(|(.., time)| *time < start_us);
    let number = |all: BTreeSet<_>| -> BTreeMap<_, u32> { all.into_iter().zip(0..).collect() };
    let users = number(before().map(|(customer, ..)| customer.to_string()).collect());
    let items = number(before().map(|(_, item, _)| item.clone()).collect());
    let place = |(customer, item, _): &(i64, String, i64)| Some((*users.get(&customer.to_string())?, items.get(item)?));
    let pairs = before().filter_map(place).map(|(user, item)| (user, *item, 1.0)).collect();
    let known = Csr::from_triples(users.len(), items.len(), pairs, Duplicates::Once).unwrap();
    let mut relevant = vec![BTreeSet::new(); users.len()];
    // An item that nobody has bought before cannot be on a list, but it was wanted.
    let mut new_items: BTreeMap<&str, u32> = BTreeMap::new();
    for (customer, item, time) in purchases.iter().filter(|(.., time)| (start_us..end_us).contains(time)) {
        let Some(user) = users.get(&customer.to_string()).filter(|_| *time >= start_us) else { continue };
        let next = (items.len() + new_items.len()) as u32;
        let item = items.get(item).copied().unwrap_or_else(|| *new_items.entry(item).or_insert(next));
        if !known.row(*user as usize).0.contains(&item) {
            relevant[*user as usize].insert(item);
        }
    }
    Split { known, relevant: relevant.into_iter().map(|items| items.into_iter().collect()).collect() }
}

impl Split {
    fn ndcg(&self, lists: &[Vec<u32>]) -> Vec<f64> {
        ranking::evaluate(lists, &self.relevant, LENGTH, self.known.columns()).ndcg
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn items(lists: Vec<Vec<(u32, f64)>>) -> Vec<Vec<u32>> {
    lists.into_iter().map(|list| list.into_iter().map(|(item, _)| item).collect()).collect()
}

fn our_als(known: &Csr, setting: &Value) -> Vec<Vec<u32>> {
    let of = |name: &str| setting[name].as_f64().unwrap();
    let (exponent, unobserved_weight) = (of("exponent"), of("unobserved_weight"));
    let mean = |exponent: f64| als::mean_penalty(known, exponent, unobserved_weight);
    let parameters = als::Parameters {
        factors: of("factors") as usize,
        iterations: 15,
        regularization: of("regularization") * mean(1.0) / mean(exponent),
        regularization_exponent: exponent,
        unobserved_weight,
        solver: Solver::ConjugateGradient { steps: 3 },
        seed: 7,
    };
    let factors = als::fit(known, &parameters, &|| true).unwrap();
    items(inner_product::top(factors.users.view(), &factors.items, LENGTH, &Wanted::unseen(known)))
}

fn our_items(known: &Csr, setting: &Value) -> Vec<Vec<u32>> {
    let (similarity, weighting) = match setting["kind"].as_str().unwrap() {
        "cosine" => (Similarity::Cosine, Weighting::Binary),
        _ => (Similarity::Dot, Weighting::Bm25 { k1: 100.0, b: 0.8 }),
    };
    // The peer counts an item among its own neighbors.
    let neighbors = setting["neighbors"].as_u64().unwrap() as usize - 1;
    let weights = Weights::fit(known, weighting, Documents::Items);
    let parameters = neighbors::Parameters { similarity, neighbors, shrinkage: 0.0 };
    let model = neighbors::weighted_items(known, &weights, &parameters, &|| true).unwrap();
    items(neighbors::recommend(known, &model, 0..known.rows(), LENGTH, &Wanted::unseen(known)))
}

/// All settings that take one value of each dimension.
fn grid(dimensions: &[(&str, &[f64])]) -> Vec<Value> {
    let mut all = vec![json!({})];
    for (name, values) in dimensions {
        let with = |setting: &Value, value: f64| {
            let mut setting = setting.clone();
            setting[*name] = json!(value);
            setting
        };
        all = all.iter().flat_map(|setting| values.iter().map(move |value| with(setting, *value))).collect();
    }
    all
}

/// The setting with the highest mean on the first split, with its values on both.
fn best(tried: Vec<(Value, [Vec<f64>; 2])>, split: usize) -> (Value, [Vec<f64>; 2]) {
    tried.into_iter().max_by(|a, b| mean(&a.1[split]).total_cmp(&mean(&b.1[split]))).unwrap()
}

pub fn run(peer: &mut Peer) {
    let Ok(path) = std::env::var("PATRONAGE_RETAIL") else {
        println!("quality: skipped, since PATRONAGE_RETAIL does not name transactions.parquet of Online Retail");
        return;
    };
    let purchases = purchases(&path);
    let last = purchases.iter().map(|(.., time)| *time).max().unwrap();
    let end = (last / DAY_US + 1) * DAY_US;
    let splits = [split(&purchases, end - HOLDOUT_DAYS * DAY_US), split(&purchases, end)];
    for (name, split) in ["known-0", "known-1"].into_iter().zip(&splits) {
        let mut pairs = Array2::zeros((split.known.entries(), 2));
        let each = (0..split.known.rows())
            .flat_map(|user| split.known.row(user).0.iter().map(move |item| [user as f64, f64::from(*item)]));
        pairs.rows_mut().into_iter().zip(each).for_each(|(mut row, pair)| (row[0], row[1]) = (pair[0], pair[1]));
        peer.give(name, pairs.view());
        let measured = split.relevant.iter().filter(|items| !items.is_empty()).count();
        println!(
            "{} customers, {} items, {} pairs; {measured} bought something new",
            split.known.rows(),
            split.known.columns(),
            split.known.entries()
        );
    }
    let mut theirs = |what: &str, setting: &Value| -> [Vec<f64>; 2] {
        [0, 1].map(|number| {
            let mut asked = setting.clone();
            (asked["do"], asked["split"]) = (json!(what), json!(number));
            let (_, answer) = peer.ask(&asked);
            let lists: Vec<Vec<u32>> = serde_json::from_value(answer["all"].clone()).unwrap();
            splits[number].ndcg(&lists)
        })
    };
    let ours = |fit: fn(&Csr, &Value) -> Vec<Vec<u32>>, setting: &Value| -> [Vec<f64>; 2] {
        [0, 1].map(|number| splits[number].ndcg(&fit(&splits[number].known, setting)))
    };
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    println!("\nNDCG@10 of the last 30 days               ours  implicit  difference");
    for kind in ["cosine", "bm25"] {
        for neighbors in [20, 100] {
            let setting = json!({"kind": kind, "neighbors": neighbors});
            let (own, other) = (ours(our_items, &setting), theirs("quality_items", &setting));
            let difference = intervals::mean_difference(&own[1], &other[1], 1_000, &mut rng).unwrap();
            println!(
                "{:<40} {:.4} {:>9.4}  {:+.4} ({:+.4} to {:+.4})",
                format!("items {kind}, {neighbors} neighbors"),
                mean(&own[1]),
                mean(&other[1]),
                difference.estimate,
                difference.low,
                difference.high
            );
        }
    }
    let factors: (&str, &[f64]) = ("factors", &[64.0, 128.0, 192.0]);
    let own = grid(&[
        factors,
        ("regularization", &[0.0025, 0.005, 0.01, 0.02]),
        ("exponent", &[0.5, 1.0]),
        ("unobserved_weight", &[0.25, 0.5, 1.0]),
    ]);
    let own: Vec<_> = own
        .into_iter()
        .map(|setting| {
            let found = ours(our_als, &setting);
            (setting, found)
        })
        .collect();
    let other = grid(&[factors, ("regularization", &[1.0, 10.0, 30.0, 100.0]), ("alpha", &[1.0, 2.0, 5.0])]);
    let other: Vec<_> = other
        .into_iter()
        .map(|setting| {
            let found = theirs("quality_als", &setting);
            (setting, found)
        })
        .collect();
    for (told, split) in [("als, chosen on the 30 days before", 0), ("als, chosen in hindsight", 1)] {
        let ((own_setting, own), (other_setting, other)) = (best(own.clone(), split), best(other.clone(), split));
        let difference = intervals::mean_difference(&own[1], &other[1], 1_000, &mut rng).unwrap();
        println!(
            "{told:<40} {:.4} {:>9.4}  {:+.4} ({:+.4} to {:+.4})",
            mean(&own[1]),
            mean(&other[1]),
            difference.estimate,
            difference.low,
            difference.high
        );
        println!("    ours {own_setting}, implicit {other_setting}");
    }
    let default = json!({"factors": 64, "regularization": 10.0, "exponent": 0.5, "unobserved_weight": 0.5});
    println!("als by its defaults                      {:.4}", mean(&ours(our_als, &default)[1]));
}
