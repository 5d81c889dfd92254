//! What is drawn against what the formulas of `docs/synthetic-data.md` say, at a fixed seed.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::super::history::{Fate, History};
use super::super::segment;
use super::super::value::{expected_orders, order_value};
use super::super::words::CATEGORIES;
use super::super::world::World;
use super::super::{Factors, Options};
use super::options;

/// A chunk's worth of customers over two years, without bad rows.
fn world() -> World {
    let factors = Factors { bad_rows: 0.0, ..Factors::default() };
    let from = NaiveDate::from_ymd_opt(2023, 1, 1).unwrap();
    World::new(&Options { customers: 16_384, from, factors, ..options() })
}

/// (mean, standard error) of numbers.
fn mean(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        sum += value;
        squares += value * value;
    }
    let mean = sum / count;
    (mean, ((squares / count - mean * mean) / count).sqrt())
}

fn of_segment(history: &History, segment: usize) -> impl Iterator<Item = &Fate> {
    history.fates.iter().filter(move |fate| fate.customer.segment == segment)
}

#[test]
fn orders_are_as_many_as_expected_in_each_segment() {
    let world = world();
    let history = History::new(&world, 0);
    let end = world.calendar.days() as f64;
    for (place, clock) in world.clocks.iter().enumerate() {
        let excess = of_segment(&history, place).map(|fate| {
            let length = clock.seasonal(end) - clock.seasonal(fate.customer.arrival);
            f64::from(fate.orders) - 1.0 - expected_orders(&fate.customer, length)
        });
        let (excess, error) = mean(excess);
        assert!(excess.abs() < 4.0 * error, "{}: {excess} ± {error}", segment::ALL[place].name);
    }
}

#[test]
fn parameters_have_the_means_of_their_distributions() {
    let world = world();
    let history = History::new(&world, 0);
    for (place, segment) in segment::ALL.iter().enumerate() {
        let near = |name: &str, wanted: f64, (found, error): (f64, f64)| {
            assert!((found - wanted).abs() < 4.0 * error, "{} {name}: {found} ± {error}, {wanted}", segment.name);
        };
        near("rate", segment.r / segment.alpha(), mean(of_segment(&history, place).map(|fate| fate.customer.rate)));
        let stays = |fate: &&Fate| !fate.customer.one_time;
        let drop_out = of_segment(&history, place).filter(stays).map(|fate| fate.customer.drop_out);
        near("drop-out", segment.a / (segment.a + segment.b), mean(drop_out));
        let is_segment = history.fates.iter().map(|fate| f64::from(u8::from(fate.customer.segment == place)));
        near("share", segment.share, mean(is_segment));
        let logarithms = of_segment(&history, place).map(|fate| fate.customer.elasticity.ln());
        near("elasticity", segment.elasticity.ln(), mean(logarithms));
        if segment.one_time_share > 0.0 {
            let once = of_segment(&history, place).map(|fate| f64::from(u8::from(fate.customer.one_time)));
            near("one-time", segment.one_time_share, mean(once));
        }
    }
}

#[test]
fn orders_are_worth_what_is_expected() {
    let world = world();
    let history = History::new(&world, 0);
    let mut net: HashMap<u32, f64> = HashMap::new();
    for order in history.orders.iter().filter(|order| !order.is_guest) {
        let amounts = history.lines(order).iter().map(|line| f64::from(line.quantity) * f64::from(line.cents) / 100.0);
        *net.entry(order.customer).or_default() += amounts.sum::<f64>();
    }
    for (place, segment) in segment::ALL.iter().enumerate() {
        let ratio = (history.first_customer..).zip(&history.fates).filter(|(_, fate)| fate.customer.segment == place);
        let ratio = ratio.map(|(number, fate)| {
            net.get(&number).copied().unwrap_or(0.0) / (f64::from(fate.orders) * order_value(&world, &fate.customer))
        });
        let (ratio, error) = mean(ratio);
        // Returns that would arrive after the last day are missing: less than 1 % of the worth.
        assert!((ratio - 1.0).abs() < 4.0 * error + 0.01, "{}: {ratio} ± {error}", segment.name);
        assert!(error < 0.02, "{}: {error}", segment.name);
    }
}

#[test]
fn units_answer_to_price_by_the_elasticity() {
    let world = world();
    let history = History::new(&world, 0);
    // By segment: units of favorite-free first lines at 30 and 40 % off against those at list.
    let mut sums = [[[0.0; 2]; 2]; 5];
    for order in history.orders.iter().filter(|order| !order.is_guest && !order.is_return) {
        let day = (order.micros - world.calendar.start_micros(0)) / 86_400_000_000;
        let customer = &history.fates[(order.customer - history.first_customer) as usize].customer;
        for line in history.lines(order) {
            let Some(product) = world.catalog.get(line.product).filter(|product| product.category.is_some()) else {
                continue;
            };
            let level = world.prices.on(line.product, day as usize);
            let elasticity = customer.elasticity * product.elasticity_factor();
            let expected = customer.units * (-elasticity * world.prices.logarithm(level)).exp();
            let cheap = usize::from(level.discount() > 0.25);
            sums[customer.segment][cheap][0] += f64::from(line.quantity);
            sums[customer.segment][cheap][1] += expected;
        }
    }
    for (segment, [list, cheap]) in segment::ALL.iter().zip(sums) {
        // A product drawn twice has the units of both draws, at any price as often.
        let (list, cheap) = (list[0] / list[1], cheap[0] / cheap[1]);
        assert!((cheap / list - 1.0).abs() < 0.03, "{}: {list} {cheap}", segment.name);
        assert!((0.99..1.4).contains(&list), "{}: {list}", segment.name);
    }
}

#[test]
fn segments_buy_from_the_categories_they_like_and_popular_products_sell() {
    let world = world();
    let history = History::new(&world, 0);
    let mut counts = [[0.0; CATEGORIES]; 5];
    let mut sold = vec![0_u64; world.catalog.goods().len()];
    for order in history.orders.iter().filter(|order| !order.is_guest && !order.is_return) {
        let segment = history.fates[(order.customer - history.first_customer) as usize].customer.segment;
        for line in history.lines(order) {
            if let Some(category) = world.catalog.get(line.product).and_then(|product| product.category) {
                counts[segment][category] += 1.0;
                sold[line.product as usize] += 1;
            }
        }
    }
    for (segment, counts) in segment::ALL.iter().zip(counts) {
        let total: f64 = counts.iter().sum();
        for (category, count) in counts.iter().enumerate() {
            let (found, wanted) = (count / total, segment.affinity(category));
            // Who orders more weighs more, and repeated draws share a line.
            assert!((found - wanted).abs() < 0.035, "{} {category}: {found} {wanted}", segment.name);
        }
    }
    sold.sort_unstable_by(|left, right| right.cmp(left));
    let (all, tenth) = (sold.iter().sum::<u64>() as f64, sold.len() / 10);
    let head = sold[..tenth].iter().sum::<u64>() as f64 / all;
    assert!((0.3..0.7).contains(&head), "{head}");
    assert!(sold.iter().filter(|count| **count > 0).count() > sold.len() * 9 / 10);
}

#[test]
fn seasons_arrivals_returns_and_guests_are_as_documented() {
    let world = world();
    let history = History::new(&world, 0);
    let orders = history.orders.iter().filter(|order| !order.is_guest && !order.is_return).count() as f64;
    let guests = history.orders.iter().filter(|order| order.is_guest && !order.is_return).count() as f64;
    assert!((guests / orders - 0.062).abs() < 0.004, "{guests} of {orders}");
    let lines = |is_return| {
        let orders = history.orders.iter().filter(move |order| order.is_return == is_return);
        orders.map(|order| history.lines(order).len()).sum::<usize>() as f64
    };
    // 4.5 % of lines, less those of which no unit is in the parcel, and those still under way.
    let share = lines(true) / lines(false);
    assert!((0.030..0.045).contains(&share), "{share}");
    let quarter = world.calendar.days() / 4;
    let early = |arrivals: &[f64]| arrivals[quarter - 1] / arrivals[world.calendar.days() - 1];
    let expected: f64 =
        segment::ALL.iter().zip(&world.clocks).map(|(of, clock)| of.share * early(clock.arrivals())).sum();
    let arrived = history.fates.iter().map(|fate| f64::from(u8::from(fate.customer.arrival < quarter as f64)));
    let (arrived, error) = mean(arrived);
    assert!((arrived - expected).abs() < 4.0 * error && arrived > 0.4, "{arrived} ± {error}, {expected}");
    let in_month = |month: u32| {
        let start = |month| NaiveDate::from_ymd_opt(2024, month, 1).unwrap();
        let day = |date: NaiveDate| date.signed_duration_since(world.calendar.date(0)).num_days() as usize;
        let bounds = world.calendar.start_micros(day(start(month)))..world.calendar.start_micros(day(start(month + 1)));
        history.orders.iter().filter(|order| bounds.contains(&order.micros)).count() as f64
    };
    assert!(in_month(11) > 1.3 * in_month(8), "{} {}", in_month(11), in_month(8));
}
