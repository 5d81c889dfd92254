//! The one place where errors are shown: in lines for people, or one JSON object each where the log is JSON.

use std::fmt::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

use super::arguments::Format;
use super::output;
use crate::config::Located;
use crate::observe::log;
use crate::problem::{Code, Exit};

/// How errors are written; lines until something else is chosen.
static FORMAT: OnceLock<Format> = OnceLock::new();
/// What has been complained of so far, for schedulers.
static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Chooses the format, once per process.
pub fn speak(format: Format) {
    let _ = FORMAT.set(format); // the first choice stands
}

/// Every message so far, oldest first.
pub fn told() -> Vec<String> {
    TOLD.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn remember(message: String) {
    TOLD.lock().unwrap_or_else(PoisonError::into_inner).push(message);
}

fn is_json() -> bool {
    matches!(FORMAT.get(), Some(Format::Json))
}

/// Nobody reads more at once.
const SHOWN_MAX: usize = 200;

/// Prints problems on stderr, each with its place and the line it is in; returns the exit code.
pub fn problems(located: &[Located]) -> Exit {
    for one in located.iter().take(SHOWN_MAX) {
        remember(format!("{}{}", place(one), one.problem.message));
        output::tell(&if is_json() { as_json(one) } else { render(one) });
    }
    let count = located.len();
    if !is_json() {
        let mut text = format!("{count} problem{}", if count == 1 { "" } else { "s" });
        if count > SHOWN_MAX {
            let _ = write!(text, ", the first {SHOWN_MAX} of which are shown");
        }
        if let Some(first) = located.first() {
            let _ = write!(text, "; `patronage explain {}` says more", first.problem.code.id());
        }
        output::tell(&text);
    }
    located.first().map_or(Exit::Configuration, |one| one.problem.code.exit())
}

fn place(one: &Located) -> String {
    match one.line {
        0 => format!("{}: ", one.file),
        line => format!("{}:{line}:{}: ", one.file, one.column),
    }
}

fn as_json(one: &Located) -> String {
    let problem = &one.problem;
    let mut object = object(problem.code, &problem.message, problem.help.as_deref());
    object["file"] = json!(one.file);
    if one.line > 0 {
        object["line"] = json!(one.line);
        object["column"] = json!(one.column);
    }
    object.to_string()
}

/// An error with the keys that lines of the log have, those of a run among them.
fn object(code: Code, message: &str, help: Option<&str>) -> Value {
    let timestamp = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    let mut object = json!({ "timestamp": timestamp, "level": "ERROR", "message": message, "code": code.id() });
    if let Some(help) = help {
        object["help"] = json!(help);
    }
    if let Some(object) = object.as_object_mut() {
        log::Scope::current().add_to(object);
    }
    object
}

/// `file:line:column: error[P101]: message`, the line with a caret, and how to mend it.
pub fn render(one: &Located) -> String {
    let problem = &one.problem;
    let mut text = format!("{}error[{}]: {}\n", place(one), problem.code.id(), problem.message);
    let line = one.line.checked_sub(1).and_then(|before| one.text.lines().nth(before));
    if let Some(line) = line {
        let (shown, column) = clip(line, one.column);
        let number = one.line.to_string();
        let gutter = " ".repeat(number.len());
        let _ = writeln!(text, "  {number} | {shown}");
        let _ = writeln!(text, "  {gutter} | {}^", " ".repeat(column.saturating_sub(1)));
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
    remember(message.to_owned());
    if is_json() {
        output::tell(&object(code, message, help).to_string());
    } else {
        let help = help.map(|help| format!("\n  help: {help}")).unwrap_or_default();
        output::tell(&format!("error[{}]: {message}{help}", code.id()));
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
