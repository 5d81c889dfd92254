use std::collections::BTreeSet;

use super::*;
use crate::sql::{expression, query};

fn told(origins: &Origins) -> Vec<String> {
    let word = |(table, column, uses): (&str, &str, &BTreeSet<Use>)| {
        let uses: Vec<String> = uses.iter().map(|used| format!("{used:?}")).collect();
        format!("{table}.{column} {}", uses.join(" "))
    };
    origins.iter().map(word).collect()
}

/// Each column as `name: origins`, and the rows as `*: origins`.
fn of(text: &str) -> Option<Vec<String>> {
    let tables = [("t", vec!["id", "quantity", "price", "at"]), ("u", vec!["k", "person", "id"])];
    let made = origins(&query(text).unwrap(), &tables)?;
    let column = |(name, origins): &(String, Origins)| format!("{name}: {}", told(origins).join(", "));
    let rows = std::iter::once(format!("*: {}", told(&made.rows).join(", ")));
    Some(made.columns.iter().map(column).chain(rows).collect())
}

#[test]
fn a_filter_is_of_all_columns_and_a_product_of_two() {
    let found = of("SELECT id AS who, at, quantity * price AS amount FROM t WHERE quantity > 0 ORDER BY at");
    let wanted = [
        "who: t.id Identity",
        "at: t.at Identity",
        "amount: t.price Transformation, t.quantity Transformation",
        "*: t.at Sort, t.quantity Filter",
    ];
    assert_eq!(found.unwrap(), wanted);
}

#[test]
fn aggregates_conditions_and_windows_are_told_apart() {
    let found = of("SELECT id, COUNT(*) AS rows, MAX(CASE WHEN quantity > 0 THEN price END) = 1 AS flag, \
                    SUM(price) FILTER (WHERE at IS NOT NULL) AS total, LOWER(id) AS low, \
                    ROW_NUMBER() OVER (PARTITION BY id ORDER BY at) AS n FROM t GROUP BY id HAVING SUM(price) > 2");
    let wanted = [
        "id: t.id Identity",
        "rows: ",
        "flag: t.price Aggregation, t.quantity Conditional",
        "total: t.at Filter, t.price Aggregation",
        "low: t.id Transformation",
        "n: t.at Window, t.id Window",
        "*: t.id GroupBy, t.price Filter",
    ];
    assert_eq!(found.unwrap(), wanted);
}

#[test]
fn parts_of_a_query_are_looked_through() {
    let found = of("WITH x AS (SELECT id AS who, SUM(price) AS total FROM t WHERE quantity > 1 GROUP BY id), \
                    y AS (SELECT k, person FROM u) \
                    SELECT y.person, x.total / 2 AS half FROM x LEFT JOIN y ON x.who = y.k \
                    SEMI JOIN t ON t.id = x.who");
    let wanted =
        ["person: u.person Identity", "half: t.price Aggregation", "*: t.id Join GroupBy, t.quantity Filter, u.k Join"];
    assert_eq!(found.unwrap(), wanted);
}

#[test]
fn stars_and_sets_go_by_names_and_places() {
    assert_eq!(of("SELECT t.* FROM t").unwrap().len(), 5);
    let semi = of("SELECT * FROM t SEMI JOIN u USING (id)").unwrap();
    assert_eq!(semi[0], "id: t.id Identity");
    assert_eq!(semi.last().unwrap(), "*: t.id Join, u.id Join");
    let union = of("SELECT id, price FROM t UNION SELECT person, k FROM u").unwrap();
    assert_eq!(union[0], "id: t.id Identity, u.person Identity");
    assert_eq!(union[2], "*: t.id GroupBy, t.price GroupBy, u.k GroupBy, u.person GroupBy");
    let except = of("SELECT id FROM t EXCEPT SELECT k FROM u").unwrap();
    assert_eq!(except, ["id: t.id Identity", "*: t.id Filter, u.k Filter"]);
    let joined = of("SELECT * FROM t JOIN u ON t.id = u.k").unwrap();
    assert_eq!(joined[0], "id: t.id Identity, u.id Identity", "which one it is, the engine says");
}

#[test]
fn a_limit_is_by_all_columns_and_a_number_may_be_any_of_them() {
    assert_eq!(of("SELECT id FROM t LIMIT 3").unwrap()[1], "*: t.id Sort");
    assert_eq!(of("SELECT id, MAX(at) AS last FROM t GROUP BY 1").unwrap()[2], "*: t.at GroupBy, t.id GroupBy");
    assert_eq!(of("SELECT DISTINCT quantity AS q FROM t ORDER BY q").unwrap()[1], "*: t.quantity GroupBy Sort");
    assert_eq!(of("SELECT price AS id FROM t ORDER BY id").unwrap()[1], "*: t.id Sort, t.price Sort");
}

/// Nothing is said where too little might be.
#[test]
fn what_cannot_be_told_is_not() {
    for text in [
        "SELECT * FROM t JOIN u ON t.id = u.k UNION ALL SELECT * FROM t JOIN u ON t.id = u.k",
        "SELECT id FROM t UNION ALL BY NAME SELECT id FROM u",
        "SELECT nothing FROM t",
        "SELECT w.id FROM t",
        "SELECT id FROM t NATURAL JOIN u",
        "SELECT SUM(price) OVER w AS s FROM t WINDOW w AS (ORDER BY at)",
        "VALUES (1)",
    ] {
        assert_eq!(of(text), None, "{text}");
    }
}

#[test]
fn an_expression_of_a_feature() {
    let of = |text: &str| origins_of_expression(&expression(text).unwrap(), "e", &["at", "x", "ok"]);
    let found = of("DAYS_SINCE(MAX(at) FILTER (WHERE ok > 0)) + COUNT(DISTINCT x)").unwrap();
    assert_eq!(told(&found), ["e.at Aggregation", "e.ok Filter", "e.x Aggregation"]);
    assert_eq!(of("SUM(y)"), None);
}

#[test]
fn what_is_used_in_two_steps() {
    assert_eq!(Use::Identity.of(Use::Masked), Use::Masked);
    assert_eq!(Use::Transformation.of(Use::Aggregation), Use::Aggregation);
    assert_eq!(Use::Aggregation.of(Use::Conditional), Use::Conditional);
    assert_eq!(Use::Filter.of(Use::Identity), Use::Filter);
    let renamed = Origins::one("port", "x", Use::Sort).renamed(|_| "sales".to_owned());
    assert_eq!(told(&renamed), ["sales.x Sort"]);
    assert!(Origins::default().is_empty() && renamed.len() == 1);
}
