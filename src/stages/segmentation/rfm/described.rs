//! What the report shows of the scores. Nothing is fitted, so nothing is judged.

use std::collections::BTreeMap;

use super::Scored;
use crate::format;
use crate::metrics::disclosure::{Entry, hidden};
use crate::metrics::evaluation::{Chart, Evaluation, Fact, Slice};
use crate::stages::segmentation::migration::Moves;

/// A smaller number of entities is not told.
const CELL_ROWS_MIN: u64 = 10;

impl Scored {
    /// How many entities have which scores, and which segment; `order` is that of the segments.
    pub(super) fn described(
        &self,
        entity: &str,
        bins: u32,
        names: &[Option<&str>],
        order: &[&str],
        moves: Option<Moves>,
    ) -> Evaluation {
        let rows = self.recency.len() as f64;
        let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
        names.iter().flatten().for_each(|name| *sizes.entry(name).or_default() += 1);
        let cells = self.cells();
        let known: u64 = sizes.values().sum();
        let mut facts = vec![Fact::new(
            "rows",
            format!("{}, of which {} have scores", format::thousands(rows as u64), format::thousands(known)),
        )];
        facts.extend(moves.as_ref().map(|moves| moves.fact.clone()));
        let shares = with_hidden(&by_scores(&cells, bins));
        let told = shares.iter().zip((1..=bins).rev()).flat_map(|(row, recency)| {
            let told = row.iter().zip((1..=bins).rev()).filter_map(move |(count, frequency)| {
                Some((format!("recency {recency}, frequency {frequency}"), (*count).filter(|count| *count > 0)?))
            });
            told.map(|(name, count)| Slice::new(name, "share", count as f64 / rows)).collect::<Vec<_>>()
        });
        let sizes = tellable(sizes);
        let of_segments = sizes.iter();
        let told = told.chain(of_segments.map(|(name, count)| Slice::new(*name, "share", *count as f64 / rows)));
        Evaluation {
            target: entity.to_owned(),
            model: "RFM scores".to_owned(),
            facts,
            slices: told.collect(),
            charts: [bars(&sizes, order), grid(&cells, bins)]
                .into_iter()
                .chain(moves.and_then(|moves| moves.chart))
                .collect(),
            ..Evaluation::default()
        }
    }

    /// Entities by scores of recency and frequency.
    fn cells(&self) -> BTreeMap<(u32, u32), u64> {
        let mut cells: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for pair in self.recency.iter().zip(&self.frequency) {
            if let (Some(recency), Some(frequency)) = pair {
                *cells.entry((*recency, *frequency)).or_default() += 1;
            }
        }
        cells
    }
}

/// Sizes that may be told: not small ones, and where that is one only, not the next either, since the rest would tell it.
fn tellable(mut sizes: BTreeMap<&str, u64>) -> BTreeMap<&str, u64> {
    let all = sizes.len();
    sizes.retain(|_, count| *count >= CELL_ROWS_MIN);
    if sizes.len() + 1 == all {
        let least = sizes.iter().min_by_key(|(_, count)| **count).map(|(name, _)| *name);
        sizes.retain(|name, _| Some(*name) != least);
    }
    sizes
}

fn bars(sizes: &BTreeMap<&str, u64>, order: &[&str]) -> Chart {
    let mut bars: Vec<(&str, u64)> = sizes.iter().map(|(name, count)| (*name, *count)).collect();
    let place = |name: &str| order.iter().position(|other| *other == name).unwrap_or(usize::MAX);
    bars.sort_by_key(|(name, _)| place(name));
    let told = bars.into_iter();
    Chart::Bars {
        title: "Sizes of the segments".to_owned(),
        unit: "rows".to_owned(),
        bars: told.map(|(name, count)| (name.to_owned(), count as f64)).collect(),
    }
}

/// The best scores first: recency by frequency.
fn by_scores(cells: &BTreeMap<(u32, u32), u64>, bins: u32) -> Vec<Vec<u64>> {
    let scores = || (1..=bins).rev();
    let count = |recency, frequency| cells.get(&(recency, frequency)).copied().unwrap_or_default();
    scores().map(|recency| scores().map(|frequency| count(recency, frequency)).collect()).collect()
}

/// Counts without small ones, and without what would tell them: how many have each score is known.
fn with_hidden(counts: &[Vec<u64>]) -> Vec<Vec<Option<u64>>> {
    let width = counts.first().map_or(0, Vec::len);
    let entry = |count: &u64| {
        let is_small = (1..CELL_ROWS_MIN).contains(count);
        Entry { count: if is_small { 1 } else { *count }, known: false }
    };
    let entries: Vec<Entry> = counts.iter().flatten().map(entry).collect();
    let rows = (0..counts.len()).map(|row| (row * width..(row + 1) * width).collect());
    let columns = (0..width).map(|column| (0..counts.len()).map(|row| row * width + column).collect());
    let hidden = hidden(&entries, &rows.chain(columns).collect::<Vec<_>>());
    let told = counts.iter().flatten().zip(hidden).map(|(count, hidden)| (!hidden).then_some(*count));
    told.collect::<Vec<_>>().chunks(width.max(1)).map(<[Option<u64>]>::to_vec).collect()
}

fn grid(cells: &BTreeMap<(u32, u32), u64>, bins: u32) -> Chart {
    let scores = || (1..=bins).rev();
    let counts = with_hidden(&by_scores(cells, bins));
    let shade = |count: &Option<u64>| count.unwrap_or_default() as f64;
    let text = |count: &Option<u64>| count.map_or_else(|| "few".to_owned(), format::thousands);
    let names = |what: &str| scores().map(|score| format!("{what} {score}")).collect::<Vec<_>>();
    Chart::Grid {
        title: "How many have which scores".to_owned(),
        rows_title: "recency".to_owned(),
        columns_title: "frequency".to_owned(),
        rows: names("recency"),
        columns: names("frequency"),
        values: counts.iter().map(|row| row.iter().map(shade).collect()).collect(),
        texts: counts.iter().map(|row| row.iter().map(text).collect()).collect(),
        center: None,
    }
}
