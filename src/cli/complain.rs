//! The one place where errors are shown.

use std::fmt::Write;

use crate::config::Located;
use crate::problem::{Code, Exit};

/// Prints problems on stderr, each with its place and the line it is in; returns the exit code.
pub fn problems(located: &[Located]) -> Exit {
    let mut text = String::new();
    for one in located {
        let _ = writeln!(text, "{}", render(one));
    }
    let count = located.len();
    let _ = write!(text, "{count} problem{}", if count == 1 { "" } else { "s" });
    if let Some(first) = located.first() {
        let _ = write!(text, "; `patronage explain {}` says more", first.problem.code.id());
    }
    eprintln!("{text}");
    located.first().map_or(Exit::Configuration, |one| one.problem.code.exit())
}

/// `file:line:column: error[P101]: message`, the line with a caret, and how to mend it.
pub fn render(one: &Located) -> String {
    let problem = &one.problem;
    let mut text = String::new();
    if one.line == 0 {
        let _ = writeln!(text, "{}: error[{}]: {}", one.file, problem.code.id(), problem.message);
    } else {
        let _ = writeln!(
            text,
            "{}:{}:{}: error[{}]: {}",
            one.file,
            one.line,
            one.column,
            problem.code.id(),
            problem.message
        );
        if let Some(line) = one.text.lines().nth(one.line - 1) {
            let (shown, column) = clip(line, one.column);
            let number = one.line.to_string();
            let gutter = " ".repeat(number.len());
            let _ = writeln!(text, "  {number} | {shown}");
            let _ = writeln!(text, "  {gutter} | {}^", " ".repeat(column.saturating_sub(1)));
        }
    }
    if let Some(help) = &problem.help {
        let _ = writeln!(text, "  help: {help}");
    }
    text
}

/// At most about a hundred characters around the column, tabs as spaces; ellipses where something was cut.
fn clip(line: &str, column: usize) -> (String, usize) {
    const WIDTH: usize = 100;
    const CUT: &str = "…";
    let characters: Vec<char> = line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
    let start = if characters.len() <= WIDTH { 0 } else { column.saturating_sub(WIDTH / 2) };
    let before = if start > 0 { CUT } else { "" };
    let after = if characters.len() > start + WIDTH { CUT } else { "" };
    let shown: String = characters.iter().skip(start).take(WIDTH).collect();
    (format!("{before}{shown}{after}"), column - start + before.chars().count())
}

/// Prints one error that has no place in a file; returns the exit code.
pub fn error(code: Code, message: &str, help: Option<&str>) -> Exit {
    eprintln!("error[{}]: {message}", code.id());
    if let Some(help) = help {
        eprintln!("  help: {help}");
    }
    code.exit()
}

#[cfg(test)]
mod tests {
    use super::clip;

    #[test]
    fn what_was_cut_off_a_line_shows() {
        assert_eq!(clip("short\tline", 7), ("short line".to_owned(), 7));
        let line: String = ('a'..='z').cycle().take(300).collect();
        let at = |column: usize| line.chars().nth(column - 1);
        for column in [1, 40, 150, 290, 300] {
            let (shown, place) = clip(&line, column);
            assert_eq!(shown.chars().nth(place - 1), at(column), "the caret stays below its letter");
            assert_eq!(shown.starts_with('…'), column > 50, "{shown}");
            assert_eq!(shown.ends_with('…'), column < 250, "{shown}");
        }
    }
}
