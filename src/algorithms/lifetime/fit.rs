//! Fits a model of purchases by maximum likelihood.

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bg_nbd::BgNbd;
use super::dual::{Dual, Real};
use super::history::Group;
use super::maximize::{Slopes, covariance, highest, maximize};
use super::pareto_nbd::ParetoNbd;
use super::process::Process;
use super::{LifetimeError, Purchases};

/// Groups whose likelihoods are added in one go.
const BLOCK_GROUPS: usize = 1024;
/// Groups that starts are tried on, at most.
const TRIED_GROUPS_MAX: usize = 20_000;
/// A parameter this many times as large or small as what is common is at the edge of what there is.
const EDGE: f64 = 1e4;
/// The most parameters that a fit may have.
const PARAMETERS_MAX: usize = 200;

/// A fitted model of purchases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    pub purchases: Purchases,
    /// The parameters of each cohort, in the papers' order and the unit of time of the histories.
    pub parameters: Vec<[f64; 4]>,
    /// Their standard errors from the Hessian; empty where that does not determine them.
    pub errors: Vec<[f64; 4]>,
    /// Of all customers.
    pub log_likelihood: f64,
    pub steps: usize,
    pub converged: bool,
    /// Whether the likelihood has no maximum within what is sensible, so that parameters mean nothing, and which.
    pub degenerate: Vec<String>,
}

/// Fits on groups as [`super::grouped`] gives them, of `cohorts` cohorts. Errors on histories that cannot be, and where
/// nobody has ever repeated a purchase.
pub fn fit(
    groups: &[Group],
    cohorts: usize,
    purchases: Purchases,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Fitted, LifetimeError> {
    if groups.is_empty() {
        return Err(LifetimeError::NoCustomers);
    }
    if !groups.iter().all(|group| group.history.is_possible() && (group.history.cohort as usize) < cohorts) {
        return Err(LifetimeError::Impossible);
    }
    if groups.iter().all(|group| group.history.repeats == 0) {
        return Err(LifetimeError::NoRepeats);
    }
    match purchases {
        Purchases::BgNbd => fit_of::<BgNbd>(groups, cohorts, purchases, keep_going),
        Purchases::ParetoNbd => fit_of::<ParetoNbd>(groups, cohorts, purchases, keep_going),
    }
}

fn fit_of<P: Process>(
    groups: &[Group],
    cohorts: usize,
    purchases: Purchases,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Fitted, LifetimeError> {
    let layout = Layout { cohorts, by_cohort: P::BY_COHORT };
    if layout.size() > PARAMETERS_MAX {
        return Err(LifetimeError::Cohorts { cohorts, most: PARAMETERS_MAX / layout.own() });
    }
    let total: f64 = groups.iter().map(|group| f64::from(group.customers)).sum();
    let sum = |of: &dyn Fn(&Group) -> f64| groups.iter().map(|g| f64::from(g.customers) * of(g)).sum::<f64>();
    let (age, repeats) = (sum(&|group| group.history.age), sum(&|group| f64::from(group.history.repeats)));
    let (rate, age) = (repeats / age, age / total);

    // Every start on some of the groups, then the best one on all.
    let step = groups.len().div_ceil(TRIED_GROUPS_MAX).max(1);
    let some: Vec<Group> = groups.iter().step_by(step).copied().collect();
    let some = Shared::new(&some);
    let starts = P::starts(rate, age).into_iter().map(|start| layout.start(start.map(f64::ln)));
    let best = highest(|at| some.total::<P>(layout, at), starts, keep_going)?;
    let all = if step > 1 { Some(Shared::new(groups)) } else { None };
    let all = all.as_ref().unwrap_or(&some);
    let function = |at: &[f64]| all.total::<P>(layout, at);
    let top = if step > 1 { maximize(function, best.at) } else { best };
    if !keep_going() {
        return Err(LifetimeError::Stopped);
    }
    let spread = covariance(function, &top.at);
    let parameters: Vec<[f64; 4]> =
        (0..cohorts).map(|cohort| layout.logarithms(&top.at, cohort).map(f64::exp)).collect();
    let errors = spread.map(|spread| (0..cohorts).map(|cohort| layout.errors(&spread, cohort)).collect::<Vec<_>>());
    let errors: Vec<[f64; 4]> = errors
        .map(|errors| {
            let with = errors.iter().zip(&parameters);
            with.map(|(errors, own)| std::array::from_fn(|place| errors[place] * own[place])).collect()
        })
        .unwrap_or_default();
    let degenerate = at_edge::<P>(&parameters, age);
    Ok(Fitted {
        purchases,
        parameters,
        errors,
        log_likelihood: top.value,
        steps: top.steps,
        converged: top.converged,
        degenerate,
    })
}

/// The names of parameters at the edge of what there is.
fn at_edge<P: Process>(parameters: &[[f64; 4]], age: f64) -> Vec<String> {
    let is_far = |place: usize| {
        let common = if P::IS_TIME[place] { age } else { 1.0 };
        parameters.iter().any(|own| !(1.0 / EDGE..=EDGE).contains(&(own[place] / common)))
    };
    P::NAMES.iter().enumerate().filter(|(place, _)| is_far(*place)).map(|(_, name)| (*name).to_owned()).collect()
}

/// Where the parameters of cohorts lie among the variables: the four of the first cohort, then for each other cohort
/// what its own ones are more.
#[derive(Clone, Copy)]
struct Layout {
    cohorts: usize,
    by_cohort: [bool; 4],
}

impl Layout {
    /// Parameters that a cohort has of its own.
    fn own(self) -> usize {
        self.by_cohort.iter().filter(|own| **own).count()
    }

    fn size(self) -> usize {
        4 + (self.cohorts - 1) * self.own()
    }

    fn start(self, logarithms: [f64; 4]) -> Vec<f64> {
        logarithms.into_iter().chain(std::iter::repeat(0.0)).take(self.size()).collect()
    }

    /// The variables that a parameter of a cohort is the sum of.
    fn places(self, cohort: usize, parameter: usize) -> impl Iterator<Item = usize> {
        let own = self.by_cohort.iter().take(parameter).filter(|own| **own).count();
        let is_own = cohort > 0 && self.by_cohort.get(parameter) == Some(&true);
        let offset = is_own.then(|| 4 + (cohort - 1) * self.own() + own);
        std::iter::once(parameter).chain(offset)
    }

    fn logarithms(self, at: &[f64], cohort: usize) -> [f64; 4] {
        let value = |place: usize| at.get(place).copied().unwrap_or(f64::NAN);
        std::array::from_fn(|parameter| self.places(cohort, parameter).map(value).sum())
    }

    /// Standard errors of the logarithms.
    fn errors(self, covariance: &Array2<f64>, cohort: usize) -> [f64; 4] {
        std::array::from_fn(|parameter| {
            let places: Vec<usize> = self.places(cohort, parameter).collect();
            let entry = |a: &usize, b: &usize| covariance.get((*a, *b)).copied().unwrap_or(f64::NAN);
            places.iter().flat_map(|a| places.iter().map(move |b| entry(a, b))).sum::<f64>().sqrt()
        })
    }
}

/// Groups, and what they share: the likelihood is computed for each cohort and number of repeats, then for each moment
/// of these, of which days leave few, and only then put together for each group.
struct Shared<'a> {
    groups: &'a [Group],
    /// Cohort and repeats.
    counts: Vec<(u32, u32)>,
    /// The place of the cohort and repeats, and the moment.
    moments: Vec<(u32, f64)>,
    /// Of each group the places of its last purchase and of its end.
    places: Vec<[u32; 2]>,
}

impl<'a> Shared<'a> {
    fn new(groups: &'a [Group]) -> Shared<'a> {
        let (mut counts, mut moments, mut places) = (Vec::new(), Vec::new(), Vec::with_capacity(groups.len()));
        let key = |group: &Group| (group.history.cohort, group.history.repeats);
        for same in groups.chunk_by(|a, b| key(a) == key(b)) {
            let count = counts.len() as u32;
            counts.extend(same.first().map(key));
            let start = moments.len();
            let mut own: Vec<f64> = same.iter().flat_map(|group| [group.history.recency, group.history.age]).collect();
            own.par_sort_unstable_by(f64::total_cmp);
            own.dedup();
            let place = |moment: f64| (start + own.partition_point(|other| *other < moment)) as u32;
            places.extend(same.iter().map(|group| [place(group.history.recency), place(group.history.age)]));
            moments.extend(own.into_iter().map(|moment| (count, moment)));
        }
        Shared { groups, counts, moments, places }
    }

    /// The log-likelihood of all customers and its slopes by the variables, added block by block in their order.
    fn total<P: Process>(&self, layout: Layout, at: &[f64]) -> Slopes {
        let cohorts: Vec<[Dual<4>; 4]> =
            (0..layout.cohorts).map(|cohort| Dual::of_logarithms(layout.logarithms(at, cohort))).collect();
        let nothing = Dual::constant(f64::NAN);
        let own = |cohort: u32| cohorts.get(cohort as usize).copied().unwrap_or([nothing; 4]);
        let of_counts = |(cohort, repeats): &(u32, u32)| P::of_repeats(own(*cohort), f64::from(*repeats));
        let terms: Vec<[Dual<4>; 2]> = self.counts.par_iter().map(of_counts).collect();
        let terms_of = |count: u32| terms.get(count as usize).copied().unwrap_or([nothing; 2]);
        let of_moment = |(count, moment): &(u32, f64)| {
            let (cohort, repeats) = self.counts.get(*count as usize).copied().unwrap_or_default();
            P::of_moment(own(cohort), terms_of(*count), f64::from(repeats), *moment)
        };
        let moments: Vec<[Dual<4>; 2]> = self.moments.par_iter().with_min_len(64).map(of_moment).collect();
        let at_moment = |place: u32| moments.get(place as usize).copied().unwrap_or([nothing; 2]);
        let of_block = |(groups, places): (&[Group], &[[u32; 2]])| {
            let mut sums: Vec<(u32, Dual<4>)> = Vec::new();
            for (group, [last, end]) in groups.iter().zip(places) {
                let count = self.moments.get(*end as usize).map_or(0, |(count, _)| *count);
                let repeats = group.history.repeats;
                let own = P::log_likelihood(terms_of(count), at_moment(*last), at_moment(*end), repeats);
                let own = own * f64::from(group.customers);
                match sums.last_mut() {
                    Some((cohort, sum)) if *cohort == group.history.cohort => *sum = *sum + own,
                    _ => sums.push((group.history.cohort, own)),
                }
            }
            sums
        };
        let blocks = self.groups.par_chunks(BLOCK_GROUPS).zip(self.places.par_chunks(BLOCK_GROUPS));
        let blocks: Vec<Vec<(u32, Dual<4>)>> = blocks.map(of_block).collect();
        let (mut value, mut slopes) = (0.0, vec![0.0; layout.size()]);
        for (cohort, sum) in blocks.into_iter().flatten() {
            value += sum.value;
            for (parameter, slope) in sum.slopes.into_iter().enumerate() {
                for place in layout.places(cohort as usize, parameter) {
                    if let Some(slot) = slopes.get_mut(place) {
                        *slot += slope;
                    }
                }
            }
        }
        (value, slopes)
    }
}
