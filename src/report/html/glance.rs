//! What the run says, in a few figures and sentences.

use maud::{Markup, html};

use super::features::Moves;
use super::moved;
use super::parts::{self, MESSAGE_MAX};
use crate::metrics::evaluation::Verdict;
use crate::report::content::{NodeStatus, Report};
use crate::report::format::{self, clip, thousands};
use crate::report::summary::outcome;

pub fn section(report: &Report) -> Markup {
    html! {
        section aria-labelledby="glance" {
            h2.unseen #glance { "At a glance" }
            p.outcome { (headline(report)) }
            (tiles(report))
            (look(report))
            (moved::section(&report.changes))
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
    let (better, judged) = judged(report);
    if judged > 0 {
        let verb = if better == 1 { "beats its" } else { "beat their" };
        let models = format::count(judged as u64, "model", "models");
        sentences.push(format!("{better} of {models} {verb} baseline."));
    }
    let failed = report.checks.iter().filter(|check| check.failed_rows > 0).count() as u64;
    if failed > 0 {
        sentences.push(format!("{} found something.", format::count(failed, "check", "checks")));
    }
    let drifted = Moves::of(&report.profiles).drifted as u64;
    if drifted > 0 {
        let verb = if drifted == 1 { "has" } else { "have" };
        sentences.push(format!("{} {verb} drifted.", format::count(drifted, "column", "columns")));
    }
    sentences.join(" ")
}

/// Models that beat their baseline, and models that have one.
fn judged(report: &Report) -> (usize, usize) {
    let judged = report.models.iter().filter(|model| model.verdict.is_some()).count();
    let better = report.models.iter().filter(|model| model.verdict == Some(Verdict::Beats)).count();
    (better, judged)
}

/// A figure with what it counts, and where more is said of it.
fn tile(href: &str, figure: &str, of: &str, tone: &str, note: &str) -> Markup {
    let sign = match tone {
        "good" => "✓",
        "doubt" => "!",
        "bad" => "✕",
        _ => "",
    };
    html! {
        li {
            a.tile href=(href) {
                span.of { (of) }
                span.figure { (figure) }
                span class={ "note-" (tone) } {
                    @if !sign.is_empty() { span aria-hidden="true" { (sign) " " } }
                    (note)
                }
            }
        }
    }
}

fn tiles(report: &Report) -> Markup {
    html! {
        ul.tiles {
            (steps(report))
            (published(report))
            @if !report.models.is_empty() { (models(report)) }
            (checks(report))
            @if !report.profiles.is_empty() { (drift(report)) }
            (cost(report))
        }
    }
}

fn steps(report: &Report) -> Markup {
    let done = report.count(NodeStatus::Success) + report.count(NodeStatus::Skipped);
    let (failed, blocked) = (report.count(NodeStatus::Error), report.count(NodeStatus::Blocked));
    let (tone, note) = match (failed, blocked) {
        (0, 0) if report.selected() == 0 => ("plain", "nothing to run".to_owned()),
        (0, 0) => match report.count(NodeStatus::NotSelected) {
            0 => ("good", "none failed".to_owned()),
            left_out => ("good", format!("none failed, {left_out} not selected")),
        },
        (failed, blocked) => ("bad", format!("{failed} failed, {blocked} blocked")),
    };
    tile("#steps", &format!("{done} of {}", report.selected()), "Steps done", tone, &note)
}

fn published(report: &Report) -> Markup {
    let rows: u64 = report.publications.iter().map(|publication| publication.rows).sum();
    let changed = report.publications.iter().filter(|publication| publication.changed).count();
    let note = format!("tables, {}, {changed} new", format::count(rows, "row", "rows"));
    tile("#published", &thousands(report.publications.len() as u64), "Published", "plain", &note)
}

fn models(report: &Report) -> Markup {
    let (better, judged) = judged(report);
    let loses = report.models.iter().filter(|model| model.verdict == Some(Verdict::Loses)).count();
    let (tone, note) = match (judged - better, loses) {
        _ if judged == 0 => ("plain", "no baseline to beat".to_owned()),
        (0, _) => ("good", "none is in doubt".to_owned()),
        (doubtful, 0) => ("doubt", format!("{doubtful} not shown to be better")),
        (_, loses) => ("bad", format!("{loses} worse than the baseline")),
    };
    tile("#models", &format!("{better} of {judged}"), "Models better", tone, &note)
}

fn checks(report: &Report) -> Markup {
    let failed = report.checks.iter().filter(|check| check.failed_rows > 0);
    let (failed, stops) =
        failed.fold((0, 0), |(all, stops), check| (all + 1, stops + usize::from(check.severity == "error")));
    let aside: u64 = report.set_aside().map(|aside| aside.rows).sum();
    let note = match (failed, aside) {
        _ if report.checks.is_empty() => "there are none".to_owned(),
        (0, _) => "all passed".to_owned(),
        (failed, 0) => format!("{failed} found something"),
        (failed, aside) => format!("{failed} failed, {} set aside", format::count(aside, "row", "rows")),
    };
    let tone = match (failed, stops) {
        _ if report.checks.is_empty() => "plain",
        (0, _) => "good",
        (_, 0) => "doubt",
        _ => "bad",
    };
    let passed = report.checks.len() - failed;
    tile("#checks", &format!("{passed} of {}", report.checks.len()), "Checks passed", tone, &note)
}

fn drift(report: &Report) -> Markup {
    let moves = Moves::of(&report.profiles);
    let tone = match (moves.compared, moves.drifted, moves.moved) {
        (0, ..) => "plain",
        (_, 0, 0) => "good",
        _ => "doubt",
    };
    let note = match (moves.compared, moves.moved) {
        (0, _) => "nothing to compare with yet".to_owned(),
        (_, moved) => format!("{moved} moved a little"),
    };
    tile("#columns", &format!("{} of {}", moves.drifted, moves.compared), "Columns drifted", tone, &note)
}

fn cost(report: &Report) -> Markup {
    let memory = report.peak_memory_bytes.map(|peak| format!("{} at the peak", format::bytes(peak)));
    tile("#cost", &format::duration(report.elapsed_seconds), "Time", "plain", &memory.unwrap_or_default())
}

/// What someone should look at, the worst first.
fn look(report: &Report) -> Markup {
    let failed = report.nodes.iter().filter(|node| node.status == NodeStatus::Error).map(|node| {
        let reason = node.reason.as_deref().unwrap_or("no reason was given");
        html! { code { (clip(&node.id, MESSAGE_MAX)) } " failed: " (parts::message(reason)) }
    });
    let checks = report.checks.iter().filter(|check| check.failed_rows > 0).map(|check| {
        html! {
            code { (clip(&check.on, MESSAGE_MAX)) } ", check " code { (clip(&check.check, MESSAGE_MAX)) } ": "
            (parts::message(&check.finding()))
            " (" (super::checks::consequence(&check.severity)) ")"
        }
    });
    let failed: Vec<Markup> = failed.collect();
    let others: Vec<Markup> = checks.chain(report.warnings.iter().map(|warning| parts::message(warning))).collect();
    html! {
        @if !failed.is_empty() {
            div.note.bad { h3 { "Failed" } (parts::sentences(&failed)) }
        }
        @if !others.is_empty() {
            div.note { h3 { "Look at this" } (parts::sentences(&others)) }
        }
    }
}
