//! What a pipeline may say of a customer's lifetime value.

use std::borrow::Cow;

use chrono::NaiveDate;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::algorithms::lifetime;
use crate::config::Span;
use crate::stages::value::days::{date_of, day_of, month_of};

/// Which model says how often customers buy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PurchaseModel {
    /// A customer may leave after each purchase (Fader, Hardie and Lee 2005). Who has bought once has not left.
    #[default]
    BgNbd,
    /// A customer may leave at any time (Schmittlein, Morrison and Colombo 1987).
    ParetoNbd,
}

impl PurchaseModel {
    pub fn of(self) -> lifetime::Purchases {
        match self {
            PurchaseModel::BgNbd => lifetime::Purchases::BgNbd,
            PurchaseModel::ParetoNbd => lifetime::Purchases::ParetoNbd,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            PurchaseModel::BgNbd => "BG/NBD",
            PurchaseModel::ParetoNbd => "Pareto/NBD",
        }
    }
}

/// What says how much a purchase will be worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpendModel {
    /// Gamma-Gamma (Fader and Hardie 2013): between the mean of the customer's repeat purchases and that of all customers,
    /// nearer to the former the more there are.
    #[default]
    GammaGamma,
    /// The mean of the customer's own purchases.
    Mean,
}

/// A length of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From midnight to midnight, UTC.
    #[default]
    Day,
    /// From Monday on.
    Week,
    /// Of the calendar; as a unit a twelfth of 365.25 days.
    Month,
}

impl Period {
    /// Days since 1970 of the first day of the period that a day is in.
    pub fn start(self, day: i32) -> i32 {
        match self {
            Period::Day => day,
            // 1970-01-01 was a Thursday.
            Period::Week => day - (day + 3).rem_euclid(7),
            Period::Month => {
                let (year, month) = month_of(day);
                NaiveDate::from_ymd_opt(year, month as u32 + 1, 1).map_or(day, day_of)
            }
        }
    }

    /// As a unit of time, in days.
    pub fn days(self) -> f64 {
        match self {
            Period::Day => 1.0,
            Period::Week => 7.0,
            Period::Month => 365.25 / 12.0,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
        }
    }
}

/// Which nets of a period are a purchase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// What was bought is worth more than what was returned.
    #[default]
    AboveZero,
    /// Free purchases count too; so does a period whose returns equal its purchases.
    NotBelowZero,
}

impl Counts {
    pub fn is_purchase(self, net: f64) -> bool {
        match self {
            Counts::AboveZero => net > 0.0,
            Counts::NotBelowZero => net >= 0.0,
        }
    }
}

/// What divides customers into cohorts with parameters of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cohorts {
    /// When they bought first.
    First(Calendar),
    /// A column of the events, such as a country: its value on the customer's first day.
    Column(String),
}

/// A part of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    Month,
    Quarter,
    Year,
}

impl Calendar {
    /// How many of these have passed since the year 0.
    pub fn index(self, day: i32) -> i32 {
        let (year, month) = month_of(day);
        match self {
            Calendar::Month => 12 * year + month,
            Calendar::Quarter => 4 * year + month / 3,
            Calendar::Year => year,
        }
    }

    /// `2011-03`, `2011-Q1` or `2011`.
    pub fn name(self, day: i32) -> String {
        let (year, month) = month_of(day);
        match self {
            Calendar::Month => date_of(day).format("%Y-%m").to_string(),
            Calendar::Quarter => format!("{year}-Q{}", month / 3 + 1),
            Calendar::Year => year.to_string(),
        }
    }
}

/// How a date is written.
struct Date;

impl JsonSchema for Date {
    fn schema_name() -> Cow<'static, str> {
        "Date".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date", "x-expected": "a date such as `2024-01-31`" })
    }
}

/// Whose purchases the model of purchases is fitted on: customers whose first purchase lies in all of these limits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FitOn {
    /// So long after the first event at least, so that those who were customers before the data begins are left out.
    #[serde(default)]
    pub after_first: Option<Span>,
    /// From this day on.
    #[serde(default)]
    #[schemars(with = "Option<Date>")]
    pub from: Option<NaiveDate>,
    /// Before this day.
    #[serde(default)]
    #[schemars(with = "Option<Date>")]
    pub before: Option<NaiveDate>,
}

impl FitOn {
    /// Whether a customer who bought first on this day is one of them; `first` is the day of the first event.
    pub fn holds(&self, day: i32, first: i32) -> bool {
        self.after_first.is_none_or(|span| day >= first.saturating_add(span.in_days() as i32))
            && self.from.is_none_or(|from| day >= day_of(from))
            && self.before.is_none_or(|before| day < day_of(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> i32 {
        day_of(text.parse().unwrap())
    }

    #[test]
    fn periods_start_where_the_calendar_says() {
        for (period, of, starts) in [
            (Period::Day, "2024-02-29", "2024-02-29"),
            (Period::Week, "2024-02-29", "2024-02-26"),
            (Period::Week, "2024-02-26", "2024-02-26"),
            (Period::Week, "1969-12-31", "1969-12-29"),
            (Period::Month, "2024-02-29", "2024-02-01"),
            (Period::Month, "1969-12-31", "1969-12-01"),
        ] {
            assert_eq!(date_of(period.start(day(of))), date_of(day(starts)), "{period:?} of {of}");
        }
    }

    #[test]
    fn cohorts_are_named_by_the_calendar() {
        let moment = day("2011-12-09");
        let names = [Calendar::Month, Calendar::Quarter, Calendar::Year].map(|of| of.name(moment));
        assert_eq!(names, ["2011-12", "2011-Q4", "2011"]);
        assert_eq!(Calendar::Quarter.index(day("2012-01-01")) - Calendar::Quarter.index(moment), 1);
    }

    #[test]
    fn limits_are_half_open() {
        let on = FitOn { after_first: Some(Span::days(30)), from: None, before: Some("2024-03-01".parse().unwrap()) };
        let first = day("2024-01-01");
        let holds = |text: &str| on.holds(day(text), first);
        assert!(!holds("2024-01-30") && holds("2024-01-31") && holds("2024-02-29") && !holds("2024-03-01"));
    }
}
