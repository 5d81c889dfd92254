//! What the report shows of the scores. Nothing is fitted, so nothing is judged.

use std::collections::BTreeMap;

use super::Scored;
use crate::format;
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
        let told = cells.iter().filter(|(_, count)| **count >= CELL_ROWS_MIN).map(|((recency, frequency), count)| {
            Slice::new(format!("recency {recency}, frequency {frequency}"), "share", *count as f64 / rows)
        });
        let of_segments = sizes.iter().filter(|(_, count)| **count >= CELL_ROWS_MIN);
        let told = told.chain(of_segments.map(|(name, count)| Slice::new(*name, "share", *count as f64 / rows)));
        Evaluation {
            target: entity.to_owned(),
            model: "RFM scores".to_owned(),
            baseline: String::new(),
            headline: String::new(),
            measures: vec![],
            facts,
            slices: told.collect(),
            charts: [bars(&sizes, order), grid(&cells, bins)]
                .into_iter()
                .chain(moves.and_then(|moves| moves.chart))
                .collect(),
            finds: String::new(),
            watch: vec![],
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

fn bars(sizes: &BTreeMap<&str, u64>, order: &[&str]) -> Chart {
    let mut bars: Vec<(&str, u64)> = sizes.iter().map(|(name, count)| (*name, *count)).collect();
    let place = |name: &str| order.iter().position(|other| *other == name).unwrap_or(usize::MAX);
    bars.sort_by_key(|(name, _)| place(name));
    let told = bars.into_iter().filter(|(_, count)| *count >= CELL_ROWS_MIN);
    Chart::Bars {
        title: "Sizes of the segments".to_owned(),
        unit: "rows".to_owned(),
        bars: told.map(|(name, count)| (name.to_owned(), count as f64)).collect(),
    }
}

fn grid(cells: &BTreeMap<(u32, u32), u64>, bins: u32) -> Chart {
    let scores = || (1..=bins).rev();
    let count = |recency, frequency| cells.get(&(recency, frequency)).copied().unwrap_or_default();
    let counts: Vec<Vec<u64>> = scores().map(|r| scores().map(|f| count(r, f)).collect()).collect();
    let shade = |count: &u64| if *count < CELL_ROWS_MIN { 0.0 } else { *count as f64 };
    let text = |count: &u64| match *count {
        0 => "0".to_owned(),
        few if few < CELL_ROWS_MIN => format!("below {CELL_ROWS_MIN}"),
        many => format::thousands(many),
    };
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
