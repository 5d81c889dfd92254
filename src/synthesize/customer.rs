//! One customer: who they are, when they come, and when they stay away for good.

use rand::Rng;

use super::calendar::Calendar;
use super::catalog::{Catalog, Product};
use super::random::{self, Purpose, Stream};
use super::segment::{CATEGORIES, Segment};
use super::words::STYLES;
use super::world::World;

const DAYS_PER_YEAR: f64 = 365.25;

/// Above 1, customers come mostly early in the period: arrival is days · U^this.
const ARRIVAL_EXPONENT: f64 = 2.0;

/// Shape of the gamma distribution of drop-out rates.
const DROP_OUT_SHAPE: f64 = 1.5;

/// How strongly a customer's taste keeps to the segment's: the sum of the Dirichlet parameters.
const CATEGORY_CONCENTRATION: f64 = 4.0;
const STYLE_CONCENTRATION: f64 = 3.0;

const FAVORITES: usize = 3;

/// A customer's true parameters. They are drawn again whenever they are needed, so that ten million
/// customers take no memory.
#[derive(Debug)]
pub struct Customer<'w> {
    pub segment: &'w Segment,
    pub country: &'static str,
    pub arrival_day: usize,
    /// Orders a day while active, before the season.
    pub rate: f64,
    /// Days from arrival to the last day on which the customer may buy.
    pub life_days: f64,
    pub lines: f64,
    pub units: f64,
    pub elasticity: f64,
    categories: [f64; CATEGORIES],
    styles: [f64; STYLES],
    favorites: Vec<&'w Product>,
}

impl<'w> Customer<'w> {
    /// The customer of this number (or guest, by the number and order it came with); none only in
    /// a world without segments.
    pub fn draw(world: &'w World, purpose: Purpose, number: u32, order: u32) -> Option<Self> {
        let mut rng = random::stream(world.seed, purpose, number.into(), order.into());
        let segment = world.segments.draw(&mut rng)?;
        let country = world.countries.draw(&mut rng)?;
        let arrival_day = arrival_day(&world.calendar, segment.seasonality, &mut rng);
        let rate = random::gamma(&mut rng, segment.rate_shape, segment.orders_per_year / DAYS_PER_YEAR);
        let drop_out = random::gamma(&mut rng, DROP_OUT_SHAPE, 1.0 / segment.life_days);
        let lives = random::exponential(&mut rng, drop_out);
        let one_time = rng.r#gen::<f64>() < segment.one_time_share;
        let lines = random::gamma(&mut rng, 4.0, segment.lines);
        let units = 1.0 + random::gamma(&mut rng, 2.0, segment.units - 1.0);
        let elasticity = random::log_normal(&mut rng, segment.elasticity, 0.35);
        let likes: f64 = segment.likes.iter().sum();
        let alpha = segment.likes.map(|like| CATEGORY_CONCENTRATION * like / likes);
        let mut customer = Self {
            segment,
            country,
            arrival_day,
            rate,
            life_days: if one_time { 0.0 } else { lives },
            lines,
            units,
            elasticity,
            categories: random::dirichlet(&mut rng, alpha),
            styles: random::dirichlet(&mut rng, [STYLE_CONCENTRATION / STYLES as f64; STYLES]),
            favorites: Vec::new(),
        };
        let favorites = (0..FAVORITES).filter_map(|_| customer.taste(&world.catalog, &mut rng));
        customer.favorites = favorites.collect();
        Some(customer)
    }

    /// The day of the next order after one on `day`: a Poisson process with the season's rate,
    /// thinned (Lewis and Shedler 1979), at most one order a day. None once the customer has
    /// dropped out or the calendar ends.
    pub fn next_day(&self, calendar: &Calendar, day: usize, rng: &mut Stream) -> Option<usize> {
        let power = self.segment.seasonality;
        let rate_max = self.rate * calendar.peak(power);
        let end = (self.arrival_day as f64 + self.life_days).min(calendar.days() as f64);
        let mut at = (day + 1) as f64;
        loop {
            at += random::exponential(rng, rate_max);
            if at >= end {
                return None;
            }
            if rng.r#gen::<f64>() < calendar.busyness(at as usize, power) {
                return Some(at as usize);
            }
        }
    }

    /// A product to the customer's taste.
    pub fn taste<'c>(&self, catalog: &'c Catalog, rng: &mut Stream) -> Option<&'c Product> {
        let category = random::choose(rng, &self.categories);
        let style = random::choose(rng, &self.styles);
        catalog.draw(category, style, rng)
    }

    /// One of the few products that the customer comes back for.
    pub fn favorite(&self, rng: &mut Stream) -> Option<&'w Product> {
        let at = rng.gen_range(0..FAVORITES);
        self.favorites.get(at).copied()
    }
}

fn arrival_day(calendar: &Calendar, power: f64, rng: &mut Stream) -> usize {
    let last = calendar.days().saturating_sub(1);
    loop {
        let part = rng.r#gen::<f64>().powf(ARRIVAL_EXPONENT);
        let day = ((calendar.days() as f64 * part) as usize).min(last);
        // An empty calendar has no demand and would never accept.
        if last == 0 || rng.r#gen::<f64>() < calendar.busyness(day, power) {
            return day;
        }
    }
}
