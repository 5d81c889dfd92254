//! How customers respond to prices, and how items do.

mod lines;
mod report;
mod scores;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use polars::prelude::IntoLazy;
use schemars::JsonSchema;
use serde::Deserialize;

use self::lines::{Columns, Lines};
use crate::algorithms::price_response;
use crate::config::Span;
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::lineage::Reads;
use crate::stages::ports::{self, Serves};
use crate::table::TableSchema;

/// How customers respond to prices: by how much less each takes of an item when it costs more than usual.
///
/// The usual price of an item is the median of what was paid for it in a `period`. Over it stands what a line paid; the
/// elasticity is by how many percent less is taken when one percent more is paid: log quantity on log price, within items
/// and within customers, with the size of the rest of the order held fixed, since who buys more may pay less for that. It
/// describes and does not explain: a price may have been lowered because little was bought. A customer's own slope is
/// noisy, so it is shrunk towards that of the customer's segment (`by`) and of all, the more the less is known.
///
/// The output `customers` has a row for everyone with a usable line. `score` is the share of customers who are expected
/// to respond less, from 0 to 1, with a range of 90 %; `level` is `low`, `medium` or `high` by thirds of that, and
/// `unknown` where the data cannot say (`because`: the customer saw `one price`, or `too little` is known), with no score.
/// `items` has the usual price and the elasticity of each item, with a range of 90 %.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceSensitivity {
    /// The column that names the customer, such as `customer_id`.
    entity: String,
    /// The column that names the item, such as `product_id`.
    item: String,
    /// The column of what one unit cost.
    price: String,
    /// The column of how many units.
    quantity: String,
    /// The event time.
    time: String,
    /// The column that names the order; without it the lines of a customer at one time are one order.
    #[serde(default)]
    order: Option<String>,
    /// How long a usual price holds, counted back from the run date. Where fewer than five prices of an item are known in
    /// one, its usual price is that of all of them.
    #[serde(default = "default_period")]
    period: Span,
    /// Bought on discount is what was paid so much below the usual price, at least.
    #[serde(default = "default_discount")]
    #[schemars(range(min = 0.001, max = 0.999))]
    discount: f64,
    /// The column of the table at `segments` that names the segment.
    #[serde(default)]
    by: Option<String>,
    /// How much of what customers differ by must be known of one who is given a score, as a share of the variance.
    #[serde(default = "default_known")]
    #[schemars(range(min = 0, max = 1))]
    known: f64,
}

fn default_period() -> Span {
    Span::days(90)
}

fn default_discount() -> f64 {
    0.05
}

fn default_known() -> f64 {
    0.2
}

const EVENTS: &str = "events";
const SEGMENTS: &str = "segments";
/// What a line takes: as it is read, as it is kept, and its three logarithms with what is left of them.
const BYTES_A_ROW: u64 = 128;

impl StageConfig for PriceSensitivity {
    const KIND: &'static str = "price_sensitivity";
    const FAMILY: &'static str = "value";
}

impl Stage for PriceSensitivity {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::one(EVENTS), InputPort::optional(SEGMENTS)]
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["customers", "items"]
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (option, name, outputs) in
            [("entity", &self.entity, &scores::CUSTOMERS[..]), ("item", &self.item, &scores::ITEMS[..])]
        {
            problems.extend(ports::taken(name, outputs).map(|problem| problem.at(["with", option])));
        }
        if self.entity == self.item {
            problems.push(Problem::new(Code::DuplicateId, "customer and item are one column").at(["with", "item"]));
        }
        problems
    }

    fn reads(&self, _: &InputSchemas) -> Reads {
        let lines = [&self.entity, &self.item, &self.price, &self.quantity, &self.time].map(String::clone);
        let ids = vec![(EVENTS, self.entity.clone()), (EVENTS, self.item.clone())];
        let lines = lines.into_iter().chain(self.order.clone()).collect();
        Reads { columns: vec![(EVENTS, lines)], passed: Some(ids) }
    }

    fn schemas(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let events = inputs.one(EVENTS)?;
        let number = Serves { is: ports::is_number, needed: "a price or a quantity is a number" };
        let time = Serves { is: ports::is_time, needed: "an event time is a date or a datetime" };
        let mut problems = Vec::new();
        let mut read = |option: &'static str, name: &str, serves: Serves| {
            let found = ports::column(events, EVENTS, name, serves).map_err(|problem| problem.at(["with", option]));
            found.map_err(|problem| problems.push(problem)).ok().cloned()
        };
        let entity = read("entity", &self.entity, ports::ID);
        let item = read("item", &self.item, ports::ID);
        let price = read("price", &self.price, number);
        let quantity = read("quantity", &self.quantity, number);
        read("time", &self.time, time);
        if let Some(order) = &self.order {
            read("order", order, ports::ID);
        }
        let told = [price, quantity].into_iter().flatten().map(|column| column.class).max().unwrap_or_default();
        problems.extend(self.segment_problems(inputs, run_date));
        match (entity, item) {
            (Some(entity), Some(item)) if problems.is_empty() => {
                Ok(vec![scores::customers_schema(entity, told), scores::items_schema(item, told)])
            }
            _ => Err(problems),
        }
    }

    fn memory_bytes_min(&self, inputs: &Inputs) -> Option<u64> {
        inputs.sized(EVENTS).map(|(rows, _)| rows.saturating_mul(BYTES_A_ROW))
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let segments = inputs.many(SEGMENTS).pop().map(|named| named.table);
        let columns = Columns {
            entity: &self.entity,
            item: &self.item,
            price: &self.price,
            quantity: &self.quantity,
            time: &self.time,
            order: self.order.as_deref(),
        };
        let lines = Lines::read(inputs.one(EVENTS)?, &columns, context.run_date, self.period)?;
        context.cancel.check()?;
        let groups = match (&self.by, segments) {
            (Some(by), Some(table)) => lines.groups(table, &self.entity, by, context.run_date)?,
            _ => lines.one_group(),
        };
        let usual = price_response::usual_prices(&lines.lines);
        context.cancel.check()?;
        let response = price_response::fit(&lines.lines, &usual, lines.customers.len(), lines.items.len());
        context.cancel.check()?;
        let judged = scores::Judged::of(&lines, &usual, &response, &groups, self);
        Ok(Outputs {
            tables: vec![judged.customers(&self.entity)?.lazy(), judged.items(&self.item)?.lazy()],
            evaluation: Some(report::evaluation(&judged, self)),
            ..Outputs::default()
        })
    }
}

impl PriceSensitivity {
    /// What is wrong with the table of segments.
    fn segment_problems(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Vec<Problem> {
        let table = inputs.many(SEGMENTS).first().map(|(_, table)| table);
        let (Some(by), Some(table)) = (&self.by, table) else {
            return match (&self.by, table) {
                (Some(by), None) => {
                    let message = format!("there is no table at `{SEGMENTS}` that could name a customer's `{by}`");
                    vec![Problem::new(Code::MissingInput, message).at(["with", "by"])]
                }
                (None, Some(_)) => {
                    let problem = Problem::new(Code::MissingKey, format!("the table at `{SEGMENTS}` has no use"));
                    vec![problem.help("name its column of segments with `by`").at(["inputs", SEGMENTS])]
                }
                _ => vec![],
            };
        };
        let mut problems = Vec::new();
        let any = Serves { is: |_| true, needed: "" };
        for (option, name) in [("by", by), ("entity", &self.entity)] {
            let found = ports::column(table, SEGMENTS, name, any).err();
            problems.extend(found.map(|problem| problem.at(["with", option])));
        }
        problems.extend(ports::no_snapshot(table, SEGMENTS, run_date));
        problems
    }
}
