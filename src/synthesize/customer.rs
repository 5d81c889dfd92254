//! One customer: who they are, when they come, and when they stay away for good.

use rand::Rng;

use super::catalog::{Catalog, ELASTICITY_FACTORS};
use super::prices::LIST_STEPS;
use super::random::{self, Purpose, Stream};
use super::segment::{self, Segment};
use super::words::{CATEGORIES, STYLES};
use super::world::World;

/// Above 1, customers come mostly early in the period: arrival is days · U^this.
pub const ARRIVAL_EXPONENT: f64 = 2.0;

/// How strongly a customer's taste keeps to the segment's: the sum of the Dirichlet parameters.
const CATEGORY_CONCENTRATION: f64 = 14.0;
const STYLE_CONCENTRATION: f64 = 3.0;

/// Products that a customer comes back for, and the share of draws that are one of them.
const FAVORITES: usize = 3;
const FAVORITE_SHARE: f64 = 0.2;

const LINES_SHAPE: f64 = 4.0;
const LINES_MAX: f64 = 40.0;
const UNITS_SHAPE: f64 = 2.0;
const ELASTICITY_SIGMA: f64 = 0.4;
const ELASTICITY_MIN: f64 = 0.1;
const ELASTICITY_MAX: f64 = 5.0;

/// A customer's true parameters.
#[derive(Debug)]
pub struct Customer {
    /// Place in `segment::ALL`.
    pub segment: usize,
    /// Place in `world::COUNTRIES`.
    pub country: usize,
    /// Days from the first day to the first order.
    pub arrival: f64,
    /// *λ*: orders a day of seasonal time while active.
    pub rate: f64,
    /// *p*: the chance to drop out after a repeat order; 1 for who buys once.
    pub drop_out: f64,
    pub one_time: bool,
    /// Mean draws of an order.
    pub lines: f64,
    /// Mean units of a draw at the base price.
    pub units: f64,
    /// *ε*: by what the logarithm of units falls when that of the price rises by 1.
    pub elasticity: f64,
    /// Running sums of the shares of categories and styles.
    categories: [f64; CATEGORIES],
    styles: [f64; STYLES],
    favorites: [u32; FAVORITES],
}

impl Customer {
    /// The customer of this number, or a guest by the number and the order it came with.
    pub fn draw(world: &World, purpose: Purpose, number: u32, order: u32) -> Self {
        let rng = &mut random::stream(world.seed, purpose, number.into(), order.into());
        let place = world.segments.draw(rng).copied().unwrap_or(0);
        let segment = segment::ALL.get(place).unwrap_or(&segment::ALL[0]);
        let country = world.countries.draw(rng).copied().unwrap_or(0);
        let arrival = arrival(world, place, rng);
        let rate = random::gamma(rng, segment.r, segment.r / segment.alpha());
        let drop_out = random::beta(rng, segment.a, segment.b);
        let one_time = rng.r#gen::<f64>() < segment.one_time_share * world.factors.one_time;
        let lines = random::gamma(rng, LINES_SHAPE, segment.lines).clamp(1.0, LINES_MAX);
        let units = 1.0 + random::gamma(rng, UNITS_SHAPE, segment.units - 1.0);
        let elasticity =
            random::log_normal(rng, segment.elasticity, ELASTICITY_SIGMA).clamp(ELASTICITY_MIN, ELASTICITY_MAX);
        let mut customer = Self {
            segment: place,
            country,
            arrival,
            rate,
            drop_out: if one_time { 1.0 } else { drop_out },
            one_time,
            lines,
            units: units.max(units_min(elasticity)),
            elasticity,
            categories: tastes(segment, rng),
            styles: random::dirichlet(rng, [STYLE_CONCENTRATION / STYLES as f64; STYLES]),
            favorites: [0; FAVORITES],
        };
        customer.favorites = [(); FAVORITES].map(|()| customer.taste(&world.catalog, rng));
        customer
    }

    /// The number of a product that the customer puts in the basket.
    pub fn choose(&self, catalog: &Catalog, rng: &mut Stream) -> u32 {
        let at = rng.r#gen::<f64>() / FAVORITE_SHARE;
        match self.favorites.get((at * FAVORITES as f64) as usize) {
            Some(favorite) => *favorite,
            None => self.taste(catalog, rng),
        }
    }

    /// A product to the customer's taste; the first of the catalog if a cell were empty.
    fn taste(&self, catalog: &Catalog, rng: &mut Stream) -> u32 {
        let category = random::choose(rng, &self.categories);
        let style = random::choose(rng, &self.styles);
        catalog.draw(category, style, rng).unwrap_or(0)
    }

    /// The mean over draws of `value(category, base price in cents)`, which must be linear in the
    /// price.
    pub fn mean_draw(&self, catalog: &Catalog, value: impl Fn(usize, f64) -> f64) -> f64 {
        let mut by_taste = 0.0;
        for (category, share) in shares(&self.categories).enumerate() {
            let cents =
                shares(&self.styles).enumerate().map(|(style, share)| share * catalog.mean_cents(category, style));
            by_taste += share * value(category, cents.sum());
        }
        let favorites = self.favorites.iter().filter_map(|number| catalog.get(*number));
        let by_habit: f64 =
            favorites.filter_map(|product| Some(value(product.category?, f64::from(product.base_cents)))).sum::<f64>()
                / FAVORITES as f64;
        FAVORITE_SHARE * by_habit + (1.0 - FAVORITE_SHARE) * by_taste
    }
}

/// So many units at the base price that at the highest price one is still expected.
fn units_min(elasticity: f64) -> f64 {
    let step = LIST_STEPS.iter().copied().fold(0.0, f64::max);
    let factor = ELASTICITY_FACTORS.iter().copied().fold(0.0, f64::max);
    (step * factor * elasticity).exp()
}

fn tastes(segment: &Segment, rng: &mut Stream) -> [f64; CATEGORIES] {
    let mut category = 0;
    random::dirichlet(
        rng,
        [(); CATEGORIES].map(|()| {
            category += 1;
            CATEGORY_CONCENTRATION * segment.affinity(category - 1)
        }),
    )
}

/// What [`random::dirichlet`] summed up.
fn shares(running: &[f64]) -> impl Iterator<Item = f64> {
    let total = running.last().copied().unwrap_or(1.0);
    let before = std::iter::once(0.0).chain(running.iter().copied());
    running.iter().zip(before).map(move |(sum, before)| (sum - before) / total)
}

fn arrival(world: &World, segment: usize, rng: &mut Stream) -> f64 {
    let arrivals = world.clocks.get(segment).map_or(&[][..], |clock| clock.arrivals());
    random::choose(rng, arrivals) as f64 + rng.r#gen::<f64>()
}
