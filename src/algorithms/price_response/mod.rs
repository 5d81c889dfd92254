//! How customers respond to prices: by how much less they take of an item when it costs more than usual.
//!
//! A description, not a cause: log quantity on log price over the usual price of the item, within items and within
//! customers, with the size of the rest of the order held fixed ([`fit()`]). Slopes of single customers are noisy, so
//! they are shrunk towards those of their group and of all ([`shrink`]).

mod reference;
mod shrink;
#[cfg(test)]
mod tests;
mod within;

pub use reference::usual_prices;
pub use shrink::{Prior, Shrunk, prior, shrink};

/// A line of an order. Customers, items and orders are numbered from zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    pub customer: u32,
    pub item: u32,
    /// Which time the usual price is of.
    pub period: i32,
    pub order: u32,
    /// Above zero and finite, as is the quantity.
    pub price: f64,
    pub quantity: f64,
}

/// How far price moves quantity: the elasticity, above zero where more is taken when it costs less.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Slope {
    /// Zero where prices never varied.
    pub elasticity: f64,
    /// What is known: its variance is that of the residuals over this.
    pub variation: f64,
}

impl Slope {
    fn of(products: f64, squares: f64) -> Slope {
        // What is left of prices that were all the same is rounding.
        if squares <= VARIATION_MIN {
            Slope::default()
        } else {
            Slope { elasticity: -products / squares, variation: squares }
        }
    }

    pub fn is_known(&self) -> bool {
        self.variation > 0.0
    }
}

/// Squares of logarithms of prices that come to less do not vary.
const VARIATION_MIN: f64 = 1e-9;

/// A fitted response.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// Of all customers and items together.
    pub all: Slope,
    /// By how much log quantity grows with that of the rest of the order.
    pub order_size: f64,
    /// Of log quantity, what customers' own slopes leave; `None` where nothing is left to tell it from.
    pub variance: Option<f64>,
    pub customers: Vec<Slope>,
    pub items: Vec<Slope>,
    /// Customers' slopes from every other of their orders, and from the rest.
    pub halves: [Vec<Slope>; 2],
}

/// Fits on lines in any order and their usual prices; what it finds depends on their order only through rounding, and not
/// on the number of threads.
pub fn fit(lines: &[Line], usual: &[f64], customers: usize, items: usize) -> Response {
    let sizes = order_sizes(lines);
    let columns = [
        lines.iter().zip(usual).map(|(line, usual)| (line.price / usual).ln()).collect(),
        lines.iter().map(|line| line.quantity.ln()).collect(),
        lines.iter().zip(&sizes).map(|(line, size)| (size - line.quantity).max(0.0).ln_1p()).collect(),
    ];
    let [prices, mut quantities, rest] = within::both(lines, columns, customers, items);
    let order_size = held_fixed(&prices, &quantities, &rest);
    quantities.iter_mut().zip(&rest).for_each(|(quantity, rest)| *quantity -= order_size * rest);

    let slopes = |count: usize, of: &dyn Fn(&Line) -> Option<u32>| -> Vec<Slope> {
        let mut sums = vec![[0.0; 2]; count];
        for ((line, price), quantity) in lines.iter().zip(&prices).zip(&quantities) {
            if let Some(sum) = of(line).and_then(|place| sums.get_mut(place as usize)) {
                sum[0] += price * quantity;
                sum[1] += price * price;
            }
        }
        sums.into_iter().map(|[products, squares]| Slope::of(products, squares)).collect()
    };
    let half = |odd: bool| slopes(customers, &|line| ((line.order % 2 == 1) == odd).then_some(line.customer));
    let all = slopes(1, &|_| Some(0)).first().copied().unwrap_or_default();
    let own = slopes(customers, &|line| Some(line.customer));
    let mut squares = 0.0;
    for ((line, price), quantity) in lines.iter().zip(&prices).zip(&quantities) {
        let elasticity = own.get(line.customer as usize).map_or(0.0, |slope| slope.elasticity);
        squares += (quantity + elasticity * price).powi(2);
    }
    let known = own.iter().filter(|slope| slope.is_known()).count();
    // Means of customers and of items, one of which the others determine, slopes, and the size of the order.
    let free = lines.len() as f64 - (customers + items + known) as f64;
    Response {
        all,
        order_size,
        variance: (free >= 1.0).then(|| squares / free),
        items: slopes(items, &|line| Some(line.item)),
        halves: [half(false), half(true)],
        customers: own,
    }
}

/// Of each line the units of its order.
fn order_sizes(lines: &[Line]) -> Vec<f64> {
    let orders = lines.iter().map(|line| line.order as usize + 1).max().unwrap_or(0);
    let mut sizes = vec![0.0; orders];
    for line in lines {
        if let Some(size) = sizes.get_mut(line.order as usize) {
            *size += line.quantity;
        }
    }
    lines.iter().map(|line| sizes.get(line.order as usize).copied().unwrap_or(0.0)).collect()
}

/// By how much the quantity moves with the rest of the order at the same price: least squares on both.
fn held_fixed(prices: &[f64], quantities: &[f64], rest: &[f64]) -> f64 {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (pp, rr, pr) = (product(prices, prices), product(rest, rest), product(prices, rest));
    let (pq, rq) = (product(prices, quantities), product(rest, quantities));
    let determinant = pp * rr - pr * pr;
    if determinant > 1e-9 * pp * rr {
        (pp * rq - pr * pq) / determinant
    } else if rr > VARIATION_MIN && pp <= VARIATION_MIN {
        rq / rr
    } else {
        0.0
    }
}
