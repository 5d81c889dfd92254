//! The products: what they are called, how popular they are, and what they cost at base.

use rand::Rng;
use rand::seq::SliceRandom;

use super::random::{self, Purpose, Weighted};
use super::words::{self, CATEGORIES, Description, STYLES};

/// Products for a number of customers: 12 √customers, from two in each (category, style) to 9,600.
pub fn product_count(customers: u32) -> usize {
    let cells = (CATEGORIES * STYLES) as f64;
    (12.0 * f64::from(customers).sqrt()).clamp(2.0 * cells, 200.0 * cells) as usize
}

/// Exponent of popularity over rank, and the ranks that flatten its head.
const ZIPF_EXPONENT: f64 = 1.0;
const ZIPF_SHIFT: f64 = 4.0;

/// Spread of the logarithm of base prices within a category.
const PRICE_SIGMA: f64 = 0.55;

/// By what a customer's elasticity is multiplied in a category, in the order of `words::ALL`.
pub const ELASTICITY_FACTORS: [f64; CATEGORIES] = [1.0, 0.9, 1.1, 0.8, 1.0, 1.1, 1.2, 0.9, 1.2, 0.8, 1.0, 1.0];

/// The category of lines that are on a bill but not on a shelf.
pub const SERVICE: &str = "Service";

/// One thing that can be on an order line.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    pub id: String,
    pub description: Description,
    /// Index into `words::ALL`; none for a service.
    pub category: Option<usize>,
    pub style: usize,
    pub base_cents: u32,
    /// Place by popularity within its catalog, from 1; 0 for a service.
    pub rank: usize,
    /// Chance to be drawn within its category and style.
    pub share: f64,
}

impl Product {
    fn service(id: &str, english: &str, chinese: &str, base_cents: u32) -> Self {
        let description = Description { english: english.into(), chinese: chinese.into() };
        Self { id: id.into(), description, category: None, style: 0, base_cents, rank: 0, share: 0.0 }
    }

    pub fn category_name(&self) -> &'static str {
        self.category.and_then(|category| words::ALL.get(category)).map_or(SERVICE, |category| category.name)
    }

    /// By what a customer's elasticity is multiplied.
    pub fn elasticity_factor(&self) -> f64 {
        self.category.and_then(|category| ELASTICITY_FACTORS.get(category)).copied().unwrap_or(0.0)
    }
}

/// Every product: goods by number, then the services.
#[derive(Debug)]
pub struct Catalog {
    products: Vec<Product>,
    goods: usize,
    /// Numbers of the products of each (category, style).
    cells: Vec<Weighted<u32>>,
    /// Mean base price in cents of a draw from each (category, style).
    cell_cents: Vec<f64>,
}

impl Catalog {
    pub fn new(seed: u64, count: usize) -> Self {
        let mut rng = random::stream(seed, Purpose::Catalog, 0, 0);
        let mut ranks: Vec<usize> = (1..=count).collect();
        ranks.shuffle(&mut rng);
        let cell_count = CATEGORIES * STYLES;
        let mut products: Vec<Product> =
            ranks.into_iter().enumerate().map(|(number, rank)| product(number, rank, &mut rng)).collect();
        let cells: Vec<Weighted<u32>> = (0..cell_count)
            .map(|cell| {
                let of_cell = products.iter().enumerate().skip(cell).step_by(cell_count);
                Weighted::new(of_cell.map(|(number, product)| (number as u32, popularity(product.rank))))
            })
            .collect();
        let mut cell_cents = Vec::with_capacity(cell_count);
        for cell in &cells {
            let mut mean = 0.0;
            for (number, share) in cell.shares() {
                if let Some(product) = products.get_mut(*number as usize) {
                    product.share = share;
                    mean += share * f64::from(product.base_cents);
                }
            }
            cell_cents.push(mean);
        }
        products.push(Product::service("POST", "Postage", "邮费", 0));
        products.push(Product::service("M", "Manual entry", "手工录入", 0));
        Self { products, goods: count, cells, cell_cents }
    }

    /// The number of a product of a category and style, the popular ones more often.
    pub fn draw(&self, category: usize, style: usize, rng: &mut impl Rng) -> Option<u32> {
        self.cells.get(category * STYLES + style)?.draw(rng).copied()
    }

    /// Mean base price in cents of what [`Catalog::draw`] gives.
    pub fn mean_cents(&self, category: usize, style: usize) -> f64 {
        self.cell_cents.get(category * STYLES + style).copied().unwrap_or(0.0)
    }

    pub fn get(&self, number: u32) -> Option<&Product> {
        self.products.get(number as usize)
    }

    /// Goods, then services; a product's number is its place.
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// Goods only.
    pub fn goods(&self) -> &[Product] {
        self.products.get(..self.goods).unwrap_or_default()
    }

    /// The number of the postage line.
    pub fn postage(&self) -> u32 {
        self.goods as u32
    }

    /// The number of the manual entry.
    pub fn manual(&self) -> u32 {
        self.goods as u32 + 1
    }
}

fn popularity(rank: usize) -> f64 {
    (rank as f64 + ZIPF_SHIFT).powf(-ZIPF_EXPONENT)
}

/// Product `number`: its cell is `number % cells`, its name comes from its place in the cell.
fn product(number: usize, rank: usize, rng: &mut impl Rng) -> Product {
    let cells = CATEGORIES * STYLES;
    let (cell, place) = (number % cells, number / cells);
    let (category, style) = (cell / STYLES, cell % STYLES);
    let median_cents = words::ALL.get(category).map_or(500.0, |category| category.price_cents);
    let price = (random::log_normal(rng, median_cents, PRICE_SIGMA) / 100.0).clamp(0.5, 500.0);
    Product {
        // Its category and style can be read from its number, its popularity cannot.
        id: (10_000 + 1_000 * category + place * STYLES + style).to_string(),
        description: words::describe(category, style, place),
        category: Some(category),
        style,
        base_cents: (price * 10.0).round() as u32 * 10 - 5,
        rank,
        share: 0.0,
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
        let ids: HashSet<&str> = catalog.products().iter().map(|product| product.id.as_str()).collect();
        let english: HashSet<&str> =
            catalog.goods().iter().map(|product| product.description.english.as_str()).collect();
        let chinese: HashSet<&str> =
            catalog.goods().iter().map(|product| product.description.chinese.as_str()).collect();
        assert_eq!((count, ids.len(), english.len(), chinese.len()), (9_600, 9_602, 9_600, 9_600));
        assert!(catalog.goods().iter().all(|product| product.base_cents >= 45));
    }

    #[test]
    fn shares_of_a_cell_sum_to_one_and_fall_with_the_rank() {
        let catalog = Catalog::new(1, 480);
        let total: f64 = catalog.goods().iter().map(|product| product.share).sum();
        assert!((total - 48.0).abs() < 1e-9, "{total}");
        let of_cell: Vec<&Product> = catalog.goods().iter().step_by(48).collect();
        for (left, right) in of_cell.iter().zip(of_cell.iter().skip(1)) {
            assert_eq!(left.rank < right.rank, left.share > right.share);
        }
    }

    #[test]
    fn services_have_the_last_numbers() {
        let catalog = Catalog::new(1, 100);
        assert_eq!(catalog.get(catalog.postage()).unwrap().id, "POST");
        assert_eq!(catalog.get(catalog.manual()).unwrap().category_name(), SERVICE);
    }
}
