//! Windowed aggregation of events per entity, as of several moments at once.
//!
//! Events are sorted once by (entity, time); every window of every snapshot is then a contiguous
//! slice of its entity's events. Windows that reach back to the beginning are carried from one
//! snapshot to the next, so they cost one pass; bounded ones cost their own length.
//! Sums fold in the order of time (ties: order of input) with Neumaier's compensation, so the
//! result depends neither on the thread count nor on how the events were split into files.

mod aggregate;
mod order;
mod series;

use rayon::prelude::*;

pub use aggregate::{Aggregation, WindowError};
pub use order::{EntityOrder, order_events};

use aggregate::Results;
use series::Series;

/// One column of event values, in input order. NaN counts as missing.
#[derive(Debug, Clone)]
pub struct Values {
    pub data: Data,
    /// False where the value is missing; `None` when none is.
    pub valid: Option<Vec<bool>>,
}

/// The values themselves; codes of an ordered dictionary, dates and times are integers.
#[derive(Debug, Clone)]
pub enum Data {
    Integers(Vec<i64>),
    Floats(Vec<f64>),
}

/// The half-open time window of an aggregate, relative to a snapshot's moment, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// All events before the moment.
    Before,
    /// `[moment − length, moment)`
    Last(i64),
    /// `[moment, moment + length)`
    Next(i64),
}

/// One aggregate to compute: of which column (none: of rows), of which rows, over which window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call {
    pub aggregation: Aggregation,
    /// Index into `Events::values`; `None` counts rows.
    pub argument: Option<usize>,
    /// Index into `Events::masks`.
    pub mask: Option<usize>,
    pub window: Window,
}

/// Events in input order, with their (entity, time) order.
#[derive(Debug)]
pub struct Events<'a> {
    /// Microseconds since 1970, in input order.
    pub times: &'a [i64],
    pub order: &'a EntityOrder,
    pub values: &'a [Values],
    /// Rows that a FILTER keeps, in input order.
    pub masks: &'a [Vec<bool>],
}

/// A snapshot: its moment (microseconds since 1970), and for each call whether to compute it
/// (false where the future of a label is not known: the result is then missing).
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub moment: i64,
    pub known: Vec<bool>,
}

/// One result column: a value a row, missing where `valid` is false.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    Integers { data: Vec<i64>, valid: Vec<bool> },
    Floats { data: Vec<f64>, valid: Vec<bool> },
}

/// The rows (entity, snapshot) with an event before the snapshot, sorted by both, and a column a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregated {
    /// Index of the entity in `EntityOrder::starts`.
    pub entities: Vec<u32>,
    /// Index of the snapshot.
    pub snapshots: Vec<u32>,
    pub columns: Vec<Column>,
}

/// Entities that one task aggregates; small enough to balance, large enough to amortize.
const ENTITIES_PER_TASK: usize = 512;

/// Computes every call for every entity and snapshot. Snapshots must ascend by moment.
///
/// An entity has a row for a snapshot once it has an event before it.
pub fn aggregate(events: &Events<'_>, snapshots: &[Snapshot], calls: &[Call]) -> Result<Aggregated, WindowError> {
    let plan = Plan::new(calls);
    let tasks: Vec<(usize, usize)> = (0..events.order.len())
        .step_by(ENTITIES_PER_TASK)
        .map(|start| (start, (start + ENTITIES_PER_TASK).min(events.order.len())))
        .collect();
    let parts: Vec<Results> = tasks
        .into_par_iter()
        .map(|(start, end)| {
            let mut results = Results::new(calls, events.values);
            for entity in start..end {
                one_entity(events, snapshots, calls, &plan, entity, &mut results)?;
            }
            Ok(results)
        })
        .collect::<Result<_, WindowError>>()?;
    Ok(Results::concat(calls, events.values, parts))
}

/// Which calls share which series (argument, mask), so that each is gathered once an entity.
struct Plan {
    series: Vec<(Option<usize>, Option<usize>)>,
    series_of: Vec<usize>,
    distinct: Vec<bool>,
}

impl Plan {
    fn new(calls: &[Call]) -> Plan {
        let mut plan = Plan { series: vec![], series_of: vec![], distinct: vec![] };
        for call in calls {
            let wanted = (call.argument, call.mask);
            let index = plan.series.iter().position(|one| *one == wanted).unwrap_or(plan.series.len());
            if index == plan.series.len() {
                plan.series.push(wanted);
                plan.distinct.push(false);
            }
            if let Some(distinct) = plan.distinct.get_mut(index) {
                *distinct |= call.aggregation == Aggregation::CountDistinct;
            }
            plan.series_of.push(index);
        }
        plan
    }
}

fn one_entity(
    events: &Events<'_>,
    snapshots: &[Snapshot],
    calls: &[Call],
    plan: &Plan,
    entity: usize,
    results: &mut Results,
) -> Result<(), WindowError> {
    let rows = events.order.rows_of(entity);
    let Some(first) = rows.first().and_then(|row| events.times.get(*row as usize)) else { return Ok(()) };
    let present = snapshots.iter().take_while(|snapshot| snapshot.moment <= *first).count();
    let present = snapshots.get(present..).unwrap_or_default();
    if present.is_empty() {
        return Ok(());
    }
    let offset = snapshots.len() - present.len();
    results.add_rows(entity, offset, present.len());
    let series: Vec<Series> = plan
        .series
        .iter()
        .zip(&plan.distinct)
        .map(|((argument, mask), distinct)| Series::gather(events, rows, *argument, *mask, *distinct))
        .collect();
    for (index, call) in calls.iter().enumerate() {
        if let Some(series) = plan.series_of.get(index).and_then(|one| series.get(*one)) {
            results.add(index, call, series, present)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
