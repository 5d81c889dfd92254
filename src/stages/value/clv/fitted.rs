//! The models of a moment: how often customers buy, and what a purchase is worth.

use serde::{Deserialize, Serialize};

use super::Clv;
use super::cohorts::{Cohorting, label};
use super::options::SpendModel;
use super::past::Customer;
use crate::algorithms::lifetime::{self, Fitted, Group, LifetimeError, Spend, Spent, gamma_gamma};
use crate::stages::contract::{Failure, StageContext};
use crate::stages::value::days::Days;

/// All that was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// None where nobody has bought more than once.
    pub purchases: Option<Fitted>,
    /// None where it was not asked for, or fewer than two customers have spent something again.
    pub spend: Option<Spend>,
    /// What a purchase was worth on average, of all customers.
    pub mean_value: f64,
    /// What was returned in periods without a purchase, as a share of what all purchases came to.
    pub returned: f64,
    pub cohorts: Cohorting,
    /// Customers that the model of purchases was fitted on, and those of them who have bought more than once.
    pub customers: usize,
    pub repeating: usize,
    /// Different histories among them.
    pub histories: usize,
}

impl Clv {
    /// Learns from customers at a moment; `None` where none of them may be learned from.
    pub(super) fn learn(
        &self,
        days: &Days,
        customers: &[Customer],
        context: &StageContext,
    ) -> Result<Option<Learned>, Failure> {
        let first = days.first().unwrap_or_default();
        let is_fitted = |customer: &&Customer| self.fit_on.is_none_or(|on| on.holds(customer.first_day, first));
        let fitted: Vec<&Customer> = customers.iter().filter(is_fitted).collect();
        if fitted.is_empty() {
            return Ok(None);
        }
        let cohorts = self.cohorts.as_ref().map_or_else(Cohorting::default, |by| {
            Cohorting::of(fitted.iter().map(|customer| (*customer, label(by, days, customer))))
        });
        let (groups, _) = self.grouped(&cohorts, days, fitted.iter().copied());
        let keep_going = || !context.cancel.is_set();
        let purchases = self.fit_purchases(&groups, cohorts.count(), &keep_going)?;
        let spend = match self.spend {
            SpendModel::Mean => None,
            SpendModel::GammaGamma => fit_spend(customers, &keep_going)?,
        };
        let sum = |of: fn(&Customer) -> f64| customers.iter().map(of).sum::<f64>();
        let (value, count) = (sum(|customer| customer.value), sum(|customer| f64::from(customer.repeats) + 1.0));
        let returned = -sum(|customer| customer.returned);
        Ok(Some(Learned {
            purchases,
            spend,
            mean_value: value / count,
            // Returns of what was bought before the data begins must not make customers worth less than nothing.
            returned: if value > 0.0 { (returned / value).clamp(0.0, 1.0) } else { 0.0 },
            cohorts,
            customers: fitted.len(),
            repeating: fitted.iter().filter(|customer| customer.repeats > 0).count(),
            histories: groups.len(),
        }))
    }

    /// Customers of equal histories, and the group of each.
    pub(super) fn grouped<'c>(
        &self,
        cohorts: &Cohorting,
        days: &Days,
        customers: impl Iterator<Item = &'c Customer>,
    ) -> (Vec<Group>, Vec<u32>) {
        let cohort = |customer| self.cohorts.as_ref().map_or(0, |by| cohorts.place(&label(by, days, customer)));
        let history = |customer: &'c Customer| customer.history(self.unit.days(), cohort(customer));
        lifetime::grouped(&customers.map(history).collect::<Vec<_>>())
    }

    fn fit_purchases(
        &self,
        groups: &[Group],
        cohorts: usize,
        keep_going: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Fitted>, Failure> {
        match lifetime::fit(groups, cohorts, self.purchases.of(), keep_going) {
            Ok(fitted) => Ok(Some(fitted)),
            Err(LifetimeError::NoRepeats | LifetimeError::NoCustomers) => Ok(None),
            Err(LifetimeError::Stopped) => Err(Failure::Cancelled),
            Err(error @ LifetimeError::Cohorts { .. }) => {
                Err(Failure::TooLarge(format!("{error}: choose longer cohorts, or a column with fewer values")))
            }
            Err(error @ LifetimeError::NoMaximum) => {
                Err(Failure::data(format!("{error}; try the other model (`purchases`), or another `fit_on`")))
            }
            Err(error) => Err(Failure::bug(error.to_string())),
        }
    }
}

/// What repeat purchases are worth; none where too few customers have any.
fn fit_spend(customers: &[Customer], keep_going: &(dyn Fn() -> bool + Sync)) -> Result<Option<Spend>, Failure> {
    let spent: Vec<Spent> = customers
        .iter()
        .filter_map(|customer| Some(Spent { purchases: customer.repeats, mean: customer.mean_repeat()? }))
        .filter(|spent| spent.mean > 0.0)
        .collect();
    match gamma_gamma::fit(&spent, keep_going) {
        Ok(spend) => Ok(Some(spend)),
        Err(LifetimeError::NoSpend | LifetimeError::NoMaximum) => Ok(None),
        Err(LifetimeError::Stopped) => Err(Failure::Cancelled),
        Err(error) => Err(Failure::bug(error.to_string())),
    }
}
