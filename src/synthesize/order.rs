//! One visit to the till, and what comes back from it.

use rand::Rng;

use super::calendar;
use super::catalog::Product;
use super::customer::Customer;
use super::random::{self, Purpose, Stream};
use super::world::{HOME, World};

/// Lines of an order at most; a basket is searched for each new line.
const LINES_MAX: u32 = 80;

const FAVORITE_SHARE: f64 = 0.25;
const RETURN_SHARE: f64 = 0.032;
const RETURN_DELAY_DAYS: f64 = 9.0;

/// Shares of goods lines that are wrong in one way each.
const ZERO_PRICE_SHARE: f64 = 4e-4;
const NEGATIVE_PRICE_SHARE: f64 = 2e-4;
const NO_DESCRIPTION_SHARE: f64 = 4e-4;

const POSTAGE_SHARE_HOME: f64 = 0.01;
const POSTAGE_SHARE_ABROAD: f64 = 0.40;
const MANUAL_SHARE: f64 = 0.003;

#[derive(Debug, Clone)]
pub struct Line<'w> {
    pub product: &'w Product,
    pub described: bool,
    pub quantity: i32,
    pub price_cents: i64,
}

/// An order or, with negative quantities, a return.
#[derive(Debug, Clone)]
pub struct Order<'w> {
    pub second: u32,
    pub is_return: bool,
    /// None for a guest.
    pub customer: Option<u32>,
    /// The customer's number and order that this came from; with `second` it puts a day in order.
    pub origin: (u32, u32),
    pub country: &'static str,
    pub lines: Vec<Line<'w>>,
}

impl<'w> Order<'w> {
    /// What sorts the orders of one day, unlike for any two.
    pub fn place(&self) -> (u32, bool, u32, u32, bool) {
        (self.second, self.is_return, self.origin.0, self.origin.1, self.customer.is_none())
    }
}

/// An order made on `day`, and perhaps a return with the number of days until it.
pub struct Visit<'w> {
    pub order: Order<'w>,
    pub returned: Option<(usize, Order<'w>)>,
}

impl<'w> Visit<'w> {
    /// Draws the order that `origin` (customer number, order number) makes on `day`.
    pub fn draw(world: &'w World, customer: &Customer<'w>, purpose: Purpose, origin: (u32, u32), day: usize) -> Self {
        // Guests have their own profile stream; their baskets use the other half of the keys.
        let is_guest = matches!(purpose, Purpose::Guest);
        let half = u64::from(is_guest) << 32;
        let rng = &mut random::stream(world.seed, Purpose::Order, half | u64::from(origin.0), origin.1.into());
        let mut order = Order {
            second: calendar::second_of_day(rng),
            is_return: false,
            customer: (!is_guest).then_some(origin.0),
            origin,
            country: customer.country,
            lines: goods(world, customer, day, rng),
        };
        let returned = returned(&order, rng);
        spoil(&mut order.lines, returned.as_ref().map(|(_, order)| order.lines.as_slice()), rng);
        services(world, &mut order, rng);
        Self { order, returned }
    }
}

/// One line per product: 1 + Poisson(lines − 1) draws, repeated products dropped.
fn goods<'w>(world: &'w World, customer: &Customer<'w>, day: usize, rng: &mut Stream) -> Vec<Line<'w>> {
    let wanted = 1 + random::poisson(rng, (customer.lines - 1.0).max(0.0)).min(LINES_MAX - 1);
    let mut lines: Vec<Line<'w>> = Vec::with_capacity(wanted as usize + 1);
    for _ in 0..wanted {
        let favorite = rng.r#gen::<f64>() < FAVORITE_SHARE;
        let drawn = if favorite { customer.favorite(rng) } else { customer.taste(&world.catalog, rng) };
        let Some(product) = drawn else { continue };
        if lines.iter().any(|line| std::ptr::eq(line.product, product)) {
            continue;
        }
        let depth = product.promotion(world.seed, day);
        let lift = (1.0 - depth).powf(-customer.elasticity);
        let quantity = 1 + random::poisson(rng, (customer.units - 1.0) * lift);
        let price_cents = product.price_cents(depth);
        lines.push(Line { product, described: true, quantity: quantity as i32, price_cents });
    }
    lines
}

/// Each line may come back, all or a part of it; what comes back of one order comes on one day.
fn returned<'w>(order: &Order<'w>, rng: &mut Stream) -> Option<(usize, Order<'w>)> {
    let mut lines = Vec::new();
    for line in &order.lines {
        if rng.r#gen::<f64>() < RETURN_SHARE {
            let quantity = -rng.gen_range(1..=line.quantity.max(1));
            lines.push(Line { quantity, ..line.clone() });
        }
    }
    if lines.is_empty() {
        return None;
    }
    let delay = 1 + random::exponential(rng, 1.0 / RETURN_DELAY_DAYS) as usize;
    let second = calendar::second_of_day(rng);
    Some((delay, Order { second, is_return: true, lines, ..order.clone() }))
}

/// Makes a few lines wrong; never one that comes back, so that a return shows what was paid.
fn spoil(lines: &mut [Line<'_>], kept: Option<&[Line<'_>]>, rng: &mut Stream) {
    for line in lines {
        let at = rng.r#gen::<f64>();
        let kept = kept.unwrap_or_default();
        if kept.iter().any(|other| std::ptr::eq(other.product, line.product)) {
            continue;
        }
        if at < ZERO_PRICE_SHARE {
            line.price_cents = 0;
        } else if at < ZERO_PRICE_SHARE + NEGATIVE_PRICE_SHARE {
            line.price_cents = -line.price_cents;
        } else if at < ZERO_PRICE_SHARE + NEGATIVE_PRICE_SHARE + NO_DESCRIPTION_SHARE {
            line.described = false;
        }
    }
}

/// Postage and manual entries: lines of an order that are no goods.
fn services<'w>(world: &'w World, order: &mut Order<'w>, rng: &mut Stream) {
    let share = if order.country == HOME { POSTAGE_SHARE_HOME } else { POSTAGE_SHARE_ABROAD };
    let (post, manual) = (rng.r#gen::<f64>(), rng.r#gen::<f64>());
    let line = |product, price_cents| Line { product, described: true, quantity: 1, price_cents };
    if post < share {
        let price_cents = if order.country == HOME { 395 } else { 1_450 };
        order.lines.push(line(&world.catalog.postage, price_cents));
    }
    if manual < MANUAL_SHARE {
        order.lines.push(line(&world.catalog.manual, 50 * rng.gen_range(1..=60)));
    }
}
