//! The sections on what came in and what went out.

use maud::{Markup, html};

use super::parts::{self, CELL_MAX, Head, ROWS_MAX};
use crate::report::content::{CheckReport, PublicationReport, SourceReport};
use crate::report::format::{self, bytes, clip, thousands};

/// Where each table went, and whether it is new.
pub fn published(publications: &[PublicationReport]) -> Markup {
    let row = |publication: &PublicationReport| {
        html! {
            th scope="row" { (clip(&publication.name, CELL_MAX)) }
            td.n { (thousands(publication.rows)) }
            td.n { (thousands(publication.files)) }
            td.n { (bytes(publication.bytes)) }
            td { @if publication.changed { "new version" } @else { "unchanged" } }
            td { code { (clip(&publication.to, CELL_MAX)) } }
        }
    };
    let rows: Vec<Markup> = publications.iter().take(ROWS_MAX).map(row).collect();
    let heads = [
        Head::Text("Table"),
        Head::Number("Rows"),
        Head::Number("Files"),
        Head::Number("Size"),
        Head::Text("This run"),
        Head::Text("Where"),
    ];
    html! {
        section aria-labelledby="published" {
            h2 #published { "Published" }
            @if publications.is_empty() {
                p.soft { "This run published nothing." }
            } @else {
                (parts::table("Published tables", &heads, &rows, publications.len()))
            }
        }
    }
}

/// What was read, how fresh it is, and what its checks found.
pub fn sources(sources: &[SourceReport], checked: &[CheckReport]) -> Markup {
    html! {
        section aria-labelledby="data" {
            h2 #data { "Data" }
            @if sources.is_empty() {
                p.soft { "This run read no source." }
            } @else {
                (read(sources))
            }
            (checks(checked))
        }
    }
}

fn read(sources: &[SourceReport]) -> Markup {
    let row = |source: &SourceReport| {
        html! {
            th scope="row" { (clip(&source.name, CELL_MAX)) }
            td.n { (thousands(source.rows)) }
            td.n { (thousands(source.files)) }
            td.n { (bytes(source.bytes)) }
            td.n { (thousands(source.quarantined_rows)) }
            td {
                @match source.watermark {
                    Some(day) => time datetime=(day) { (day) },
                    None => "–",
                }
            }
        }
    };
    let rows: Vec<Markup> = sources.iter().take(ROWS_MAX).map(row).collect();
    let heads = [
        Head::Text("Source"),
        Head::Number("Rows"),
        Head::Number("Files"),
        Head::Number("Size"),
        Head::Number("Quarantined"),
        Head::Text("Complete until"),
    ];
    parts::table("Sources read", &heads, &rows, sources.len())
}

fn checks(checks: &[CheckReport]) -> Markup {
    let mut checks: Vec<&CheckReport> = checks.iter().collect();
    // What failed comes first, so that no limit can hide it behind what passed.
    checks.sort_by_key(|check| check.failed_rows == 0);
    let row = |check: &&CheckReport| {
        html! {
            th scope="row" { code { (clip(&check.check, CELL_MAX)) } }
            td { (outcome(check)) }
            td { (clip(&check.severity, CELL_MAX)) }
            td { code { (clip(&check.on, CELL_MAX)) } }
        }
    };
    let rows: Vec<Markup> = checks.iter().take(ROWS_MAX).map(row).collect();
    let heads = [Head::Text("Check"), Head::Text("Found"), Head::Text("On failure"), Head::Text("On")];
    html! {
        @if checks.is_empty() {
            p.soft { "There are no checks." }
        } @else {
            (parts::table("Checks", &heads, &rows, checks.len()))
        }
    }
}

fn outcome(check: &CheckReport) -> Markup {
    let class = if check.severity == "error" { "mark bad" } else { "mark doubt" };
    html! {
        @if check.failed_rows == 0 {
            span.good { "✓ passed" }
        } @else {
            span class=(class) { "✕ " (format::count(check.failed_rows, "row", "rows")) }
        }
    }
}
