//! What a product costs on a day: list prices that move, and promotions.
//!
//! List prices change at the start of a quarter of 13 weeks, promotions last a week. Both are
//! independent of each other, of the product and of what went before, so the distribution of the
//! price beside the base price is the same on any day, and expectations over it are finite sums.

use super::random::{self, Purpose};

/// Logarithms of list price / base price, each as likely.
pub const LIST_STEPS: [f64; 7] = [-0.15, -0.10, -0.05, 0.0, 0.05, 0.10, 0.15];

/// The depths of promotions, each as likely, and the share of (product, week) on promotion.
pub const DEPTHS: [f64; 4] = [0.10, 0.20, 0.30, 0.40];
pub const PROMOTION_SHARE: f64 = 0.20;

/// The share of quarters at whose start a list price is set anew.
const CHANGE_SHARE: f64 = 0.5;

const WEEKS_PER_QUARTER: usize = 13;
const LEVELS: usize = LIST_STEPS.len() * (DEPTHS.len() + 1);

/// What a product costs in a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Index into [`LIST_STEPS`].
    step: u8,
    /// 0 without a promotion, else one more than an index into [`DEPTHS`].
    depth: u8,
}

impl Level {
    pub fn step(self) -> f64 {
        LIST_STEPS.get(usize::from(self.step)).copied().unwrap_or(0.0)
    }

    /// The promotion's discount: 0 for most products in most weeks.
    pub fn discount(self) -> f64 {
        usize::from(self.depth).checked_sub(1).and_then(|at| DEPTHS.get(at)).copied().unwrap_or(0.0)
    }

    /// The list price of a product in cents.
    pub fn list_cents(self, base_cents: u32) -> u32 {
        (f64::from(base_cents) * self.step().exp()).round() as u32
    }

    /// What a unit costs in cents, at least one.
    pub fn cents(self, base_cents: u32) -> u32 {
        let list = f64::from(self.list_cents(base_cents));
        ((list * (1.0 - self.discount())).round() as u32).max(1)
    }

    fn index(self) -> usize {
        usize::from(self.step) * (DEPTHS.len() + 1) + usize::from(self.depth)
    }
}

/// The level of each product in each week.
#[derive(Debug)]
pub struct Prices {
    weeks: usize,
    levels: Vec<Level>,
    /// The logarithm of price / base price (before rounding to cents) of each level.
    logarithms: [f64; LEVELS],
}

impl Prices {
    pub fn new(seed: u64, products: usize, weeks: usize) -> Self {
        let mut levels = Vec::with_capacity(products * weeks);
        let mut logarithms = [0.0; LEVELS];
        for product in 0..products as u64 {
            let mut step = 0;
            for week in 0..weeks {
                if week % WEEKS_PER_QUARTER == 0 {
                    step = list_step(seed, product, (week / WEEKS_PER_QUARTER) as u64, step);
                }
                let level = Level { step, depth: depth(seed, product, week as u64) };
                levels.push(level);
                if let Some(logarithm) = logarithms.get_mut(level.index()) {
                    *logarithm = level.step() + (1.0 - level.discount()).ln();
                }
            }
        }
        Self { weeks, levels, logarithms }
    }

    /// The level of a product on a day; the last day's after it.
    pub fn on(&self, product: u32, day: usize) -> Level {
        self.in_week(product as usize, (day / 7).min(self.weeks.saturating_sub(1)))
    }

    pub fn in_week(&self, product: usize, week: usize) -> Level {
        self.levels.get(product * self.weeks + week).copied().unwrap_or(Level { step: 3, depth: 0 })
    }

    /// ln(price / base price).
    pub fn logarithm(&self, level: Level) -> f64 {
        self.logarithms.get(level.index()).copied().unwrap_or(0.0)
    }
}

/// The first quarter's step is drawn, so that the distribution is the same from the first day.
fn list_step(seed: u64, product: u64, quarter: u64, before: u8) -> u8 {
    let drawn = random::unit(random::key(seed, Purpose::ListPrice, product, quarter));
    let at = if quarter == 0 { drawn } else { drawn / CHANGE_SHARE };
    if at < 1.0 { (at * LIST_STEPS.len() as f64) as u8 } else { before }
}

fn depth(seed: u64, product: u64, week: u64) -> u8 {
    let at = random::unit(random::key(seed, Purpose::Promotion, product, week)) / PROMOTION_SHARE;
    if at < 1.0 { 1 + (at * DEPTHS.len() as f64) as u8 } else { 0 }
}

/// The mean over products and days of (price / base price) to a power.
pub fn mean_price_power(power: f64) -> f64 {
    let list = LIST_STEPS.iter().map(|step| (power * step).exp()).sum::<f64>() / LIST_STEPS.len() as f64;
    let promoted = DEPTHS.iter().map(|depth| (1.0 - depth).powf(power)).sum::<f64>() / DEPTHS.len() as f64;
    list * (1.0 - PROMOTION_SHARE + PROMOTION_SHARE * promoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_product_weeks_are_on_promotion_and_steps_are_as_likely_in_any_week() {
        let prices = Prices::new(9, 2_000, 40);
        for week in [0, 13, 39] {
            let levels: Vec<Level> = (0..2_000).map(|product| prices.in_week(product, week)).collect();
            let share = levels.iter().filter(|level| level.depth > 0).count() as f64 / 2_000.0;
            assert!((share - PROMOTION_SHARE).abs() < 0.03, "week {week}: {share}");
            for step in 0..7 {
                let share = levels.iter().filter(|level| level.step == step).count() as f64 / 2_000.0;
                assert!((share - 1.0 / 7.0).abs() < 0.03, "week {week}, step {step}: {share}");
            }
        }
    }

    #[test]
    fn prices_are_rounded_to_the_cent_twice() {
        let level = Level { step: 5, depth: 2 };
        // 1295 e^0.1 = 1431.2 rounds to 1431, of which 80 % is 1144.8.
        assert_eq!((level.list_cents(1_295), level.cents(1_295)), (1_431, 1_145));
        assert_eq!(Level { step: 3, depth: 0 }.cents(1_295), 1_295);
    }

    #[test]
    fn the_mean_of_a_power_is_the_mean_over_all_levels() {
        let prices = Prices::new(3, 4_000, 60);
        for power in [1.0, -2.0] {
            let all = (0..4_000).flat_map(|product| (0..60).map(move |week| (product, week)));
            let sum: f64 =
                all.map(|(product, week)| (power * prices.logarithm(prices.in_week(product, week))).exp()).sum();
            let mean = sum / 240_000.0;
            assert!((mean / mean_price_power(power) - 1.0).abs() < 0.01, "{mean} {}", mean_price_power(power));
        }
        assert_eq!(mean_price_power(0.0), 1.0);
    }
}
