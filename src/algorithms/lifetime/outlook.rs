//! What is expected of each customer.

use rayon::prelude::*;

use super::bg_nbd::BgNbd;
use super::fit::Fitted;
use super::history::{Group, History};
use super::pareto_nbd::ParetoNbd;
use super::posterior::{Points, Range};
use super::process::{Process, discounted};
use super::{Purchases, Spend};

/// How far to look, in the unit of time of the histories.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ahead {
    pub horizon: f64,
    /// The logarithm of what one is worth now against one a unit of time later; zero for no discount.
    pub discount: f64,
}

/// What is expected of a customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// The chance of being active.
    pub alive: f64,
    /// Purchases in the horizon.
    pub purchases: f64,
    /// 90 % of what they are expected to be if one knew the customer wholly.
    pub range: Range,
    /// The same purchases, discounted.
    pub discounted: f64,
    /// 90 % of what the purchases are worth, discounted, times [`Spend::scale`] of the customer; zero without a model of
    /// spending.
    pub worth: Range,
}

impl Fitted {
    /// What the papers call the parameters, in their order.
    pub fn names(&self) -> [&'static str; 4] {
        match self.purchases {
            Purchases::BgNbd => BgNbd::NAMES,
            Purchases::ParetoNbd => ParetoNbd::NAMES,
        }
    }

    fn parameters_of(&self, history: &History) -> [f64; 4] {
        self.parameters.get(history.cohort as usize).copied().unwrap_or([f64::NAN; 4])
    }

    /// The chance of being active and purchases expected in `horizon` of each group.
    pub fn expected(&self, groups: &[Group], horizon: f64) -> Vec<[f64; 2]> {
        match self.purchases {
            Purchases::BgNbd => self.expected_of::<BgNbd>(groups, horizon),
            Purchases::ParetoNbd => self.expected_of::<ParetoNbd>(groups, horizon),
        }
    }

    fn expected_of<P: Process>(&self, groups: &[Group], horizon: f64) -> Vec<[f64; 2]> {
        let of = |group: &Group| {
            let own = self.parameters_of(&group.history);
            let alive = P::alive(own, &group.history);
            [alive, alive * P::expected(own, &group.history, horizon)]
        };
        groups.par_iter().map(of).collect()
    }

    /// The outlook of each group, groups in the order that [`super::grouped`] gives them; with a model of spending also of
    /// what they are worth.
    pub fn outlook(&self, groups: &[Group], spend: Option<&Spend>, ahead: Ahead) -> Vec<Outlook> {
        match self.purchases {
            Purchases::BgNbd => self.outlook_of::<BgNbd>(groups, spend, ahead),
            Purchases::ParetoNbd => self.outlook_of::<ParetoNbd>(groups, spend, ahead),
        }
    }

    fn outlook_of<P: Process>(&self, groups: &[Group], spend: Option<&Spend>, ahead: Ahead) -> Vec<Outlook> {
        let key = |group: &Group| (group.history.cohort, group.history.repeats);
        let runs: Vec<&[Group]> = groups.chunk_by(|a, b| key(a) == key(b)).collect();
        let of_run = |run: &&[Group]| -> Vec<Outlook> {
            let Some(first) = run.first() else { return vec![] };
            let own = self.parameters_of(&first.history);
            let points = Points::new::<P>(own, first.history.repeats, spend);
            let of = |group: &Group| {
                let history = &group.history;
                let alive = P::alive(own, history);
                let [range, worth] = points.ranges::<P>(own, history, alive, ahead);
                Outlook {
                    alive,
                    purchases: alive * P::expected(own, history, ahead.horizon),
                    range,
                    discounted: alive * discounted::<P>(own, history, ahead.horizon, ahead.discount),
                    worth,
                }
            };
            run.par_iter().map(of).collect()
        };
        let parts: Vec<Vec<Outlook>> = runs.par_iter().map(of_run).collect();
        parts.into_iter().flatten().collect()
    }
}
