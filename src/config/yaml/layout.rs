//! Where each character of a scalar's text sits in the file.
//!
//! The parser says where a scalar starts, not where each of its characters comes from: block
//! scalars lose their indentation, quoted ones their escapes, folded ones their line breaks. A
//! problem inside SQL needs the very character, so the text is laid over the source once more.

use super::node::{Mark, Style};
use super::source::{Source, is_blank, is_break};

/// One mark for each character of `text`, whose scalar the parser saw starting at `start`: at its
/// anchor or tag if it is `decorated` with one, else a block scalar at its first line with content.
pub(super) fn layout(source: &Source, start: Mark, decorated: bool, style: Style, text: &str) -> Vec<Mark> {
    let given = source.index(start);
    let inner = if decorated { source.skip_properties(given) } else { given };
    match style {
        Style::Plain => flowing(source, inner, None, text),
        Style::Quoted => flowing(source, inner + 1, source.get(inner), text),
        Style::Literal | Style::Folded => {
            let leading = text.chars().take_while(|&c| c == '\n').count();
            let first = if decorated { block_start(source, source.mark(inner).line + 1, style, text) } else { start };
            match style {
                Style::Literal => literal(first, leading, text),
                _ => flowing(source, source.index(first), None, text),
            }
        }
    }
}

/// The first character of the first line with content, from `line` on.
fn block_start(source: &Source, mut line: usize, style: Style, text: &str) -> Mark {
    while line < source.lines() && source.line(line).iter().all(|&c| c == ' ') {
        line += 1;
    }
    let written = source.line(line);
    let first = text.trim_start_matches('\n').split('\n').next().unwrap_or("");
    // In a literal block all but the indentation is content, blanks included.
    let indent = match style {
        Style::Literal => written.len().saturating_sub(first.chars().count()),
        _ => written.iter().take_while(|&&c| c == ' ').count(),
    };
    Mark::new(line, indent + 1)
}

/// A literal block: every line is indented as the first is, and starts a line of its own.
fn literal(first: Mark, leading: usize, text: &str) -> Vec<Mark> {
    let mut mark = Mark::new(first.line.saturating_sub(leading).max(1), first.column);
    let mut marks = Vec::with_capacity(text.len());
    for character in text.chars() {
        marks.push(mark);
        mark = match character {
            '\n' => Mark::new(mark.line + 1, first.column),
            _ => Mark::new(mark.line, mark.column + 1),
        };
    }
    marks
}

/// Text that may be folded or escaped: each visible character is sought in order, and white space
/// sits where it was found or, where folding made it up, at the line break it came from.
fn flowing(source: &Source, mut index: usize, quote: Option<char>, text: &str) -> Vec<Mark> {
    let mut marks = Vec::with_capacity(text.len());
    for wanted in text.chars() {
        if !is_blank(wanted) {
            index += source.run(index, is_blank);
        }
        if quote == Some('"') {
            index += continuation(source, index);
        }
        marks.push(source.mark(index));
        index += match (quote, source.get(index)) {
            (Some('"'), Some('\\')) => escape_length(source.get(index + 1)),
            (Some('\''), Some('\'')) => 2,
            (_, Some(here)) => usize::from(!is_blank(wanted) || is_blank(here)),
            (_, None) => 0,
        };
    }
    marks
}

/// The length of a backslash at the end of a line with the indentation that follows, if one is at
/// `index`: it stands for nothing.
fn continuation(source: &Source, index: usize) -> usize {
    match (source.get(index), source.get(index + 1)) {
        (Some('\\'), Some(next)) if is_break(next) => 1 + source.run(index + 1, is_blank),
        _ => 0,
    }
}

/// How many characters an escape in double quotes takes, given the one after the backslash.
fn escape_length(kind: Option<char>) -> usize {
    match kind {
        Some('x') => 4,
        Some('u') => 6,
        Some('U') => 10,
        _ => 2,
    }
}
