//! One visit to the till, and what comes back from it.

use rand::Rng;

use super::customer::Customer;
use super::random::{self, Stream};
use super::world::{HOME, World};

/// Chance that a line is sent back, in part or whole, and of each of its units to be in the parcel.
const RETURN_SHARE: f64 = 0.045;
pub const RETURN_UNIT_SHARE: f64 = 0.7;
/// A return arrives 1 day and an exponential time of this mean after the order.
const RETURN_DELAY_DAYS: f64 = 9.0;

/// Shares of lines of goods that are given away, and that lack a description.
pub const FREE_SHARE: f64 = 4e-4;
const NO_DESCRIPTION_SHARE: f64 = 4e-4;

/// Share of orders with a manual entry, which costs 50 to 3,000 cents in steps of 50.
pub const MANUAL_SHARE: f64 = 0.003;
const MANUAL_STEPS: u32 = 60;
pub const MANUAL_CENTS_MEAN: f64 = 50.0 * (MANUAL_STEPS as f64 + 1.0) / 2.0;

/// Units of a draw at most, so that a quantity out of range can be told.
const UNITS_MAX: u32 = 999;

/// One line of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Number of the product in the catalog.
    pub product: u32,
    pub quantity: i32,
    pub cents: u32,
    pub described: bool,
}

/// The chance that a line comes back.
pub fn return_share(world: &World) -> f64 {
    (RETURN_SHARE * world.factors.returns).min(1.0)
}

/// Share of orders from a country that have a postage line, and its price in cents.
pub fn postage(country: usize) -> (f64, u32) {
    if country == HOME { (0.01, 395) } else { (0.40, 1_450) }
}

/// Appends the lines of an order to `lines`: 1 + Poisson(lines − 1) draws, a line a product.
pub fn fill(world: &World, customer: &Customer, day: usize, rng: &mut Stream, lines: &mut Vec<Line>) {
    let first = lines.len();
    let draws = 1 + random::poisson(rng, customer.lines - 1.0);
    for _ in 0..draws {
        let product = customer.choose(&world.catalog, rng);
        let level = world.prices.on(product, day);
        let Some(found) = world.catalog.get(product) else { continue };
        let elasticity = customer.elasticity * found.elasticity_factor();
        let units = customer.units * (-elasticity * world.prices.logarithm(level)).exp();
        let quantity = (1 + random::poisson(rng, units - 1.0)).min(UNITS_MAX) as i32;
        let oddity: f64 = rng.r#gen();
        // Drawn again, more units of it are on the same line.
        if let Some(line) = lines.iter_mut().skip(first).find(|line| line.product == product) {
            line.quantity += quantity;
            continue;
        }
        let cents = if oddity < FREE_SHARE { 0 } else { level.cents(found.base_cents) };
        let described = oddity < 1.0 - NO_DESCRIPTION_SHARE;
        lines.push(Line { product, quantity, cents, described });
    }
    services(world, customer.country, rng, lines);
}

/// Postage and manual entries: lines of an order that are no goods.
fn services(world: &World, country: usize, rng: &mut Stream, lines: &mut Vec<Line>) {
    let (share, cents) = postage(country);
    let (post, manual) = (rng.r#gen::<f64>(), rng.r#gen::<f64>());
    let line = |product, cents| Line { product, quantity: 1, cents, described: true };
    if post < share {
        lines.push(line(world.catalog.postage(), cents));
    }
    if manual < MANUAL_SHARE {
        lines.push(line(world.catalog.manual(), 50 * rng.gen_range(1..=MANUAL_STEPS)));
    }
}

/// Appends what comes back of the goods in `lines[first..]`, and tells how many days after the
/// order; nothing comes back of most orders.
pub fn send_back(world: &World, first: usize, rng: &mut Stream, lines: &mut Vec<Line>) -> Option<f64> {
    let end = lines.len();
    let share = return_share(world);
    for at in first..end {
        let Some(&line) = lines.get(at) else { break };
        if line.product >= world.catalog.postage() || rng.r#gen::<f64>() >= share {
            continue;
        }
        let units = (0..line.quantity).filter(|_| rng.r#gen::<f64>() < RETURN_UNIT_SHARE).count() as i32;
        if units > 0 {
            lines.push(Line { quantity: -units, ..line });
        }
    }
    (lines.len() > end).then(|| 1.0 + random::exponential(rng, 1.0 / RETURN_DELAY_DAYS))
}
