//! What is known in closed form: how much a customer will still buy, and for how much.

use super::basket::{FREE_SHARE, MANUAL_CENTS_MEAN, MANUAL_SHARE, RETURN_UNIT_SHARE, postage, return_share};
use super::catalog::ELASTICITY_FACTORS;
use super::customer::Customer;
use super::prices::mean_price_power;
use super::world::World;

const CENTS: f64 = 100.0;

/// Expected repeat orders within a length of seasonal time, of a customer who is still there:
/// (1 − e^(−λ p S)) / p (Fader, Hardie and Lee 2005, "Counting your customers" the easy way,
/// equation 6 with their t as seasonal time).
pub fn expected_orders(customer: &Customer, seasonal: f64) -> f64 {
    if customer.one_time {
        return 0.0;
    }
    let (rate, drop_out) = (customer.rate, customer.drop_out);
    if drop_out < 1e-12 { rate * seasonal } else { -(-rate * drop_out * seasonal).exp_m1() / drop_out }
}

/// Expected repeat orders for ever, of a customer who is still there.
pub fn expected_orders_ever(customer: &Customer) -> f64 {
    if customer.one_time { 0.0 } else { 1.0 / customer.drop_out }
}

/// Expected worth of an order, net of what comes back of it, over all products and all levels of
/// their prices.
pub fn order_value(world: &World, customer: &Customer) -> f64 {
    let spend = ELASTICITY_FACTORS.map(|factor| mean_price_power(1.0 - customer.elasticity * factor));
    let draw_cents = customer.units
        * customer.mean_draw(&world.catalog, |category, cents| cents * spend.get(category).copied().unwrap_or(0.0));
    let kept = 1.0 - return_share(world) * RETURN_UNIT_SHARE;
    let goods_cents = customer.lines * draw_cents * (1.0 - FREE_SHARE) * kept;
    let (postage_share, postage_cents) = postage(customer.country);
    let services_cents = postage_share * f64::from(postage_cents) + MANUAL_SHARE * MANUAL_CENTS_MEAN;
    (goods_cents + services_cents) / CENTS
}
