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

/// At most about a hundred characters around the column, tabs as spaces.
fn clip(line: &str, column: usize) -> (String, usize) {
    const WIDTH: usize = 100;
    let characters: Vec<char> = line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
    let start = if characters.len() <= WIDTH { 0 } else { column.saturating_sub(WIDTH / 2) };
    (characters.iter().skip(start).take(WIDTH).collect(), column - start)
}

/// Prints one error that has no place in a file; returns the exit code.
pub fn error(code: Code, message: &str, help: Option<&str>) -> Exit {
    eprintln!("error[{}]: {message}", code.id());
    if let Some(help) = help {
        eprintln!("  help: {help}");
    }
    code.exit()
}
