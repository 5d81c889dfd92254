//! A stage whose `with:` block is wrong, as far as it can be read: so that a misspelt column is told in the same
//! breath as a number out of range beside it.

use serde_json::{Value, json};

use crate::problem::{Code, Problem, Step};
use crate::stages::{Kind, Stage};

/// What is wrong with a stage whose parameters are wrong.
pub enum Wrong {
    /// Nothing more can be said of it.
    Unreadable(Vec<Problem>),
    /// Columns and SQL can still be looked at, but not at what is in doubt.
    Doubtful(Doubt, Box<dyn Stage>),
}

/// What must not be believed of a stage.
pub struct Doubt {
    /// What is wrong with its parameters.
    pub problems: Vec<Problem>,
    /// From where values with a misspelt key were moved, and whereto.
    pub moved: Vec<(Vec<Step>, Vec<Step>)>,
}

/// How many readings of a block are tried at most, and how much of it is read in all: a long block is not read often.
const ATTEMPTS: usize = 4000;
const READ_MAX: usize = 400_000;

/// Reads what can be read of a block with these problems, whose places are seen from the block.
pub fn read(kind: &Kind, with: &Value, problems: Vec<Problem>) -> Wrong {
    // A text without quotes that was cut at its commas; its rest is taken for keys.
    let cut = |problem: &Problem| problem.help.as_ref().is_some_and(|help| help.contains("needs quotes"));
    if problems.iter().any(|problem| problem.place.path.is_empty() || cut(problem)) {
        return Wrong::Unreadable(problems);
    }
    let mut with = with.clone();
    let mut moved = Vec::new();
    for problem in problems.iter().filter(|problem| problem.code == Code::UnknownKey) {
        moved.extend(mend_key(&mut with, problem));
    }
    let mut open: Vec<&Problem> = problems.iter().filter(|problem| problem.code != Code::UnknownKey).collect();
    // What is inside of something else goes with it.
    open.sort_by_key(|problem| std::cmp::Reverse(problem.place.path.len()));
    // Where something has to stand, any value of a fitting type will do: nothing is said of it.
    let values = [json!(1), json!("x"), json!("1d"), json!(true), json!([]), json!({})];
    let stand_ins: Vec<Option<&Value>> = std::iter::once(None).chain(values.iter().map(Some)).collect();
    let readings = stand_ins.len().saturating_pow(u32::try_from(open.len()).unwrap_or(u32::MAX));
    let affordable = (READ_MAX / size(&with).max(1)).clamp(stand_ins.len(), ATTEMPTS);
    let stage = (0..readings.min(affordable)).find_map(|reading| {
        let mut with = with.clone();
        let mut rest = reading;
        for problem in &open {
            let stand_in = stand_ins.get(rest % stand_ins.len()).copied().flatten();
            rest /= stand_ins.len();
            replace(&mut with, &problem.place.path, stand_in);
        }
        (kind.build)(with).ok()
    });
    match stage {
        Some(stage) => Wrong::Doubtful(Doubt { problems, moved }, stage),
        None => Wrong::Unreadable(problems),
    }
}

/// Doubts also what could not be filled in, by these problems, which are told already.
pub fn unfilled(built: Result<Box<dyn Stage>, Wrong>, unfilled: Vec<Problem>) -> Result<Box<dyn Stage>, Wrong> {
    if unfilled.is_empty() {
        return built;
    }
    Err(match built {
        Ok(stage) => Wrong::Doubtful(Doubt { problems: unfilled, moved: vec![] }, stage),
        Err(Wrong::Unreadable(problems)) => Wrong::Unreadable([problems, unfilled].concat()),
        Err(Wrong::Doubtful(Doubt { problems, moved }, stage)) => {
            Wrong::Doubtful(Doubt { problems: [problems, unfilled].concat(), moved }, stage)
        }
    })
}

/// How many values there are in a value.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(entries) => 1 + entries.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// Gives a misspelt key its right name, or leaves out a key that is none.
fn mend_key(with: &mut Value, problem: &Problem) -> Option<(Vec<Step>, Vec<Step>)> {
    let (Step::Key(key), parent) = problem.place.path.split_last()? else { return None };
    let entries = inner(with, parent)?.as_object_mut()?;
    let value = entries.shift_remove(key)?;
    let meant = problem.meant().filter(|meant| !entries.contains_key(*meant))?;
    entries.insert(meant.to_owned(), value);
    let to = parent.iter().cloned().chain([Step::from(meant)]).collect();
    Some((problem.place.path.clone(), to))
}

fn inner<'v>(value: &'v mut Value, path: &[Step]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(*index),
    })
}

/// Puts the stand-in in a value's place, or takes the value away. Lists keep their length, or the places of what
/// follows would no longer be right.
fn replace(value: &mut Value, path: &[Step], stand_in: Option<&Value>) {
    let Some((last, parent)) = path.split_last() else { return };
    match (last, inner(value, parent)) {
        (Step::Key(key), Some(Value::Object(entries))) => {
            match stand_in {
                Some(stand_in) => entries.insert(key.clone(), stand_in.clone()),
                None => entries.shift_remove(key),
            };
        }
        (Step::Index(index), Some(Value::Array(items))) => {
            if let Some(item) = items.get_mut(*index) {
                *item = stand_in.cloned().unwrap_or_default();
            }
        }
        _ => {}
    }
}

impl Wrong {
    /// Prefixes every place by one step.
    #[must_use]
    pub fn under(self, step: &str) -> Wrong {
        let lower = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.under(step)).collect();
        let prefix = |path: Vec<Step>| std::iter::once(Step::from(step)).chain(path).collect::<Vec<_>>();
        match self {
            Wrong::Unreadable(problems) => Wrong::Unreadable(lower(problems)),
            Wrong::Doubtful(Doubt { problems, moved }, stage) => {
                let moved = moved.into_iter().map(|(from, to)| (prefix(from), prefix(to))).collect();
                Wrong::Doubtful(Doubt { problems: lower(problems), moved }, stage)
            }
        }
    }
}

impl Doubt {
    /// Of the problems of a doubtful stage those that do not follow from what is wrong with it: of inputs, columns
    /// and SQL, elsewhere.
    pub fn independent(&self, found: Vec<Problem>) -> Vec<Problem> {
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
        let followed =
            |one: &Problem| self.problems.iter().filter(|other| !self.is_moved(other)).any(|other| one.overlaps(other));
        let found = found.into_iter().filter(|one| tells(one.code) && !followed(one));
        found.map(|problem| self.as_written(problem)).collect()
    }

    fn is_moved(&self, problem: &Problem) -> bool {
        problem.code == Code::UnknownKey && self.moved.iter().any(|(from, _)| *from == problem.place.path)
    }

    /// At the place in the user's file.
    fn as_written(&self, mut problem: Problem) -> Problem {
        for (from, to) in &self.moved {
            if let Some(rest) = problem.place.path.strip_prefix(to.as_slice()) {
                problem.place.path = [from.as_slice(), rest].concat();
                break;
            }
        }
        problem
    }
}
