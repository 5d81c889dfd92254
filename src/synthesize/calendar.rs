//! When shops are busy: months, weekdays and hours; and time as a customer's process sees it.

use chrono::{Datelike, Days, NaiveDate, NaiveTime};

/// Demand by month, January first; the mean is 1.
const MONTHS: [f64; 12] = [0.82, 0.82, 0.90, 0.95, 0.96, 0.94, 0.90, 0.90, 1.02, 1.12, 1.42, 1.25];

/// Demand by weekday, Monday first; the week's mean is 1.
const WEEKDAYS: [f64; 7] = [1.02, 1.02, 1.02, 1.08, 1.12, 0.98, 0.76];

/// Days after the last one for which the truth tells what to expect.
pub const HORIZON_DAYS: usize = 365;

/// The mean of a season is taken over four years, one of them a leap year.
const NORM_FROM: Option<NaiveDate> = NaiveDate::from_ymd_opt(2021, 1, 1);
const NORM_DAYS: usize = 1_461;

const OPENS_SECONDS: f64 = 8.0 * 3600.0;
const OPEN_SECONDS: f64 = 13.0 * 3600.0;
const MICROS: i64 = 1_000_000;

/// The days of a history, numbered from 0.
#[derive(Debug, Clone)]
pub struct Calendar {
    from: NaiveDate,
    days: usize,
}

impl Calendar {
    /// The days `from` to `to`, both within it; empty if `to` is before `from`.
    pub fn new(from: NaiveDate, to: NaiveDate) -> Self {
        let days = to.signed_duration_since(from).num_days() + 1;
        Self { from, days: usize::try_from(days).unwrap_or(0) }
    }

    pub fn days(&self) -> usize {
        self.days
    }

    /// Weeks, the last of them perhaps cut short.
    pub fn weeks(&self) -> usize {
        self.days.div_ceil(7)
    }

    pub fn date(&self, day: usize) -> NaiveDate {
        self.from.checked_add_days(Days::new(day as u64)).unwrap_or(NaiveDate::MAX)
    }

    /// Microseconds from 1970-01-01 (UTC) to the start of a day.
    pub fn start_micros(&self, day: usize) -> i64 {
        self.date(day).and_time(NaiveTime::MIN).and_utc().timestamp_micros()
    }

    /// Microseconds from 1970-01-01 (UTC) to a moment in days, moved into opening hours.
    pub fn open_micros(&self, at: f64) -> i64 {
        self.start_micros(at as usize) + i64::from(open_second(at.fract())) * MICROS
    }
}

/// The demand of a day to a power: 0 takes the seasons away, above 1 sharpens them.
fn demand(date: NaiveDate, power: f64) -> f64 {
    let month = MONTHS.get(date.month0() as usize).copied().unwrap_or(1.0);
    let weekday = date.weekday().num_days_from_monday() as usize;
    (month * WEEKDAYS.get(weekday).copied().unwrap_or(1.0)).powf(power)
}

/// The second of the day for a part of it: monotone, and distributed like the mean of two uniforms
/// over the opening hours if the part is uniform.
fn open_second(part: f64) -> u32 {
    let triangular = if part < 0.5 { (part / 2.0).sqrt() } else { 1.0 - ((1.0 - part) / 2.0).sqrt() };
    (OPENS_SECONDS + OPEN_SECONDS * triangular) as u32
}

/// The season as a change of time: *S(t)*, the integral of the season from the first day to *t*.
/// A Poisson process of constant rate in *S* has the seasonal rate in *t*.
#[derive(Debug, Clone)]
pub struct Clock {
    /// S at the start of each day, the horizon's days too, and at the end of the last.
    at_start: Vec<f64>,
    /// Where customers arrive: the running sum of the days' weights.
    arrivals: Vec<f64>,
}

impl Clock {
    /// The season to a power, scaled to a mean of 1 over four years. Arrivals follow the season
    /// and thin out with time: their density falls as *U* to the power `arrival_exponent` has it.
    pub fn new(calendar: &Calendar, power: f64, arrival_exponent: f64) -> Self {
        let norm_days = NORM_FROM.into_iter().flat_map(|from| from.iter_days().take(NORM_DAYS));
        let mean = norm_days.map(|date| demand(date, power)).sum::<f64>() / NORM_DAYS as f64;
        let mut at_start = vec![0.0];
        let mut arrivals = Vec::with_capacity(calendar.days);
        let (mut total, mut weight, mut before) = (0.0, 0.0, 0.0);
        for day in 0..calendar.days + HORIZON_DAYS {
            let season = demand(calendar.date(day), power) / mean;
            total += season;
            at_start.push(total);
            if day < calendar.days {
                let share = ((day + 1) as f64 / calendar.days as f64).powf(1.0 / arrival_exponent);
                weight += season * (share - before);
                before = share;
                arrivals.push(weight);
            }
        }
        Self { at_start, arrivals }
    }

    /// The running sum of the weights by which customers arrive on a day.
    pub fn arrivals(&self) -> &[f64] {
        &self.arrivals
    }

    /// S at a moment in days.
    pub fn seasonal(&self, at: f64) -> f64 {
        let day = at as usize;
        let start = self.at_start.get(day).or(self.at_start.last()).copied().unwrap_or(0.0);
        let end = self.at_start.get(day + 1).copied().unwrap_or(start);
        start + at.fract() * (end - start)
    }

    /// The moment at which S reaches a value; none after the last day of the horizon.
    pub fn moment(&self, seasonal: f64) -> Option<f64> {
        let after = self.at_start.partition_point(|start| *start <= seasonal);
        let day = after.checked_sub(1)?;
        let (start, end) = (self.at_start.get(day)?, self.at_start.get(after)?);
        Some(day as f64 + (seasonal - start) / (end - start))
    }
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
    fn both_ends_belong_to_it() {
        let calendar = Calendar::new(date(2024, 1, 1), date(2024, 12, 31));
        assert_eq!((calendar.days(), calendar.weeks()), (366, 53));
        // 1704067200 is 2024-01-01T00:00:00Z (date -u -d 2024-01-01 +%s).
        assert_eq!(calendar.start_micros(0), 1_704_067_200_000_000);
        assert_eq!(calendar.start_micros(366), 1_735_689_600_000_000);
    }

    #[test]
    fn seasonal_time_runs_as_fast_as_time_over_four_years_and_fastest_in_november() {
        let calendar = Calendar::new(date(2021, 1, 1), date(2024, 12, 31));
        for power in [0.0, 1.0, 1.8] {
            let clock = Clock::new(&calendar, power, 2.0);
            assert!((clock.seasonal(1_461.0) - 1_461.0).abs() < 1e-6);
        }
        let clock = Clock::new(&calendar, 1.0, 2.0);
        // Day 304 of 2021 is November 1, day 31 is February 1.
        let week = |day: f64| clock.seasonal(day + 7.0) - clock.seasonal(day);
        assert!(week(304.0) > 1.5 * week(31.0), "{} {}", week(304.0), week(31.0));
    }

    #[test]
    fn the_moment_undoes_seasonal_time() {
        let clock = Clock::new(&Calendar::new(date(2024, 1, 1), date(2024, 12, 31)), 1.3, 2.0);
        for at in [0.0, 0.25, 17.5, 365.9, 500.125] {
            assert!((clock.moment(clock.seasonal(at)).unwrap() - at).abs() < 1e-9, "{at}");
        }
        assert_eq!(clock.moment(1e6), None);
    }

    #[test]
    fn shops_open_at_eight_and_noon_and_a_half_is_the_middle() {
        assert_eq!(open_second(0.0), 28_800);
        assert_eq!(open_second(0.5), 52_200);
        assert!(open_second(0.999_999) < 75_600);
    }
}
