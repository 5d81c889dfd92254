//! The comparison in words: a title, some sentences, and sections of small tables.

use super::content::{Diff, LevelMatrix, Migration, Move};
use super::words;
use crate::format::{self, clip, number, one_line, thousands};

/// Rows of one table; the rest is in the JSON.
const ROWS_MAX: usize = 40;
/// Characters of one cell.
const CELL_MAX: usize = 100;
/// Moves from level to level that are listed together.
const FLOWS_MAX: usize = 10;
/// What stands for a hidden count.
pub const HIDDEN: &str = "*";

/// The whole comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    pub title: String,
    /// What matters most, a sentence each.
    pub lead: Vec<String>,
    pub sections: Vec<Section>,
}

/// A part with a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// A short name without spaces, for links.
    pub id: &'static str,
    pub heading: &'static str,
    pub intro: Option<String>,
    pub grids: Vec<Grid>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    pub caption: String,
    pub heads: Vec<Head>,
    pub rows: Vec<Vec<String>>,
    /// How many rows were left out.
    pub more: usize,
    /// Sentences below it.
    pub notes: Vec<String>,
}

/// A column's head; numbers are aligned to the right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub name: String,
    pub number: bool,
}

impl Grid {
    /// Heads that start with `#` are of numbers. Every cell is on one line and not too long.
    pub fn new(caption: impl Into<String>, heads: &[&str], rows: Vec<Vec<String>>) -> Grid {
        let head = |head: &&str| match head.strip_prefix('#') {
            Some(name) => Head { name: clip(&one_line(name), CELL_MAX), number: true },
            None => Head { name: clip(&one_line(head), CELL_MAX), number: false },
        };
        let more = rows.len().saturating_sub(ROWS_MAX);
        let cells = |row: Vec<String>| row.iter().map(|cell| clip(&one_line(cell), CELL_MAX)).collect();
        Grid {
            caption: caption.into(),
            heads: heads.iter().map(head).collect(),
            rows: rows.into_iter().take(ROWS_MAX).map(cells).collect(),
            more,
            notes: vec![],
        }
    }

    fn note(mut self, note: impl Into<String>) -> Grid {
        self.notes.push(note.into());
        self
    }
}

/// Puts the comparison into words.
pub fn outline(diff: &Diff) -> Outline {
    let (before, now) = (&diff.before, &diff.now);
    let title = match before.run_date == now.run_date {
        true => format!("{} {}: two runs compared", now.pipeline, now.run_date),
        false => format!("{}: {} against {}", now.pipeline, now.run_date, before.run_date),
    };
    let sections = [
        runs(diff),
        movers(diff),
        segments(diff),
        scores(diff),
        words::tables(diff),
        words::models(diff),
        words::checks(diff),
        words::configuration(diff),
        words::columns(diff),
        words::steps(diff),
    ];
    Outline { title, lead: words::lead(diff), sections: sections.into_iter().flatten().collect() }
}

fn section(id: &'static str, heading: &'static str, grids: Vec<Grid>) -> Option<Section> {
    (!grids.is_empty()).then_some(Section { id, heading, intro: None, grids })
}

fn runs(diff: &Diff) -> Option<Section> {
    let row =
        |name: &str, of: &dyn Fn(&super::RunFacts) -> String| vec![name.to_owned(), of(&diff.before), of(&diff.now)];
    let rows = vec![
        row("run date", &|run| run.run_date.to_string()),
        row("run", &|run| run.run_id.clone()),
        row("started", &|run| run.started.format("%Y-%m-%d %H:%M:%S UTC").to_string()),
        row("environment", &|run| run.environment.clone()),
        row("outcome", &|run| run.outcome.clone()),
        row("took", &|run| format::duration(run.elapsed_seconds)),
        row("peak memory", &|run| run.peak_memory_bytes.map_or_else(|| "unknown".to_owned(), format::bytes)),
        row("threads", &|run| run.threads.to_string()),
        row("Patronage", &|run| run.patronage_version.clone()),
    ];
    section("runs", "The two runs", vec![Grid::new("The two runs", &["", "before", "now"], rows)])
}

fn movers(diff: &Diff) -> Option<Section> {
    let how = |kind: Move| match kind {
        Move::Level => "to another level",
        Move::Tenth => "to another tenth of before",
        Move::Half => "across 0.5",
    };
    let of_kind = |is_level: bool| -> Vec<Vec<String>> {
        let row = |mover: &super::Mover| {
            let share = words::share(mover.moved, mover.both);
            vec![words::column(&mover.table, &mover.column), thousands(mover.moved), share, how(mover.kind).to_owned()]
        };
        diff.movers.iter().filter(|mover| (mover.kind != Move::Tenth) == is_level).map(row).collect()
    };
    let mut flows: Vec<(&Migration, &super::Flow)> =
        diff.migrations.iter().flat_map(|one| one.flows.iter().map(move |flow| (one, flow))).collect();
    // Stable: equals stay in the order of the pipeline.
    flows.sort_by_key(|(_, flow)| std::cmp::Reverse(flow.entities));
    let flow = |(one, flow): &(&Migration, &super::Flow)| {
        vec![words::column(&one.table, &one.column), flow.from.clone(), flow.to.clone(), thousands(flow.entities)]
    };
    let flows: Vec<Vec<String>> = flows.iter().take(FLOWS_MAX).map(flow).collect();
    let heads = ["column", "#moved", "#of all", "how"];
    let grids = [
        Grid::new("Answers, by how many entities got another one", &heads, of_kind(true)),
        Grid::new("The greatest moves from level to level", &["column", "from", "to", "#moved"], flows),
        Grid::new("Numbers, by how many entities are elsewhere in their distribution", &heads, of_kind(false)),
    ];
    section("movers", "Top movers", grids.into_iter().filter(|grid| !grid.rows.is_empty()).collect())
}

fn segments(diff: &Diff) -> Option<Section> {
    let grids = diff.migrations.iter().filter(|one| one.moved > 0 || one.matrix.is_some()).flat_map(migration);
    let mut found = section("segments", "Segment migration", grids.collect())?;
    found.intro = Some(
        "How many entities went from which level (rows, before) to which (columns, now). Whoever did not move is on \
         the diagonal."
            .to_owned(),
    );
    Some(found)
}

fn migration(migration: &Migration) -> Vec<Grid> {
    let name = words::column(&migration.table, &migration.column);
    let moved = format!("{} of {} moved", thousands(migration.moved), thousands(migration.both));
    let caption = format!("{name}: {moved} ({})", words::share(migration.moved, migration.both));
    if migration.moved == 0 {
        return vec![];
    }
    let Some(matrix) = &migration.matrix else {
        let rows =
            migration.flows.iter().map(|flow| vec![flow.from.clone(), flow.to.clone(), thousands(flow.entities)]);
        let grid = Grid::new(format!("{caption}; the greatest moves"), &["from", "to", "#entities"], rows.collect());
        return vec![grid];
    };
    let mut grid = matrix_grid(caption, matrix, migration.both);
    if migration.paired {
        grid = grid.note(
            "The two runs have different models, which number their segments anew; a segment before is paired with \
             the one now that most of its entities are in.",
        );
    }
    if matrix.counts.iter().flatten().any(Option::is_none) {
        grid = grid.note(format!("{HIDDEN} is 1 to 4, or hidden so that such a count cannot be worked out."));
    }
    vec![grid]
}

fn matrix_grid(caption: String, matrix: &LevelMatrix, both: u64) -> Grid {
    let told = |count: &Option<u64>| match count {
        Some(0) => "·".to_owned(),
        Some(count) => thousands(*count),
        None => HIDDEN.to_owned(),
    };
    let mut heads = vec!["before \\ now".to_owned()];
    heads.extend(matrix.columns.iter().map(|name| format!("#{name}")));
    heads.extend(["#gone", "#all"].map(str::to_owned));
    let names = matrix.rows.iter().map(String::as_str).chain(["new"]);
    let row = |((name, counts), total): ((&str, &Vec<Option<u64>>), &Option<u64>)| {
        let mut row = vec![name.to_owned()];
        row.extend(counts.iter().map(told));
        row.push(told(total));
        row
    };
    let mut rows: Vec<Vec<String>> = names.zip(&matrix.counts).zip(&matrix.row_totals).map(row).collect();
    let totals = matrix.column_totals.iter().map(told);
    // How many are new and gone is never hidden.
    let outside =
        [&matrix.row_totals, &matrix.column_totals].map(|totals| totals.last().copied().flatten().unwrap_or(0));
    let everyone = thousands(both + outside.iter().sum::<u64>());
    rows.push([vec!["all".to_owned()], totals.collect(), vec![everyone]].concat());
    Grid::new(caption, &heads.iter().map(String::as_str).collect::<Vec<_>>(), rows)
}

fn scores(diff: &Diff) -> Option<Section> {
    let mean =
        |summary: &Option<crate::metrics::shift::Summary>| summary.map_or("–".to_owned(), |one| number(one.mean));
    let mut rows = Vec::new();
    let mut halves = Vec::new();
    for score in &diff.scores {
        let shift = &score.shift;
        let quantiles = shift.change.and_then(|change| change.quantiles);
        let change = |of: &dyn Fn(&crate::metrics::shift::Quantiles) -> f64| {
            quantiles.as_ref().map_or("–".to_owned(), |quantiles| number(of(quantiles)))
        };
        rows.push(vec![
            words::column(&score.table, &score.column),
            mean(&shift.before),
            mean(&shift.now),
            change(&|one| one.p05),
            change(&|one| one.p50),
            change(&|one| one.p95),
            thousands(shift.rose),
            thousands(shift.fell),
            shift.psi.map_or("–".to_owned(), words::psi),
        ]);
        if score.probability {
            let (up, down) = (shift.crossed_up, shift.crossed_down);
            halves.push(vec![
                words::column(&score.table, &score.column),
                thousands(up),
                thousands(down),
                words::share(up + down, score.both),
            ]);
        }
    }
    let heads =
        ["column", "#mean before", "#mean now", "#change p5", "#change p50", "#change p95", "#rose", "#fell", "#PSI"];
    let mut grids = Vec::new();
    if !halves.is_empty() {
        let heads = ["probability", "#up across 0.5", "#down across 0.5", "#of all"];
        grids.push(Grid::new("Who would now be answered the other way", &heads, halves));
    }
    if !rows.is_empty() {
        grids.push(
            Grid::new("Distributions, and changes of those in both runs", &heads, rows)
                .note("PSI is the population stability index: below 0.1 little has moved, from 0.25 on much has."),
        );
    }
    section("scores", "Score shifts", grids)
}
