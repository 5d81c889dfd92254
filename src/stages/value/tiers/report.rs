//! What the report says of tiers: aggregates only.

use chrono::NaiveDate;

use super::Scene;
use super::assign::By;
use super::groups::Group;
use crate::format::{count, number, percent, thousands};
use crate::metrics::disclosure::{TOLD_MIN, hidden_cells, hidden_parts};
use crate::metrics::evaluation::{Chart, Evaluation, Fact};
use crate::metrics::migration::Matrix;
use crate::stages::value::levels::LEVELS;

/// `earlier` is the night that tiers are continued from.
pub fn evaluation(scene: &Scene<'_>, earlier: Option<NaiveDate>) -> Evaluation {
    let how = match scene.stage.by {
        By::Customers => "shares of customers",
        By::Value => "shares of value",
        By::Threshold => "least values",
    };
    let mut charts = vec![tiers(scene)];
    charts.extend(earlier.and_then(|night| moves(scene, night)));
    charts.extend(crossed(scene));
    charts.extend(given(scene));
    let sums = scene.sums();
    let total: f64 = sums.iter().map(|sum| sum.value).sum();
    let first = scene.names.first().zip(sums.first()).filter(|(_, sum)| sum.customers >= TOLD_MIN && total > 0.0);
    let finds = first.map(|(name, sum)| {
        format!(
            "{} in `{name}` have {} of the value.",
            count(sum.customers, "customer", "customers"),
            percent(sum.value / total)
        )
    });
    let empty = scene.names.iter().zip(&sums).filter(|(_, sum)| sum.customers == 0).map(|(name, _)| *name);
    let empty: Vec<&str> = if scene.placed.is_empty() { vec![] } else { empty.collect() };
    let watch = (!empty.is_empty()).then(|| format!("Nobody is in {}.", crate::format::list(empty, 20)));
    Evaluation {
        target: scene.stage.value.clone(),
        model: format!("tiers by {how}"),
        facts: facts(scene, earlier),
        charts,
        finds: finds.unwrap_or_default(),
        watch: watch.into_iter().collect(),
        ..Evaluation::default()
    }
}

fn facts(scene: &Scene<'_>, earlier: Option<NaiveDate>) -> Vec<Fact> {
    let ranked = scene.placed.iter().filter(|own| own.tier.is_some()).count() as u64;
    let mut facts = vec![Fact::new("customers", thousands(ranked))];
    let without = scene.placed.len() as u64 - ranked;
    if without > 0 {
        facts.push(Fact::new("in no tier", format!("{} without a value", count(without, "customer", "customers"))));
    }
    let Some(night) = earlier else {
        facts.push(Fact::new("continues", "no earlier night: hysteresis begins with the next one"));
        return facts;
    };
    let sums = scene.sums();
    let all = |of: fn(&super::Sum) -> u64| thousands(sums.iter().map(of).sum());
    let value = format!(
        "since {night} {} rose and {} fell; {} would have moved but for a margin of {}",
        all(|sum| sum.risen),
        all(|sum| sum.fallen),
        all(|sum| sum.held),
        percent(scene.stage.hysteresis)
    );
    facts.push(Fact::new("moved", value));
    facts
}

/// What stands for a count that is not told.
const UNTOLD: &str = "few";

/// Counts that come to a known number, as far as they may be told.
fn told(counts: &[u64]) -> Vec<Option<u64>> {
    counts.iter().zip(hidden_parts(counts)).map(|(count, hidden)| (!hidden).then_some(*count)).collect()
}

fn text(count: Option<u64>) -> String {
    count.map_or_else(|| UNTOLD.to_owned(), thousands)
}

fn tiers(scene: &Scene<'_>) -> Chart {
    let sums = scene.sums();
    let customers: u64 = sums.iter().map(|sum| sum.customers).sum();
    let total: f64 = sums.iter().map(|sum| sum.value).sum();
    let shown = told(&sums.iter().map(|sum| sum.customers).collect::<Vec<_>>());
    let row = |(place, (sum, shown)): (usize, (&super::Sum, &Option<u64>))| {
        let least = scene.cuts.get(place).map(|cut| cut.least).filter(|least| least.is_finite());
        let is_told = shown.is_some_and(|count| count > 0);
        vec![
            scene.names.get(place).map(|name| (*name).to_owned()).unwrap_or_default(),
            least.map_or_else(String::new, number),
            text(*shown),
            if is_told { percent(sum.customers as f64 / customers.max(1) as f64) } else { String::new() },
            if is_told { number(sum.value / sum.customers as f64) } else { String::new() },
            if is_told && total > 0.0 { percent(sum.value / total) } else { String::new() },
        ]
    };
    let columns = ["Tier", "Least value", "Customers", "Share", "Mean value", "Share of value"];
    Chart::Table {
        title: "Tiers".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: sums.iter().zip(&shown).enumerate().map(row).collect(),
    }
}

/// Who moved from where to where; small counts are hidden.
fn moves(scene: &Scene<'_>, night: NaiveDate) -> Option<Chart> {
    let size = scene.names.len();
    let mut counts = vec![vec![0_u64; size + 1]; size + 1];
    for own in &scene.placed {
        let (row, column) = (own.before.unwrap_or(size), own.tier.unwrap_or(size));
        if let Some(cell) =
            counts.get_mut(row).and_then(|row| row.get_mut(column)).filter(|_| row < size || column < size)
        {
            *cell += 1;
        }
    }
    let matrix = Matrix { counts: counts.clone(), same: (0..size).map(Some).collect() };
    if matrix.both() == 0 {
        return None;
    }
    let shown = matrix.tell(false);
    let names =
        |last: &str| scene.names.iter().map(|name| (*name).to_owned()).chain([last.to_owned()]).collect::<Vec<_>>();
    Some(Chart::Grid {
        title: format!("Who moved since {night}"),
        rows_title: "Tier before".to_owned(),
        columns_title: "tier now".to_owned(),
        rows: names("new"),
        columns: names("none"),
        values: shown.counts.iter().map(|row| row.iter().map(|cell| cell.unwrap_or(0) as f64).collect()).collect(),
        texts: shown.counts.iter().map(|row| row.iter().copied().map(text).collect()).collect(),
        center: None,
    })
}

/// Tiers by price sensitivity.
fn crossed(scene: &Scene<'_>) -> Option<Chart> {
    scene.levels.as_ref()?;
    let mut counts = vec![vec![0_u64; LEVELS.len()]; scene.names.len()];
    for (place, own) in scene.placed.iter().enumerate() {
        let level = LEVELS.iter().position(|level| Some(*level) == scene.level(place)).unwrap_or(LEVELS.len() - 1);
        if let Some(cell) = own.tier.and_then(|tier| counts.get_mut(tier)).and_then(|row| row.get_mut(level)) {
            *cell += 1;
        }
    }
    let hidden = hidden_cells(&counts);
    let cells = || {
        let row = |(row, hidden): (&Vec<u64>, &Vec<bool>)| {
            row.iter().zip(hidden).map(|(cell, hidden)| (!hidden).then_some(*cell)).collect::<Vec<Option<u64>>>()
        };
        counts.iter().zip(&hidden).map(row)
    };
    Some(Chart::Grid {
        title: "Customers by tier and price sensitivity".to_owned(),
        rows_title: "Tier".to_owned(),
        columns_title: "price sensitivity".to_owned(),
        rows: scene.names.iter().map(|name| (*name).to_owned()).collect(),
        columns: LEVELS.map(str::to_owned).to_vec(),
        values: cells().map(|row| row.into_iter().map(|cell| cell.unwrap_or(0) as f64).collect()).collect(),
        texts: cells().map(|row| row.into_iter().map(text).collect()).collect(),
        center: None,
    })
}

/// What is given, and to how many.
fn given(scene: &Scene<'_>) -> Option<Chart> {
    let groups = &scene.stage.groups;
    if groups.is_empty() {
        return None;
    }
    let mut counts = vec![0_u64; groups.len() + 1];
    for place in 0..scene.placed.len() {
        let found = scene.group(place).and_then(|group| groups.iter().position(|own| std::ptr::eq(own, group)));
        if let Some(count) = counts.get_mut(found.unwrap_or(groups.len())) {
            *count += 1;
        }
    }
    let words = |words: &Option<super::groups::Words>| {
        let all: Vec<String> = words.clone().map(Into::into).unwrap_or_default();
        if all.is_empty() { "any".to_owned() } else { all.join(", ") }
    };
    let shown = told(&counts);
    let row = |(group, customers): (&Group, &Option<u64>)| {
        let given = |text: &Option<String>| text.clone().unwrap_or_default();
        vec![
            words(&group.tier),
            words(&group.price_sensitivity),
            given(&group.service),
            given(&group.offer),
            text(*customers),
        ]
    };
    let nothing = shown.last().filter(|customers| **customers != Some(0));
    let last = nothing
        .map(|customers| vec!["all others".to_owned(), String::new(), String::new(), String::new(), text(*customers)]);
    let columns = ["Tier", "Price sensitivity", "Service", "Offer", "Customers"];
    Some(Chart::Table {
        title: "What they are given".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: groups.iter().zip(&shown).map(row).chain(last).collect(),
    })
}
