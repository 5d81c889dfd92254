//! Two runs compared, as one self-contained page in the style of the report.

use maud::{Markup, html};

use super::parts;
use super::shell;
use crate::report::diff::{Diff, Grid, Section, outline};

/// The whole page.
pub fn render_diff(diff: &Diff) -> String {
    let outline = outline(diff);
    let above = html! {
        header {
            p.kicker { "Two runs compared" }
            h1 { (outline.title) }
            ul.outcome { @for sentence in &outline.lead { li { (sentence) } } }
        }
        nav aria-label="Sections" {
            ol {
                @for section in &outline.sections { li { a href={ "#" (section.id) } { (section.heading) } } }
            }
        }
    };
    let main = html! { @for part in &outline.sections { (section(part)) } };
    shell(&outline.title, &above, &main, &html! { "Written by Patronage " (diff.now.patronage_version) "." })
}

fn section(section: &Section) -> Markup {
    html! {
        section aria-labelledby=(section.id) {
            h2 id=(section.id) { (section.heading) }
            @if let Some(intro) = &section.intro { p.soft { (intro) } }
            @for grid in &section.grids { (table(grid)) }
        }
    }
}

fn table(grid: &Grid) -> Markup {
    html! {
        div.scroll role="region" tabindex="0" aria-label=(grid.caption) {
            table {
                caption { (grid.caption) }
                thead {
                    tr {
                        @for head in &grid.heads {
                            @if head.number { th.n scope="col" { (head.name) } } @else { th scope="col" { (head.name) } }
                        }
                    }
                }
                tbody { @for row in &grid.rows { tr { (cells(grid, row)) } } }
            }
        }
        (parts::left_out(grid.rows.len() + grid.more, grid.rows.len()))
        @for note in &grid.notes { p.small.soft { (note) } }
    }
}

fn cells(grid: &Grid, row: &[String]) -> Markup {
    html! {
        @for (place, (cell, head)) in row.iter().zip(&grid.heads).enumerate() {
            @if place == 0 {
                th scope="row" { (cell) }
            } @else if head.number {
                td.n { (cell) }
            } @else {
                td { (cell) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::diff::sample;

    #[test]
    fn the_page_is_whole_and_loads_nothing() {
        let mut diff = sample::diff();
        diff.now.pipeline = "<script>alert(1)</script>".to_owned();
        let page = render_diff(&diff);
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
        for forbidden in ["<script", "http://", "https://", "src="] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("segments.segment: 16 of 116 moved (13.8 %)"), "{page}");
        assert_eq!(page.matches("<h2").count(), crate::report::diff::outline(&diff).sections.len());
    }

    /// A list of the styles' kind, with an entry for each section.
    #[test]
    fn the_sections_are_listed() {
        let diff = sample::diff();
        let page = render_diff(&diff);
        let list = page.split_once("<nav aria-label=\"Sections\"><ol>").unwrap().1.split_once("</ol>").unwrap().0;
        assert_eq!(list.matches("<li>").count(), crate::report::diff::outline(&diff).sections.len());
    }
}
