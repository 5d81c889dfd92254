//! What the report says of responses to prices: aggregates only.

use super::PriceSensitivity;
use super::scores::Judged;
use crate::algorithms::price_response::Slope;
use crate::format::{count, number, percent, thousands};
use crate::metrics::disclosure::{TOLD_MIN, hidden_parts};
use crate::metrics::evaluation::{Better, Chart, Estimate, Evaluation, Fact, Measure};
use crate::metrics::regression::spearman;
use crate::stages::value::levels::LEVELS;
use crate::stages::watch;

/// What was paid over the usual price: the ends of classes.
const DEPTHS: [(f64, f64, &str); 6] = [
    (0.0, 0.75, "25 % and more below"),
    (0.75, 0.85, "15 to 25 % below"),
    (0.85, 0.95, "5 to 15 % below"),
    (0.95, 1.05, "as usual"),
    (1.05, 1.15, "5 to 15 % above"),
    (1.15, f64::INFINITY, "15 % and more above"),
];
/// Classes of elasticities of items.
const CLASSES: [f64; 6] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0];

pub fn evaluation(judged: &Judged<'_>, stage: &PriceSensitivity) -> Evaluation {
    let halves = split_half(judged);
    let measure = halves.map(|(correlation, _)| Measure {
        name: "split_half".to_owned(),
        better: Better::Higher,
        model: Estimate::point(correlation),
        baseline: None,
        difference: None,
    });
    let mut evaluation = Evaluation {
        target: stage.quantity.clone(),
        model: "response to prices within items and customers".to_owned(),
        headline: measure.as_ref().map(|measure| measure.name.clone()).unwrap_or_default(),
        measures: measure.into_iter().collect(),
        facts: facts(judged, stage),
        charts: vec![levels(judged), depths(judged)],
        ..Evaluation::default()
    };
    evaluation.charts.extend(items(judged));
    let known = judged.answers.iter().filter(|answer| answer.score.is_some()).count();
    evaluation.finds = match &judged.prior {
        Some(prior) => format!(
            "One percent more on the price goes with {} percent less taken by the typical customer; {} of {} can be told apart.",
            number(prior.mean),
            thousands(known as u64),
            count(judged.answers.len() as u64, "customer", "customers")
        ),
        None => String::new(),
    };
    if known == 0 && !judged.answers.is_empty() {
        let constant = judged.response.customers.iter().all(|slope| !slope.is_known());
        evaluation.warnings.push(watch::no_price_response(constant));
    }
    if let Some((correlation, customers)) = halves {
        evaluation.watch.extend(watch::unsteady_response(correlation, customers));
    }
    let raised = judged.prior.as_ref().is_some_and(|prior| prior.mean < 0.0);
    evaluation.watch.extend(raised.then(watch::more_when_dearer));
    evaluation
}

/// How alike the slopes from every other order and from the rest are, over customers of whom both are known at least half
/// as well as from all; and how many these are.
fn split_half(judged: &Judged<'_>) -> Option<(f64, usize)> {
    let [first, second] = &judged.response.halves;
    let is_sure = |place: usize, half: &Slope| {
        let all = judged.response.customers.get(place).map_or(0.0, |slope| slope.variation);
        half.is_known()
            && half.variation >= all / 4.0
            && judged.answers.get(place).is_some_and(|own| own.score.is_some())
    };
    let pairs = first.iter().zip(second).enumerate();
    let sure = pairs.filter(|(place, (a, b))| is_sure(*place, a) && is_sure(*place, b));
    let (a, b): (Vec<f64>, Vec<f64>) = sure.map(|(_, (a, b))| (a.elasticity, b.elasticity)).unzip();
    if (a.len() as u64) < 2 * TOLD_MIN {
        return None;
    }
    Some((spearman(&a, &b, &vec![1; a.len()])?, a.len()))
}

fn facts(judged: &Judged<'_>, stage: &PriceSensitivity) -> Vec<Fact> {
    let lines = judged.lines;
    let mut facts = vec![Fact::new(
        "lines",
        format!(
            "{} of {} and {}",
            thousands(lines.lines.len() as u64),
            count(lines.customers.len() as u64, "customer", "customers"),
            count(lines.items.len() as u64, "item", "items")
        ),
    )];
    if lines.left_out > 0 {
        let left = count(lines.left_out, "row", "rows");
        facts
            .push(Fact::new("left out", format!("{left} without an id, a time, or a price and a quantity above zero")));
    }
    let usual = format!("the median of what was paid for the item in {} days", stage.period.in_days());
    facts.push(Fact::new("usual price", usual));
    if judged.response.all.is_known() {
        let size = judged.response.order_size;
        let held =
            format!("with the rest of the order twice as large, {} more is taken", percent(2_f64.powf(size) - 1.0));
        facts.push(Fact::new("order size", held));
    }
    if let Some(prior) = &judged.prior {
        let spread = format!(
            "{}, with a deviation of {} between customers",
            number(prior.mean),
            number(prior.total_variance.sqrt())
        );
        facts.push(Fact::new("elasticity", spread));
        let segments = judged.groups.names.iter().zip(&prior.groups);
        let told: Vec<String> = segments.map(|(name, mean)| format!("{name} {}", number(*mean))).collect();
        if !told.is_empty() {
            facts.push(Fact::new("by segment", crate::format::list(told.iter().map(String::as_str), 20)));
        }
    }
    facts
}

/// How many customers are of which level.
fn levels(judged: &Judged<'_>) -> Chart {
    let sum = |level: &&str| {
        let own = judged.answers.iter().zip(&judged.of_customers).filter(|(answer, _)| answer.level.name() == *level);
        own.fold((0_u64, 0_u64, 0_u64), |(customers, lines, discounted), (_, tally)| {
            (customers + 1, lines + tally.lines, discounted + tally.discounted)
        })
    };
    let sums: Vec<(u64, u64, u64)> = LEVELS.iter().map(sum).collect();
    let hidden = hidden_parts(&sums.iter().map(|(customers, ..)| *customers).collect::<Vec<_>>());
    let row = |((level, (customers, lines, discounted)), hidden): ((&&str, &(u64, u64, u64)), &bool)| {
        let nothing = || ["", "", ""].map(str::to_owned);
        let share = percent(*customers as f64 / judged.answers.len().max(1) as f64);
        let [share, each, on_discount] = if *hidden || *customers == 0 {
            nothing()
        } else {
            let on_discount = percent(*discounted as f64 / (*lines).max(1) as f64);
            [share, number(*lines as f64 / *customers as f64), on_discount]
        };
        let customers = if *hidden { "few".to_owned() } else { thousands(*customers) };
        vec![(*level).to_owned(), customers, share, each, on_discount]
    };
    let columns = ["Price sensitivity", "Customers", "Share", "Lines each", "Bought on discount"];
    Chart::Table {
        title: "Customers by how much they respond to prices".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: LEVELS.iter().zip(&sums).zip(&hidden).map(row).collect(),
    }
}

/// How much was taken at which price, against what the customer takes and the item sells.
fn depths(judged: &Judged<'_>) -> Chart {
    let mut sums = [(0_u64, 0.0); DEPTHS.len()];
    for (line, usual) in judged.lines.lines.iter().zip(judged.usual) {
        let over = line.price / usual;
        if let Some(place) = DEPTHS.iter().position(|(low, high, _)| over >= *low && over < *high)
            && let Some((lines, units)) = sums.get_mut(place)
        {
            *lines += 1;
            *units += line.quantity;
        }
    }
    let row = |((_, _, name), (lines, units)): (&(f64, f64, &str), &(u64, f64))| {
        let is_told = *lines >= TOLD_MIN;
        vec![
            (*name).to_owned(),
            if is_told || *lines == 0 { thousands(*lines) } else { format!("fewer than {TOLD_MIN}") },
            if is_told { percent(*lines as f64 / judged.lines.lines.len().max(1) as f64) } else { String::new() },
            if is_told { number(units / *lines as f64) } else { String::new() },
        ]
    };
    let columns = ["Paid, against usual", "Lines", "Share", "Units a line"];
    Chart::Table {
        title: "What was paid".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: DEPTHS.iter().zip(&sums).map(row).collect(),
    }
}

/// Items by elasticity, shrunk towards that of all.
fn items(judged: &Judged<'_>) -> Option<Chart> {
    let (prior, noise) = (judged.item_prior.as_ref()?, judged.response.variance?);
    let known = judged.response.items.iter().filter(|slope| slope.is_known());
    let values: Vec<f64> = known
        .map(|slope| crate::algorithms::price_response::shrink(slope, prior.mean, prior.variance, noise).mean)
        .collect();
    if (values.len() as u64) < 2 * TOLD_MIN {
        return None;
    }
    let low = std::iter::once(f64::NEG_INFINITY).chain(CLASSES);
    let bar = |(low, high): (f64, f64)| {
        let name = match (low.is_finite(), high.is_finite()) {
            (false, _) => format!("below {high}"),
            (_, false) => format!("{low} and more"),
            _ => format!("{low} to {high}"),
        };
        (name, values.iter().filter(|value| **value >= low && **value < high).count() as f64)
    };
    let bars = low.zip(CLASSES.into_iter().chain([f64::INFINITY])).map(bar).collect();
    Some(Chart::Bars { title: "Elasticity of items, shrunk".to_owned(), unit: "items".to_owned(), bars })
}
