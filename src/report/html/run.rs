//! The section on the run itself: what ran, what it took, what it left.

use maud::{Markup, html};

use super::{nodes, parts};
use crate::report::content::Report;
use crate::report::format;

/// What a run leaves beside this page.
const FILES: [(&str, &str); 6] = [
    ("report.json", "everything on this page and what was too long for it"),
    ("report.parquet", "the figures as a table: run, run_date, stage, slice, measure, value, baseline, low, high"),
    ("run_results.json", "how each step ended"),
    ("manifest.json", "the graph, the configuration and the files it was run on"),
    ("events.ndjson", "the run as OpenLineage events"),
    ("quarantine/", "the rows that were set aside, with the reason; only where there are any"),
];

pub fn section(report: &Report) -> Markup {
    html! {
        section aria-labelledby="run" {
            h2 #run { "The run" }
            h3 #steps { "Steps" }
            (nodes::steps(report))
            h3.after #cost { "Time and memory" }
            (cost(report))
            h3.after #files { "Files" }
            p.soft { "These lie beside this page, in the folder of the run " code { (format::clip(&report.run_id, parts::CELL_MAX)) } "." }
            dl.files {
                @for (name, holds) in FILES { dt { code { (name) } } dd { (holds) } }
            }
        }
    }
}

fn cost(report: &Report) -> Markup {
    let memory = match report.peak_memory_bytes {
        Some(peak) => format::bytes(peak),
        None => "unknown".to_owned(),
    };
    let facts = [
        ("Run date", report.run_date.to_string()),
        ("Run id", report.run_id.clone()),
        ("Environment", report.environment.clone()),
        ("Started", report.started.format("%Y-%m-%d %H:%M:%S UTC").to_string()),
        ("Took", format::duration(report.elapsed_seconds)),
        ("Peak memory", memory),
        ("Threads", format::thousands(report.threads as u64)),
        ("Patronage", report.patronage_version.clone()),
    ];
    parts::facts(facts.iter().map(|(name, value)| (*name, value.as_str())))
}
