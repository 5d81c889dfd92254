//! The comparison for a terminal: aligned columns, no markup, no escape codes.

use super::content::Diff;
use super::outline::{Grid, outline};

/// Characters of a line of prose; tables are as wide as they are.
const WIDTH: usize = 100;

/// Plain text that ends with a newline.
pub fn text(diff: &Diff) -> String {
    let outline = outline(diff);
    let mut lines = vec![outline.title, String::new()];
    lines.extend(outline.lead.iter().flat_map(|sentence| wrapped(sentence, "")));
    for section in outline.sections {
        lines.extend([String::new(), section.heading.to_uppercase()]);
        lines.extend(section.intro.iter().flat_map(|intro| wrapped(intro, "")));
        for grid in &section.grids {
            // A section of one table needs no second name.
            if grid.caption != section.heading {
                lines.extend([String::new(), grid.caption.clone()]);
            }
            lines.extend(aligned(grid));
        }
    }
    lines.join("\n") + "\n"
}

fn aligned(grid: &Grid) -> Vec<String> {
    let heads: Vec<String> = grid.heads.iter().map(|head| head.name.clone()).collect();
    let rows: Vec<&Vec<String>> = std::iter::once(&heads).chain(&grid.rows).collect();
    let width = |place: usize| rows.iter().filter_map(|row| row.get(place)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..grid.heads.len()).map(|place| width(place).unwrap_or(0)).collect();
    let line = |row: &&Vec<String>| {
        let cells = row.iter().zip(&widths).zip(&grid.heads).map(|((cell, width), head)| match head.number {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if grid.more > 0 {
        lines.push(format!("  … {} more in the JSON", grid.more));
    }
    lines.extend(grid.notes.iter().flat_map(|note| wrapped(note, "  ")));
    lines
}

/// Lines of at most [`WIDTH`] characters; a longer word has one for itself.
fn wrapped(sentence: &str, indent: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in sentence.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_comparison() {
        assert_eq!(text(&sample::diff()), include_str!("sample.txt"));
    }
}
