//! The products: what they are called, how popular they are, and what they cost on a day.

use rand::Rng;
use rand::seq::SliceRandom;

use super::random::{self, Purpose, Weighted};
use super::segment::CATEGORIES;
use super::words::{self, STYLES};

/// Products for a number of customers: 12 √customers, from two in each (category, style) to 9,600.
pub fn product_count(customers: u32) -> usize {
    let cells = (CATEGORIES * STYLES) as f64;
    (12.0 * f64::from(customers).sqrt()).clamp(2.0 * cells, 200.0 * cells) as usize
}

/// Exponent of popularity over rank, and the ranks that flatten its head.
const ZIPF_EXPONENT: f64 = 1.0;
const ZIPF_SHIFT: f64 = 4.0;

/// Spread of the logarithm of list prices within a category.
const PRICE_SIGMA: f64 = 0.55;

/// Share of (product, week) on promotion, and the depths, each as likely.
const PROMOTION_SHARE: f64 = 0.06;
const PROMOTION_DEPTHS: [f64; 4] = [0.10, 0.15, 0.20, 0.30];

/// One thing that can be on an order line.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    pub id: String,
    pub description: String,
    pub list_cents: i64,
    number: u64,
}

impl Product {
    /// Something that is on a bill but not on a shelf.
    fn service(id: &str, description: &str) -> Self {
        Self { id: id.into(), description: description.into(), list_cents: 0, number: 0 }
    }

    /// The depth of this week's promotion: 0 for most products in most weeks.
    pub fn promotion(&self, seed: u64, day: usize) -> f64 {
        let week = (day / 7) as u64;
        let drawn = random::key(seed, Purpose::Promotion, self.number, week);
        let at = (drawn >> 11) as f64 / (1u64 << 53) as f64 / PROMOTION_SHARE;
        let depth = PROMOTION_DEPTHS.get((at * PROMOTION_DEPTHS.len() as f64) as usize);
        depth.copied().unwrap_or(0.0)
    }

    /// The price in cents at a promotion of this depth.
    pub fn price_cents(&self, depth: f64) -> i64 {
        ((self.list_cents as f64 * (1.0 - depth)).round() as i64).max(1)
    }
}

/// Every product, by category and style.
#[derive(Debug)]
pub struct Catalog {
    cells: Vec<Weighted<Product>>,
    pub postage: Product,
    pub manual: Product,
}

impl Catalog {
    pub fn new(seed: u64, count: usize) -> Self {
        let mut rng = random::stream(seed, Purpose::Catalog, 0, 0);
        let mut ranks: Vec<usize> = (1..=count).collect();
        ranks.shuffle(&mut rng);
        let cell_count = CATEGORIES * STYLES;
        let mut cells: Vec<Vec<(Product, f64)>> = vec![Vec::new(); cell_count];
        for (number, rank) in ranks.into_iter().enumerate() {
            let weight = (rank as f64 + ZIPF_SHIFT).powf(-ZIPF_EXPONENT);
            if let Some(cell) = cells.get_mut(number % cell_count) {
                let product = product(number, cell_count, &mut rng);
                cell.push((product, weight));
            }
        }
        Self {
            cells: cells.into_iter().map(Weighted::new).collect(),
            postage: Product::service("POST", "Postage"),
            manual: Product::service("M", "Manual"),
        }
    }

    /// A product of a category and style, the popular ones more often.
    pub fn draw(&self, category: usize, style: usize, rng: &mut impl Rng) -> Option<&Product> {
        self.cells.get(category * STYLES + style)?.draw(rng)
    }

    /// Goods only, without services.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.cells.iter().flat_map(Weighted::iter)
    }
}

/// Product `number`: its cell is `number % cells`, its name comes from its place in the cell.
fn product(number: usize, cells: usize, rng: &mut impl Rng) -> Product {
    let (cell, place) = (number % cells, number / cells);
    let (category, style) = (cell / STYLES, cell % STYLES);
    let median_cents = words::ALL.get(category).map_or(500.0, |category| category.price_cents);
    let price = (random::log_normal(rng, median_cents, PRICE_SIGMA) / 100.0).clamp(0.5, 500.0);
    Product {
        // Its category and style can be read from its number, its popularity cannot.
        id: (10_000 + 1_000 * category + place * STYLES + style).to_string(),
        description: words::describe(category, style, place),
        list_cents: (price * 10.0).round() as i64 * 10 - 5,
        number: number as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_and_descriptions_are_unique_at_the_greatest_size() {
        let count = product_count(u32::MAX);
        let catalog = Catalog::new(1, count);
        let ids: HashSet<&str> = catalog.products().map(|product| product.id.as_str()).collect();
        let names: HashSet<&str> = catalog.products().map(|product| product.description.as_str()).collect();
        assert_eq!((count, ids.len(), names.len()), (9_600, 9_600, 9_600));
        assert!(catalog.products().all(|product| product.list_cents > 0));
    }

    #[test]
    fn six_percent_of_product_weeks_are_on_promotion() {
        let catalog = Catalog::new(1, 400);
        let depths: Vec<f64> =
            catalog.products().flat_map(|product| (0..100).map(|week| product.promotion(9, 7 * week))).collect();
        let share = depths.iter().filter(|depth| **depth > 0.0).count() as f64 / 40_000.0;
        assert!((share - PROMOTION_SHARE).abs() < 0.005, "{share}");
        assert!(PROMOTION_DEPTHS.iter().all(|depth| depths.contains(depth)));
    }

    #[test]
    fn a_promotion_lowers_the_price_to_the_cent() {
        let product = Product { list_cents: 1_295, ..Product::service("1", "Mug") };
        assert_eq!(product.price_cents(0.0), 1_295);
        assert_eq!(product.price_cents(0.15), 1_101); // 1,100.75 rounded
    }
}
