use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Exp, Gamma};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;

const GO: &(dyn Fn() -> bool + Sync) = &|| true;

/// A history of the papers' customers, and what `lifetimes` 0.11.3 expects of one: the chance of being active and
/// purchases in 39 weeks, by BG/NBD and by Pareto/NBD (tests/reference/cdnow.py).
struct Known {
    group: Group,
    later: f64,
    bg_nbd: [f64; 2],
    pareto_nbd: [f64; 2],
}

fn cdnow() -> Vec<Known> {
    let text = include_str!("../../../tests/reference/cdnow_histories.csv");
    let rows = text.lines().skip(1).map(|line| line.split(',').map(|cell| cell.parse::<f64>().unwrap()).collect());
    let known = |row: Vec<f64>| {
        let history = History { repeats: row[0] as u32, recency: row[1] / 7.0, age: row[2] / 7.0, cohort: 0 };
        Known {
            group: Group { history, customers: row[3] as u32 },
            later: row[4],
            bg_nbd: [row[5], row[6]],
            pareto_nbd: [row[7], row[8]],
        }
    };
    rows.map(known).collect()
}

fn groups() -> Vec<Group> {
    cdnow().iter().map(|known| known.group).collect()
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance, "{found:?} is not {expected:?}");
    }
}

/// Fader, Hardie and Lee (2005), table 2: r, α, a, b and the log-likelihood; their figure 3 has 1,653 purchases in the 39
/// weeks after, where 1,882 came.
#[test]
fn bg_nbd_of_the_papers_customers() {
    let groups = groups();
    let found = fit(&groups, 1, Purchases::BgNbd, GO).unwrap();
    assert!(found.converged && found.degenerate.is_empty());
    assert_near(&found.parameters[0], &[0.243, 4.414, 0.793, 2.426], 5e-4);
    assert!((found.log_likelihood + 9582.429).abs() < 5e-4, "{}", found.log_likelihood);
    let expected = found.expected(&groups, 39.0);
    let sum: f64 = expected.iter().zip(&groups).map(|([_, own], group)| own * f64::from(group.customers)).sum();
    assert!((sum - 1653.0).abs() < 1.0, "{sum}");
    let later: f64 = cdnow().iter().map(|known| known.later).sum();
    assert_eq!(later, 1882.0);
}

/// Fader and Hardie (2005), A note on implementing the Pareto/NBD model in MATLAB; the standard errors are those that
/// CLVTools tests for.
#[test]
fn pareto_nbd_of_the_papers_customers() {
    let found = fit(&groups(), 1, Purchases::ParetoNbd, GO).unwrap();
    assert!(found.converged && found.degenerate.is_empty());
    assert_near(&found.parameters[0], &[0.553, 10.578, 0.606, 11.669], 5e-4);
    assert!((found.log_likelihood + 9594.976).abs() < 5e-4, "{}", found.log_likelihood);
    assert_near(&found.errors[0], &[0.0476, 0.8427, 0.1873, 6.2105], 1e-3);
}

/// Fader and Hardie (2013), The Gamma-Gamma model of monetary value: of the 946 customers who repeated.
#[test]
fn gamma_gamma_of_the_papers_customers() {
    let text = include_str!("../../../tests/reference/cdnow_spend.csv");
    let spent = |line: &str| {
        let (purchases, mean) = line.split_once(',').unwrap();
        Spent { purchases: purchases.parse().unwrap(), mean: mean.parse().unwrap() }
    };
    let spent: Vec<Spent> = text.lines().skip(1).map(spent).collect();
    assert_eq!(spent.len(), 946);
    let found = gamma_gamma::fit(&spent, GO).unwrap();
    assert!(found.converged);
    assert_near(&[found.p, found.q, found.gamma], &[6.25, 3.74, 15.44], 5e-3);
    assert!((found.log_likelihood + 4055.918).abs() < 5e-4, "{}", found.log_likelihood);
}

#[test]
fn what_is_expected_is_what_lifetimes_expects() {
    let known = cdnow();
    assert!(known.len() > 1000);
    let fitted = |purchases, parameters: [f64; 4]| Fitted {
        purchases,
        parameters: vec![parameters],
        errors: vec![],
        log_likelihood: 0.0,
        steps: 0,
        converged: true,
        degenerate: vec![],
    };
    let groups = groups();
    let bg_nbd = fitted(Purchases::BgNbd, [0.243, 4.414, 0.793, 2.426]).expected(&groups, 39.0);
    let pareto_nbd = fitted(Purchases::ParetoNbd, [0.553, 10.578, 0.606, 11.669]).expected(&groups, 39.0);
    for ((known, bg_nbd), pareto_nbd) in known.iter().zip(&bg_nbd).zip(&pareto_nbd) {
        assert_near(bg_nbd, &known.bg_nbd, 1e-5);
        assert_near(pareto_nbd, &known.pareto_nbd, 1e-5);
    }
}

/// A customer made by the rules of a model: the history, and what purchases are expected in `horizon` if one knew the
/// rates and whether the customer has left.
struct Made {
    history: History,
    truth: f64,
}

const AGE: f64 = 52.0;
const HORIZON: f64 = 26.0;

fn history(times: &[f64], age: f64) -> History {
    History { repeats: times.len() as u32, recency: times.last().copied().unwrap_or(0.0), age, cohort: 0 }
}

fn made(purchases: Purchases, [r, alpha, third, fourth]: [f64; 4], rng: &mut Xoshiro256PlusPlus) -> Made {
    let rate = Gamma::new(r, 1.0 / alpha).unwrap().sample(rng);
    let age = AGE * rng.r#gen_range(0.5..1.0);
    let wait = Exp::new(rate.max(1e-12)).unwrap();
    let mut times = Vec::new();
    let mut time = wait.sample(rng);
    match purchases {
        Purchases::BgNbd => {
            let leaves = rand_distr::Beta::new(third, fourth).unwrap().sample(rng);
            let mut active = true;
            while time <= age && active {
                times.push(time);
                active = rng.r#gen::<f64>() >= leaves;
                time += wait.sample(rng);
            }
            let truth = if active { super::process::purchases(rate, rate * leaves, HORIZON, 0.0) } else { 0.0 };
            Made { history: history(&times, age), truth }
        }
        Purchases::ParetoNbd => {
            let leaves = Gamma::new(third, 1.0 / fourth).unwrap().sample(rng);
            let end = Exp::new(leaves.max(1e-12)).unwrap().sample(rng);
            while time <= age.min(end) {
                times.push(time);
                time += wait.sample(rng);
            }
            let truth = if end > age { super::process::purchases(rate, leaves, HORIZON, 0.0) } else { 0.0 };
            Made { history: history(&times, age), truth }
        }
    }
}

#[test]
fn what_made_the_customers_is_found_and_ranges_hold_nine_in_ten() {
    let cases = [
        (Purchases::BgNbd, [0.5, 4.0, 0.8, 2.5], 1),
        (Purchases::BgNbd, [2.0, 8.0, 1.5, 9.0], 2),
        (Purchases::ParetoNbd, [0.6, 5.0, 0.7, 12.0], 3),
        (Purchases::ParetoNbd, [1.5, 6.0, 1.2, 30.0], 4),
    ];
    for (purchases, truth, seed) in cases {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let all: Vec<Made> = (0..6_000).map(|_| made(purchases, truth, &mut rng)).collect();
        let histories: Vec<History> = all.iter().map(|made| made.history).collect();
        let (groups, of) = grouped(&histories);
        let found = fit(&groups, 1, purchases, GO).unwrap();
        assert!(found.converged && found.degenerate.is_empty(), "{found:?}");
        for ((own, error), truth) in found.parameters[0].iter().zip(found.errors[0]).zip(truth) {
            assert!((own - truth).abs() < 2.0 * error, "{found:?} {truth}");
        }
        let outlook = found.outlook(&groups, None, Ahead { horizon: HORIZON, discount: 0.0 });
        let of = |place: usize| outlook[of[place] as usize];
        let holds = |(place, made): (usize, &Made)| {
            let range = of(place).range;
            (range.low - 1e-9..=range.high + 1e-9).contains(&made.truth)
        };
        let share = all.iter().enumerate().filter(|own| holds(*own)).count() as f64 / all.len() as f64;
        assert!((0.85..=0.95).contains(&share), "{purchases:?} {truth:?}: {share}");
        let expected: f64 = (0..all.len()).map(|place| of(place).purchases).sum();
        let came: f64 = all.iter().map(|made| made.truth).sum();
        assert!((expected / came - 1.0).abs() < 0.05, "{purchases:?}: {expected} {came}");
    }
}

#[test]
fn cohorts_have_parameters_of_their_own() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    for purchases in [Purchases::BgNbd, Purchases::ParetoNbd] {
        let slow = [1.0, 16.0, 0.8, 4.0];
        let fast = [1.0, 4.0, 0.8, 4.0];
        let mut histories = Vec::new();
        for (cohort, parameters) in [(0, slow), (1, fast)] {
            histories.extend((0..3_000).map(|_| History { cohort, ..made(purchases, parameters, &mut rng).history }));
        }
        let (groups, _) = grouped(&histories);
        let found = fit(&groups, 2, purchases, GO).unwrap();
        let alone = fit(&grouped(&histories).0.iter().map(as_one).collect::<Vec<_>>(), 1, purchases, GO).unwrap();
        assert!(found.log_likelihood > alone.log_likelihood + 50.0);
        let ratio = found.parameters[0][1] / found.parameters[1][1];
        assert!((3.0..5.5).contains(&ratio), "{purchases:?} {ratio}");
        assert_eq!(found.errors.len(), 2);
    }
}

fn as_one(group: &Group) -> Group {
    Group { history: History { cohort: 0, ..group.history }, ..*group }
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let once = Group { history: History { repeats: 0, recency: 0.0, age: 10.0, cohort: 0 }, customers: 5 };
    let fitted = |groups: &[Group]| fit(groups, 1, Purchases::BgNbd, GO).map(|_| ());
    assert_eq!(fitted(&[]), Err(LifetimeError::NoCustomers));
    assert_eq!(fitted(&[once]), Err(LifetimeError::NoRepeats));
    let wrong = Group { history: History { recency: 11.0, repeats: 1, ..once.history }, ..once };
    assert_eq!(fitted(&[wrong]), Err(LifetimeError::Impossible));
    let stopped = fit(&groups(), 1, Purchases::BgNbd, &|| false);
    assert_eq!(stopped, Err(LifetimeError::Stopped));
    let many = fit(&groups(), 1_000, Purchases::BgNbd, GO);
    assert_eq!(many, Err(LifetimeError::Cohorts { cohorts: 1_000, most: 66 }));
}

/// One customer who repeated, and everyone on one day: the likelihood has its maximum at the edge, which is said.
#[test]
fn odd_customers_have_finite_answers() {
    let one = |repeats, recency, age| Group { history: History { repeats, recency, age, cohort: 0 }, customers: 1 };
    for purchases in [Purchases::BgNbd, Purchases::ParetoNbd] {
        for groups in [vec![one(3, 20.0, 30.0)], vec![one(0, 0.0, 0.0), one(1, 1.0, 1.0)]] {
            let found = fit(&groups, 1, purchases, GO).unwrap();
            assert!(!found.degenerate.is_empty() || found.errors.is_empty(), "{purchases:?} {found:?}");
            for outlook in found.outlook(&groups, None, Ahead { horizon: 520.0, discount: 0.002 }) {
                let all = [outlook.alive, outlook.purchases, outlook.discounted, outlook.range.low, outlook.range.high];
                assert!(all.iter().all(|value| value.is_finite() && *value >= 0.0), "{purchases:?} {outlook:?}");
            }
        }
    }
}

#[test]
fn threads_do_not_matter() {
    let groups = groups();
    let at = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(&groups, 1, Purchases::ParetoNbd, GO).unwrap())
    };
    assert_eq!(at(1), at(3));
}
