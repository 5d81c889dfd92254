//! The report as one self-contained page: no script, no network, no font but the system's.
//!
//! It is ordered for one who decides: first what the run says, then the models and segments, then the data,
//! and last how it was made.

mod chart;
mod checks;
mod data;
mod diff;
mod features;
mod glance;
mod glossary;
mod graph;
mod measures;
mod models;
mod moved;
mod nav;
mod nodes;
mod parts;
mod run;
mod spark;
#[cfg(test)]
mod tests;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::content::Report;
use super::format;
pub use diff::render_diff;
use parts::MESSAGE_MAX;

const STYLE: &str = include_str!("style.css");
/// Even a page that was tampered with loads and runs nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The page stays below this, some room left for what is around the sections.
const BYTES_MAX: usize = 960_000;
/// More would be slow to scroll on a phone.
const MODELS_BYTES_MAX: usize = 600_000;

/// The whole page. It stays under a megabyte: long tables, curves and texts are cut, and say so.
pub fn render(report: &Report) -> String {
    let title = format!("{} · {}", report.pipeline, report.run_date);
    let (header, contents, glance) = (header(report), nav::contents(report), glance::section(report));
    let (data, run) = (data::section(report), run::section(report));
    let used: usize = [&header, &contents, &glance, &data, &run].iter().map(|part| part.0.len()).sum();
    let room = BYTES_MAX.saturating_sub(used + STYLE.len()).min(MODELS_BYTES_MAX);
    let main = html! {
        (glance)
        (models::models(&report.models, room))
        (models::segments(&report.models, room))
        (data)
        (run)
    };
    let footer = html! {
        "Written by Patronage " (report.patronage_version) " from report.json, which has everything that is left out here."
    };
    shell(&title, &html! { (header) (contents) }, &main, &footer)
}

/// A self-contained page around what stands above its content, the content, and what stands below.
fn shell(title: &str, above: &Markup, main: &Markup, footer: &Markup) -> String {
    let page = html! {
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
                (above)
                main #main tabindex="-1" { (main) }
                footer { (footer) }
            }
        }
    };
    page.into_string()
}

fn header(report: &Report) -> Markup {
    html! {
        header {
            p.kicker {
                "Run of " time datetime=(report.run_date) { (report.run_date.format("%B %-d, %Y")) }
                " in " (format::clip(&report.environment, MESSAGE_MAX))
            }
            h1 { (format::clip(&report.pipeline, MESSAGE_MAX)) }
            @if let Some(description) = &report.description {
                p.soft { (format::clip(description, MESSAGE_MAX)) }
            }
        }
    }
}
