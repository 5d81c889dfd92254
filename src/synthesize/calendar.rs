//! When shops are busy: months, weekdays and hours.

use chrono::{Datelike, Days, NaiveDate, NaiveTime};
use rand::Rng;

/// Demand by month, January first; the year's mean is 1.
const MONTHS: [f64; 12] = [0.82, 0.82, 0.90, 0.95, 0.96, 0.94, 0.90, 0.90, 1.02, 1.12, 1.42, 1.25];

/// Demand by weekday, Monday first; the week's mean is 1.
const WEEKDAYS: [f64; 7] = [1.02, 1.02, 1.02, 1.08, 1.12, 0.98, 0.76];

const OPENS_SECONDS: f64 = 8.0 * 3600.0;
const OPEN_SECONDS: f64 = 13.0 * 3600.0;

/// The days of a history, numbered from 0.
#[derive(Debug, Clone)]
pub struct Calendar {
    from: NaiveDate,
    demand: Vec<f64>,
    demand_max: f64,
}

impl Calendar {
    /// The days `from` to `to`, both within it; empty if `to` is before `from`.
    pub fn new(from: NaiveDate, to: NaiveDate) -> Self {
        let demand: Vec<f64> = from.iter_days().take_while(|date| *date <= to).map(demand_on).collect();
        let demand_max = demand.iter().copied().fold(0.0, f64::max);
        Self { from, demand, demand_max }
    }

    pub fn days(&self) -> usize {
        self.demand.len()
    }

    /// Demand on a day as a share of the busiest day's, to a power: 0 takes the seasons away,
    /// above 1 sharpens them. In (0, 1]; 0 after the last day.
    pub fn busyness(&self, day: usize, power: f64) -> f64 {
        self.demand.get(day).map_or(0.0, |demand| (demand / self.demand_max).powf(power))
    }

    /// The factor by which [`Calendar::busyness`] was scaled down.
    pub fn peak(&self, power: f64) -> f64 {
        self.demand_max.powf(power)
    }

    /// Microseconds from 1970-01-01 (UTC) to the start of a day.
    pub fn start_micros(&self, day: usize) -> i64 {
        let date = self.from.checked_add_days(Days::new(day as u64)).unwrap_or(NaiveDate::MAX);
        date.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
    }
}

fn demand_on(date: NaiveDate) -> f64 {
    let month = MONTHS.get(date.month0() as usize).copied().unwrap_or(1.0);
    let weekday = date.weekday().num_days_from_monday() as usize;
    month * WEEKDAYS.get(weekday).copied().unwrap_or(1.0)
}

/// The second of the day at which an order is made: the mean of two uniforms over the opening
/// hours, so most are near the middle of the day.
pub fn second_of_day(rng: &mut impl Rng) -> u32 {
    let part = 0.5 * (rng.r#gen::<f64>() + rng.r#gen::<f64>());
    (OPENS_SECONDS + OPEN_SECONDS * part) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    #[test]
    fn the_means_of_the_tables_are_one() {
        assert!((MONTHS.iter().sum::<f64>() / 12.0 - 1.0).abs() < 1e-12);
        assert!((WEEKDAYS.iter().sum::<f64>() / 7.0 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn both_ends_belong_to_it_and_november_is_busiest() {
        let calendar = Calendar::new(date(2024, 1, 1), date(2024, 12, 31));
        assert_eq!(calendar.days(), 366);
        // 1704067200 is 2024-01-01T00:00:00Z (date -u -d 2024-01-01 +%s).
        assert_eq!(calendar.start_micros(0), 1_704_067_200_000_000);
        assert_eq!(calendar.start_micros(366), 1_735_689_600_000_000);
        // 2024-11-01 is the 306th day of a leap year, and a Friday.
        assert_eq!(calendar.busyness(305, 1.0), 1.0);
        assert!(calendar.busyness(305, 1.0) > calendar.busyness(30, 1.0));
        assert_eq!(calendar.busyness(366, 1.0), 0.0);
    }
}
