//! Windowed aggregation of events per entity, as of several moments at once.
//!
//! Events are grouped by entity with one counting sort. A task takes a run of entities, gathers
//! their events into its own cache in order of time, and finds how many events of each entity lie
//! before every moment at which some window starts or ends: each window of each snapshot is then a
//! slice. Windows that reach back to the beginning are carried from one snapshot to the next, so
//! they cost one pass; bounded ones cost their own length.
//!
//! Sums fold in the order of time (ties: order of input) with Neumaier's compensation, so the
//! result depends neither on the thread count nor on how the events were split into files.

mod aggregation;
mod gather;
mod order;
mod plan;
mod results;
mod running;
mod series;
mod value;

use std::ops::Range;

use rayon::prelude::*;

pub use aggregation::Aggregation;
pub use order::{EntityOrder, group_by_entity};
pub use value::WindowError;

use gather::Local;
use plan::Plan;
use results::Results;
use series::Series;

/// One column of event values, in input order.
#[derive(Debug, Clone)]
pub struct Values {
    data: Data,
    valid: Option<Vec<bool>>,
}

/// The values themselves; dates and times are integers.
#[derive(Debug, Clone)]
pub enum Data {
    Integers(Vec<i64>),
    /// Codes of a dictionary.
    Codes(Vec<u32>),
    Floats(Vec<f64>),
    /// The times of the events, which are there already.
    Times,
}

impl Values {
    /// `valid` is false where the value is missing; `None` when none is. NaN counts as missing.
    pub fn new(data: Data, valid: Option<Vec<bool>>) -> Values {
        let Data::Floats(floats) = &data else { return Values { data, valid } };
        if !floats.iter().any(|value| value.is_nan()) {
            return Values { data, valid };
        }
        let numbers = floats.iter().map(|value| !value.is_nan());
        let valid = match valid {
            None => numbers.collect(),
            Some(valid) => valid.into_iter().zip(numbers).map(|(valid, number)| valid && number).collect(),
        };
        Values { data, valid: Some(valid) }
    }

    /// The values; meaningless where they are missing.
    pub fn data(&self) -> &Data {
        &self.data
    }
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

/// Events in input order, with their grouping by entity.
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
    /// Code of the entity.
    pub entities: Vec<u32>,
    /// Index of the snapshot.
    pub snapshots: Vec<u32>,
    pub columns: Vec<Column>,
}

/// Entities that one task aggregates at most; small enough to balance and to stay in the cache.
const ENTITIES_PER_TASK: usize = 512;

/// Computes every call for these entities and every snapshot. Snapshots must ascend by moment.
///
/// An entity has a row for a snapshot once it has an event before it.
pub fn aggregate(
    events: &Events<'_>,
    snapshots: &[Snapshot],
    calls: &[Call],
    entities: Range<usize>,
) -> Result<Aggregated, WindowError> {
    let plan = Plan::new(snapshots, calls, events.values);
    let end = entities.end.min(events.order.len());
    let tasks: Vec<Range<usize>> = entities
        .step_by(ENTITIES_PER_TASK)
        .map(|start| start..(start + ENTITIES_PER_TASK).min(end))
        .filter(|task| !task.is_empty())
        .collect();
    let parts: Vec<Results> =
        tasks.into_par_iter().map(|task| one_task(events, &plan, task)).collect::<Result<_, _>>()?;
    Ok(Results::concat(&plan, parts))
}

fn one_task(events: &Events<'_>, plan: &Plan<'_>, entities: Range<usize>) -> Result<Results, WindowError> {
    let mut results = Results::new(plan);
    let local = Local::gather(events, plan, entities.clone());
    let mut cuts: Vec<usize> = Vec::new();
    let mut series = Series::default();
    for (entity, rows) in entities.zip(local.entities()) {
        let times = local.times(rows.clone());
        let Some(first) = times.first() else { continue };
        let absent = plan.snapshots.partition_point(|snapshot| snapshot.moment <= *first);
        if absent == plan.snapshots.len() {
            continue;
        }
        results.add_rows(entity, absent..plan.snapshots.len());
        plan.cut(times, &mut cuts);
        for wanted in &plan.series {
            series.fill(&local, rows.clone(), wanted, &cuts);
            for call in &wanted.calls {
                results.add(plan, *call, &series, absent)?;
            }
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests;
