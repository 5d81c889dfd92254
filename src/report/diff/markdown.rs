//! The comparison as GitHub-flavored Markdown, for a comment on a pull request.

use super::content::Diff;
use super::outline::{Grid, outline};

/// Sections that are shown at once; the others open on a click.
const OPEN: [&str; 3] = ["movers", "segments", "scores"];

/// Markdown that ends with a newline.
pub fn markdown(diff: &Diff) -> String {
    let outline = outline(diff);
    let mut text = format!("## {}\n\n", escape(&outline.title));
    for sentence in &outline.lead {
        text.push_str(&format!("- {}\n", escape(sentence)));
    }
    for section in &outline.sections {
        let open = if OPEN.contains(&section.id) { " open" } else { "" };
        text.push_str(&format!("\n<details{open}><summary><b>{}</b></summary>\n", section.heading));
        if let Some(intro) = &section.intro {
            text.push_str(&format!("\n{}\n", escape(intro)));
        }
        for grid in &section.grids {
            text.push_str(&format!("\n{}\n\n{}", escape(&grid.caption), table(grid)));
        }
        text.push_str("\n</details>\n");
    }
    text
}

fn table(grid: &Grid) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(grid.heads.iter().map(|head| escape(&head.name)).collect());
    text.push_str(&line(grid.heads.iter().map(|head| if head.number { "---:" } else { "---" }.to_owned()).collect()));
    for row in &grid.rows {
        let empty = grid.heads.len().saturating_sub(row.len());
        text.push_str(&line(row.iter().map(|cell| escape(cell)).chain(vec![String::new(); empty]).collect()));
    }
    if grid.more > 0 {
        text.push_str(&format!("\n… {} more in the JSON\n", grid.more));
    }
    for note in &grid.notes {
        text.push_str(&format!("\n{}\n", escape(note)));
    }
    text
}

/// Names and levels come from data: nothing of them is markup, mentions someone, or is HTML.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' => escaped.extend(['\\', letter]),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '@' => escaped.push_str("&#64;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn data_is_never_markup() {
        assert_eq!(escape("a|b <img> *c* @team #1"), "a\\|b &lt;img&gt; \\*c\\* &#64;team \\#1");
        let mut diff = sample::diff();
        diff.now.pipeline = "<script>".to_owned();
        assert!(!markdown(&diff).contains("<script>"));
    }

    #[test]
    fn every_row_has_as_many_cells_as_the_head() {
        let text = markdown(&sample::diff());
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let mut head = 0;
        for line in text.lines() {
            if !line.starts_with('|') {
                head = 0;
            } else if head == 0 {
                head = cells(line);
            } else {
                assert_eq!(cells(line), head, "{line}");
            }
        }
        assert!(text.contains("| segments.segment | 16 | 13.8 % | to another level |\n"), "{text}");
    }
}
