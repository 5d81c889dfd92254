//! The report as one self-contained page: no script, no network, no font but the system's.

mod chart;
mod data;
mod diff;
mod glossary;
mod graph;
mod models;
mod nodes;
mod parts;
#[cfg(test)]
mod tests;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::content::{NodeStatus, Report};
use super::format;
use super::summary::outcome;
use crate::metrics::evaluation::Verdict;
pub use diff::render_diff;
use parts::{MESSAGE_MAX, ROWS_MAX};

const STYLE: &str = include_str!("style.css");
/// Even a page that was tampered with loads and runs nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The whole page. It stays under a megabyte: long tables, curves and texts are cut, and say so.
pub fn render(report: &Report) -> String {
    let title = format!("{} · {}", report.pipeline, report.run_date);
    let main = html! {
        (problems(report))
        (models::section(&report.models))
        (data::published(&report.publications))
        (data::sources(&report.sources, &report.checks))
        (nodes::section(report))
        (run(report))
    };
    shell(&title, &header(report), &main, &report.patronage_version).into_string()
}

/// A self-contained page around a header and its content.
fn shell(title: &str, header: &Markup, main: &Markup, version: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (format::clip(title, MESSAGE_MAX)) " · Patronage" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header { (header) }
                main #main { (main) }
                footer { "Written by Patronage " (version) "." }
            }
        }
    }
}

fn header(report: &Report) -> Markup {
    html! {
        p.kicker { "Run of " time datetime=(report.run_date) { (report.run_date.format("%B %-d, %Y")) } }
        h1 { (format::clip(&report.pipeline, MESSAGE_MAX)) }
        @if let Some(description) = &report.description {
            p.soft { (format::clip(description, MESSAGE_MAX)) }
        }
        p.outcome { (headline(report)) }
        nav aria-label="Sections" {
            ul {
                @for (id, name) in [
                    ("models", "Models"), ("published", "Published"), ("data", "Data"),
                    ("nodes", "What ran"), ("run", "Run"),
                ] {
                    li { a href={ "#" (id) } { (name) } }
                }
            }
        }
    }
}

/// How the run went, what it published, how many models are worth using.
fn headline(report: &Report) -> String {
    let mut sentences = vec![parts::capital(&outcome(report))];
    let changed = report.publications.iter().filter(|publication| publication.changed).count();
    if changed > 0 {
        let tables = format::count(changed as u64, "table was", "tables were");
        sentences.push(format!("{tables} published."));
    }
    let judged = report.models.iter().filter(|model| model.verdict.is_some()).count();
    if judged > 0 {
        let beats = |verdict: Option<Verdict>| verdict == Some(Verdict::Beats);
        let better = report.models.iter().filter(|model| beats(model.verdict)).count();
        let verb = if better == 1 { "beats its" } else { "beat their" };
        let models = format::count(judged as u64, "model", "models");
        sentences.push(format!("{better} of {models} {verb} baseline."));
    }
    sentences.join(" ")
}

fn problems(report: &Report) -> Markup {
    let failed = || report.nodes.iter().filter(|node| node.status == NodeStatus::Error);
    html! {
        @if failed().next().is_some() {
            div.note.bad role="note" {
                strong { "Failed" }
                ul {
                    @for node in failed().take(ROWS_MAX) {
                        li {
                            code { (format::clip(&node.id, MESSAGE_MAX)) } ": "
                            (format::clip(node.reason.as_deref().unwrap_or("no reason was given"), MESSAGE_MAX))
                        }
                    }
                }
            }
        }
        @if !report.warnings.is_empty() {
            div.note role="note" {
                strong { "Warnings" }
                ul {
                    @for warning in report.warnings.iter().take(ROWS_MAX) {
                        li { (format::clip(warning, MESSAGE_MAX)) }
                    }
                }
                (parts::left_out(report.warnings.len(), ROWS_MAX))
            }
        }
    }
}

fn run(report: &Report) -> Markup {
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
    html! {
        section aria-labelledby="run" {
            h2 #run { "Run" }
            (parts::facts(facts.iter().map(|(name, value)| (*name, value.as_str()))))
        }
    }
}
