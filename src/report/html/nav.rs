//! The table of contents.

use maud::{Markup, html};

use super::models::{self, anchor};
use crate::report::content::{ModelReport, Report};
use crate::report::format::clip;

/// Models that are listed by name.
const MODELS_MAX: usize = 40;
const NAME_MAX: usize = 30;

pub fn contents(report: &Report) -> Markup {
    let (segments, predict): (Vec<_>, Vec<_>) =
        models::numbered(&report.models).partition(|(_, model)| model.is_segmentation());
    html! {
        nav aria-label="Contents" {
            ol {
                li { a href="#glance" { "At a glance" } }
                li { a href="#models" { "Models" } (named(&predict)) }
                @if !segments.is_empty() {
                    li { a href="#segments" { "Segments" } (named(&segments)) }
                }
                li {
                    a href="#data" { "Data" }
                    ol.inner {
                        li { a href="#published" { "Published" } }
                        li { a href="#sources" { "Read" } }
                        li { a href="#checks" { "Checks" } }
                        @if !report.profiles.is_empty() { li { a href="#columns" { "Columns and drift" } } }
                    }
                }
                li {
                    a href="#run" { "The run" }
                    ol.inner {
                        li { a href="#steps" { "Steps" } }
                        li { a href="#cost" { "Time and memory" } }
                        li { a href="#files" { "Files" } }
                    }
                }
            }
        }
    }
}

fn named(models: &[(usize, &ModelReport)]) -> Markup {
    html! {
        @if !models.is_empty() {
            ol.inner {
                @for (place, model) in models.iter().take(MODELS_MAX) {
                    li { a href={ "#" (anchor(*place)) } { (clip(&model.stage, NAME_MAX)) } }
                }
            }
        }
    }
}
