//! A stage whose `with:` block is wrong, as far as it can be read: so that a misspelt column is told in the same
//! breath as a number out of range beside it.

use serde_json::{Value, json};

use crate::problem::{Code, Problem, Step};
use crate::stages::{Kind, Stage};

/// What is wrong with a stage whose parameters are wrong.
pub enum Wrong {
    /// Nothing more can be said of it.
    Unreadable(Vec<Problem>),
    /// Columns and SQL can still be looked at, but not at what the problems are about.
    Doubtful(Vec<Problem>, Box<dyn Stage>),
}

/// Reads what can be read of a block with these problems, whose places are seen from the block.
pub fn read(kind: &Kind, with: &Value, problems: &[Problem]) -> Option<Box<dyn Stage>> {
    let missing = |problem: &Problem| problem.code == Code::MissingKey || problem.place.path.is_empty();
    // A text without quotes that was cut at its commas; its rest is taken for keys.
    let cut = |problem: &Problem| problem.help.as_ref().is_some_and(|help| help.contains("needs quotes"));
    if problems.iter().any(|problem| missing(problem) || cut(problem)) {
        return None;
    }
    // Where something has to stand, any value of a fitting type will do: nothing is said of it.
    let stand_ins = [json!(1), json!("x"), json!("1d"), json!(true), json!([]), json!({})];
    let attempts = stand_ins.iter().flat_map(|stand_in| [(stand_in, false), (stand_in, true)]);
    attempts.into_iter().find_map(|(stand_in, keep)| {
        let mut with = with.clone();
        for problem in problems {
            replace(&mut with, &problem.place.path, stand_in, keep && problem.code != Code::UnknownKey);
        }
        (kind.build)(with).ok()
    })
}

/// Puts the stand-in in a value's place; a key goes instead, unless it is kept. Lists keep their length, or the
/// places of what follows would no longer be right.
fn replace(value: &mut Value, path: &[Step], stand_in: &Value, keep: bool) {
    match (path, value) {
        ([Step::Key(key)], Value::Object(entries)) if !keep => {
            entries.remove(key);
        }
        ([Step::Key(key), rest @ ..], Value::Object(entries)) => {
            if let Some(inner) = entries.get_mut(key) {
                replace(inner, rest, stand_in, keep);
            }
        }
        ([Step::Index(index), rest @ ..], Value::Array(items)) => {
            if let Some(inner) = items.get_mut(*index) {
                replace(inner, rest, stand_in, keep);
            }
        }
        ([], value) => *value = stand_in.clone(),
        _ => {}
    }
}

/// Of the problems of a doubtful stage those that do not follow from what is wrong with it: of inputs, columns and
/// SQL, elsewhere.
pub fn independent(found: Vec<Problem>, known: &[Problem]) -> Vec<Problem> {
    let tells = |code: Code| {
        use Code::{
            MissingInput, SqlInvalid, SqlSyntax, SqlUnsupported, UnknownColumn, UnknownInput, UnknownPort,
            WrongColumnType,
        };
        matches!(
            code,
            MissingInput
                | SqlInvalid
                | SqlSyntax
                | SqlUnsupported
                | UnknownColumn
                | UnknownInput
                | UnknownPort
                | WrongColumnType
        )
    };
    let about = |one: &Problem, other: &Problem| {
        one.place.path.starts_with(&other.place.path) || other.place.path.starts_with(&one.place.path)
    };
    found.into_iter().filter(|one| tells(one.code) && !known.iter().any(|other| about(one, other))).collect()
}
