//! Two runs compared, as one self-contained page in the style of the report.

use maud::{Markup, html};

use super::parts;
use super::shell;
use crate::report::diff::{Diff, Grid, Head, Section, outline};

/// A cell of more characters has words, which are not squeezed into a column as narrow as one of them.
const SHORT_MAX: usize = 12;

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
            @for grid in &section.grids { (table(grid, section.heading)) }
        }
    }
}

fn table(grid: &Grid, heading: &str) -> Markup {
    // What the heading has said already is for those who hear the page.
    let said = grid.caption == heading;
    html! {
        div.scroll role="group" tabindex="0" aria-label=(grid.caption) {
            table {
                caption.unseen[said] { (grid.caption) }
                thead {
                    tr {
                        @for head in &grid.heads { (self::head(head)) }
                    }
                }
                tbody { @for row in &grid.rows { tr { (cells(grid, row)) } } }
            }
        }
        (parts::left_out(grid.rows.len() + grid.more, grid.rows.len()))
        @for note in &grid.notes { p.small.soft { (note) } }
    }
}

/// One without a name heads nothing.
fn head(head: &Head) -> Markup {
    html! {
        @if head.name.is_empty() {
            td {}
        } @else if head.number {
            th.n scope="col" { (head.name) }
        } @else {
            th scope="col" { (head.name) }
        }
    }
}

fn cells(grid: &Grid, row: &[String]) -> Markup {
    html! {
        @for (place, (cell, head)) in row.iter().zip(&grid.heads).enumerate() {
            @if place == 0 {
                th scope="row" { (parts::breakable(cell)) }
            } @else if head.number {
                td.n { (cell) }
            } @else {
                td.words[cell.chars().count() > SHORT_MAX] { (cell) }
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
