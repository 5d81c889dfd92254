use serde::Deserialize;

use super::*;

/// What tests/reference/price_response.py found with statsmodels.
#[derive(Deserialize)]
struct Found {
    elasticity: f64,
    order_size: f64,
    variance: f64,
    customers: Vec<f64>,
    mean: f64,
    between: f64,
}

fn reference() -> (Vec<Line>, Found) {
    let text = include_str!("../../../tests/reference/price_response.csv");
    let number = |text: &str| text.parse::<f64>().unwrap();
    let line = |row: &str| {
        let cells: Vec<f64> = row.split(',').map(number).collect();
        Line {
            customer: cells[0] as u32,
            item: cells[1] as u32,
            period: 0,
            order: cells[2] as u32,
            price: cells[3],
            quantity: cells[4],
        }
    };
    let found = include_str!("../../../tests/reference/price_response.json");
    (text.lines().skip(1).map(line).collect(), serde_json::from_str(found).unwrap())
}

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{found} is not {expected}");
}

#[test]
fn agrees_with_statsmodels() {
    let (lines, expected) = reference();
    let found = fit(&lines, &usual_prices(&lines), 40, 25);
    near(found.all.elasticity, expected.elasticity, 1e-6);
    near(found.order_size, expected.order_size, 1e-6);
    let variance = found.variance.unwrap();
    near(variance, expected.variance, 1e-6);
    for (own, expected) in found.customers.iter().zip(&expected.customers) {
        near(own.elasticity, *expected, 1e-5);
    }
    let prior = prior(&found.customers, &[0; 40], 1, variance).unwrap();
    near(prior.mean, expected.mean, 1e-4);
    near(prior.variance, expected.between, 1e-4);
    assert_eq!(prior.groups, [prior.mean]);
}

#[test]
fn usual_prices_are_medians_of_their_period() {
    let line = |item, period, price| Line { customer: 0, item, period, order: 0, price, quantity: 1.0 };
    let mut lines: Vec<Line> = [1.0, 9.0, 2.0, 2.0, 3.0].into_iter().map(|price| line(0, 0, price)).collect();
    // Too few: the median of all seven.
    lines.extend([line(0, 1, 8.0), line(0, 1, 9.0)]);
    lines.push(line(1, 0, 4.0));
    let usual = usual_prices(&lines);
    assert_eq!(usual, [2.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0, 4.0]);
    let even = [line(0, 0, 2.0), line(0, 0, 8.0)];
    assert_eq!(usual_prices(&even), [4.0, 4.0]);
    assert!(usual_prices(&[]).is_empty());
}

#[test]
fn what_never_varied_is_unknown() {
    let line = |customer, item, price, quantity: i32| Line {
        customer,
        item,
        period: 0,
        order: customer,
        price,
        quantity: quantity.into(),
    };
    // Customer 0 saw two prices of two items each; 1 only one price; 2 has one line.
    let lines = [
        line(0, 0, 1.0, 8),
        line(0, 0, 2.0, 4),
        line(0, 1, 1.0, 9),
        line(0, 1, 2.0, 3),
        line(1, 0, 1.0, 5),
        line(1, 0, 1.0, 6),
        line(2, 1, 1.0, 5),
    ];
    let found = fit(&lines, &usual_prices(&lines), 3, 2);
    let known: Vec<bool> = found.customers.iter().map(Slope::is_known).collect();
    assert!(known[0] && !known[2], "{known:?}");
    assert!(found.customers[0].elasticity > 0.5);
    let nothing = fit(&[], &[], 0, 0);
    assert_eq!((nothing.all, nothing.variance), (Slope::default(), None));
    let one = fit(&lines[..1], &[1.0], 1, 1);
    assert!(!one.customers[0].is_known() && one.variance.is_none());
    assert_eq!(prior(&found.customers[2..], &[0], 1, 1.0), None);
}

#[test]
fn groups_are_shrunk_towards_all_and_customers_towards_groups() {
    let slope = |elasticity, variation| Slope { elasticity, variation };
    // Two groups far apart, whose customers scatter, and one customer of a third.
    let mut slopes: Vec<Slope> = (0..40).map(|place| slope(1.0 + f64::from(place % 5) * 0.5, 2.0)).collect();
    slopes.extend((0..40).map(|place| slope(5.0 + f64::from(place % 5) * 0.5, 2.0)));
    slopes.push(slope(9.0, 2.0));
    let groups: Vec<u32> = (0..81).map(|place| place / 40).collect();
    let found = prior(&slopes, &groups, 3, 0.4).unwrap();
    assert!(found.groups[0] > 2.0 && found.groups[0] < 2.2, "{found:?}");
    assert!(found.groups[1] < 6.0 && found.groups[1] > 5.8 && found.groups[2] == found.mean, "{found:?}");
    assert!(found.variance < found.total_variance, "{found:?}");
    let own = shrink(&slopes[0], found.groups[0], found.variance, 0.4);
    assert!(own.mean > 1.0 && own.mean < found.groups[0] && own.deviation < found.variance.sqrt());
    let unknown = shrink(&Slope::default(), found.groups[0], found.variance, 0.4);
    assert_eq!((unknown.mean, unknown.deviation), (found.groups[0], found.variance.sqrt()));
}

/// What is noise alone has no variance between, and everyone is like all.
#[test]
fn customers_who_do_not_differ_are_told_to_be_alike() {
    let slopes: Vec<Slope> =
        (0..50).map(|place| Slope { elasticity: 1.0 + 0.01 * f64::from(place % 3), variation: 1.0 }).collect();
    let found = prior(&slopes, &[0; 50], 1, 1.0).unwrap();
    assert_eq!((found.variance, found.total_variance), (0.0, 0.0));
    assert_eq!(shrink(&slopes[0], found.mean, found.variance, 1.0), Shrunk { mean: found.mean, deviation: 0.0 });
}
