//! What the checks of sources and stages found.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::parts::{self, CELL_MAX, Head, ROWS_MAX};
use crate::report::content::{CheckReport, NodeReport, SetAside};
use crate::report::format::{self, clip, thousands};

pub fn tables(checks: &[CheckReport]) -> Markup {
    let (failed, passed): (Vec<&CheckReport>, Vec<&CheckReport>) =
        checks.iter().partition(|check| check.failed_rows > 0);
    html! {
        @if checks.is_empty() {
            p.soft { "There are no checks." }
        } @else {
            @if failed.is_empty() {
                p { span.good { "✓" } " All " (format::count(checks.len() as u64, "check", "checks")) " passed." }
            } @else {
                (table("Checks that found something", &failed))
            }
            (by_node(checks))
            @if !passed.is_empty() {
                details {
                    summary { (format::count(passed.len() as u64, "check that passed", "checks that passed")) }
                    (table("Checks that passed", &passed))
                }
            }
        }
    }
}

/// The rows that checks set aside, and where they are; nothing where there are none.
pub fn set_aside(nodes: &[NodeReport]) -> Markup {
    let all: Vec<&SetAside> = nodes.iter().flat_map(|node| &node.set_aside).collect();
    let row = |aside: &&SetAside| {
        html! {
            th scope="row" { code { (parts::breakable(&clip(&aside.on, CELL_MAX))) } }
            td.n { (thousands(aside.rows)) }
            td { code { (parts::breakable(&clip(&aside.file, CELL_MAX))) } }
        }
    };
    let rows: Vec<Markup> = all.iter().take(ROWS_MAX).map(row).collect();
    let heads = [Head::Text("Of"), Head::Number("Rows"), Head::Text("Where they are, with the reasons")];
    html! {
        @if !all.is_empty() {
            (parts::table("Rows that were set aside, each once however many checks it fails", &heads, &rows, all.len()))
        }
    }
}

/// What a failure of that severity leads to.
pub fn consequence(severity: &str) -> &str {
    match severity {
        "error" => "stops the run",
        "warn" => "only a warning",
        "quarantine" => "the rows are set aside",
        other => other,
    }
}

fn table(caption: &str, checks: &[&CheckReport]) -> Markup {
    let row = |check: &&CheckReport| {
        html! {
            th scope="row" { code { (clip(&check.check, CELL_MAX)) } }
            td { (outcome(check)) }
            td { (clip(consequence(&check.severity), CELL_MAX)) }
            td { code { (parts::breakable(&clip(&check.on, CELL_MAX))) } }
        }
    };
    let rows: Vec<Markup> = checks.iter().take(ROWS_MAX).map(row).collect();
    let heads = [Head::Text("Check"), Head::Text("Found"), Head::Text("If it fails"), Head::Text("On")];
    parts::table(caption, &heads, &rows, checks.len())
}

/// Counts of one source or output.
#[derive(Default)]
struct Counts {
    checks: u64,
    failed: u64,
    failed_rows: u64,
}

fn by_node(checks: &[CheckReport]) -> Markup {
    let mut nodes: BTreeMap<&str, Counts> = BTreeMap::new();
    for check in checks {
        let counts = nodes.entry(&check.on).or_default();
        counts.checks += 1;
        counts.failed += u64::from(check.failed_rows > 0);
        counts.failed_rows += check.failed_rows;
    }
    let row = |(node, counts): (&&str, &Counts)| {
        html! {
            th scope="row" { code { (parts::breakable(&clip(node, CELL_MAX))) } }
            td.n { (thousands(counts.checks)) }
            td.n { (thousands(counts.checks - counts.failed)) }
            td.n { (thousands(counts.failed)) }
            td.n { (thousands(counts.failed_rows)) }
        }
    };
    let rows: Vec<Markup> = nodes.iter().take(ROWS_MAX).map(row).collect();
    let heads = [
        Head::Text("On"),
        Head::Number("Checks"),
        Head::Number("Passed"),
        Head::Number("Failed"),
        Head::Number("Findings"),
    ];
    html! {
        @if nodes.len() > 1 { (parts::table("Checks by table", &heads, &rows, nodes.len())) }
    }
}

fn outcome(check: &CheckReport) -> Markup {
    let class = if check.severity == "error" { "mark bad" } else { "mark doubt" };
    html! {
        @if check.failed_rows == 0 {
            span.good { "✓ passed" }
        } @else {
            // Where a number of rows does not say it, what was found does.
            span class=(class) { "✕ " @if check.found.is_some() { "failed" } @else { (check.finding()) } }
        }
        @if let Some(found) = &check.found { span.explain { (parts::message(found)) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_not_folded_up() {
        let check = |on: &str, failed_rows| CheckReport {
            on: on.to_owned(),
            check: format!("check of {on}"),
            severity: "quarantine".to_owned(),
            failed_rows,
            found: None,
            set_aside_in: Some("target/quarantine.parquet".to_owned()),
        };
        let page = tables(&[check("a", 0), check("b", 7), check("b", 0)]).into_string();
        let (open, folded) = page.split_once("<details>").unwrap();
        assert!(open.contains("check of b") && open.contains("✕ 7 rows") && open.contains("the rows are set aside"));
        assert!(
            !open.contains("check of a") && folded.contains("check of a") && folded.contains("2 checks that passed")
        );
    }
}
