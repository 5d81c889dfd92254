//! What is worked out once for all entities: moments, windows, and which calls look at the same values.

use super::{Aggregation, Call, Data, Snapshot, Values, Window};

/// The calls of one aggregation, prepared.
pub(super) struct Plan<'a> {
    pub snapshots: &'a [Snapshot],
    pub calls: Vec<PlannedCall>,
    pub series: Vec<SeriesPlan>,
    /// The moments at which a window starts or ends, ascending; the first lies before all time.
    moments: Vec<i64>,
}

pub(super) struct PlannedCall {
    pub aggregation: Aggregation,
    /// The window grows from snapshot to snapshot and never loses a value.
    pub grows: bool,
    /// For each snapshot where its window starts and ends, as indexes of moments; `None` where the
    /// result is not known.
    pub windows: Vec<Option<(usize, usize)>>,
    /// Whether results are integers.
    pub integers: bool,
}

/// Values of one column under one filter, and the calls that look at them.
pub(super) struct SeriesPlan {
    pub argument: Option<usize>,
    pub mask: Option<usize>,
    /// Whether distinct values are counted.
    pub distinct: bool,
    /// Indexes of calls.
    pub calls: Vec<usize>,
}

/// More events an entity than this for each moment, and a binary search beats a merge.
const SEARCH_ABOVE: usize = 16;

impl<'a> Plan<'a> {
    pub fn new(snapshots: &'a [Snapshot], calls: &[Call], values: &[Values]) -> Plan<'a> {
        let ends =
            |call: &Call| snapshots.iter().map(|snapshot| bounds(call.window, snapshot.moment)).collect::<Vec<_>>();
        let mut moments: Vec<i64> = calls.iter().flat_map(ends).flat_map(|(start, end)| [start, end]).collect();
        moments.push(i64::MIN);
        moments.sort_unstable();
        moments.dedup();
        let mut plan = Plan { snapshots, calls: vec![], series: vec![], moments };
        for (index, call) in calls.iter().enumerate() {
            let planned = plan.call(index, call, values);
            plan.calls.push(planned);
            plan.join_series(index, call);
        }
        plan
    }

    fn call(&self, index: usize, call: &Call, values: &[Values]) -> PlannedCall {
        let position = |moment: i64| self.moments.partition_point(|one| *one < moment);
        let window = |snapshot: &Snapshot| {
            let (start, end) = bounds(call.window, snapshot.moment);
            snapshot.known.get(index).copied().unwrap_or(false).then(|| (position(start), position(end)))
        };
        let integers = match call.argument.and_then(|index| values.get(index)).map(Values::data) {
            Some(Data::Floats(_)) => call.aggregation.counts(),
            None | Some(_) => call.aggregation.keeps_integers(),
        };
        PlannedCall {
            aggregation: call.aggregation,
            grows: call.window == Window::Before,
            windows: self.snapshots.iter().map(window).collect(),
            integers,
        }
    }

    fn join_series(&mut self, index: usize, call: &Call) {
        let distinct = call.aggregation == Aggregation::CountDistinct;
        match self.series.iter_mut().find(|one| (one.argument, one.mask) == (call.argument, call.mask)) {
            Some(series) => {
                series.distinct |= distinct;
                series.calls.push(index);
            }
            None => {
                self.series.push(SeriesPlan { argument: call.argument, mask: call.mask, distinct, calls: vec![index] });
            }
        }
    }

    /// For each moment how many of an entity's ascending times lie before it.
    pub fn cut(&self, times: &[i64], cuts: &mut Vec<usize>) {
        cuts.clear();
        if times.len() > SEARCH_ABOVE * self.moments.len() {
            cuts.extend(self.moments.iter().map(|moment| times.partition_point(|time| time < moment)));
            return;
        }
        let mut before = 0;
        let mut rest = times.iter();
        let mut next = rest.next();
        for moment in &self.moments {
            while next.is_some_and(|time| time < moment) {
                before += 1;
                next = rest.next();
            }
            cuts.push(before);
        }
    }
}

/// The half-open window as of a moment.
fn bounds(window: Window, moment: i64) -> (i64, i64) {
    match window {
        Window::Before => (i64::MIN, moment),
        Window::Last(length) => (moment.saturating_sub(length), moment),
        Window::Next(length) => (moment, moment.saturating_add(length)),
    }
}
