//! What can still be read of a pipeline that breaks its schema, so that what is wrong with the rest
//! is told in the same breath.
//!
//! A part with a problem is left out where the rest means the same without it (an unknown key, a
//! check, a publication); otherwise the source or stage around it is broken: its name stays known,
//! nothing is said of its columns, and what it feeds is not blamed for it.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::problem::{Code, Problem, Step};

/// The names of sources and stages that cannot be trusted.
pub type Broken = HashSet<String>;

/// Keys without which a source or stage gives the same columns.
const BESIDE: [&str; 6] = ["checks", "description", "extra_columns", "path", "reordered_columns", "tags"];
/// What stands for a text that is missing or wrong.
const UNKNOWN: &str = "unknown";

/// How much of a wrong part is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// What stands behind a misspelt key is taken for what is meant. It is not checked, so the document may still be
    /// one that cannot be read.
    Much,
    Little,
}

/// A document that serde can read, with the names of what is broken in it.
pub fn salvage(rendered: Value, problems: &[Problem], trust: Trust) -> (Value, Broken) {
    let mut broken = Broken::new();
    let mut root = match rendered {
        Value::Object(root) => root,
        _ => Map::new(),
    };
    root.retain(|key, value| {
        let inside = below(problems, &Step::from(key.as_str()));
        match (key.as_str(), value) {
            _ if inside.is_empty() => true,
            ("sources", Value::Object(sources)) => {
                for (name, source) in sources {
                    if !mend(source, &below(&inside, &Step::from(name.as_str())), trust) {
                        *source = json!({ "path": UNKNOWN, "columns": {} });
                        broken.insert(name.clone());
                    }
                }
                true
            }
            ("stages", Value::Array(stages)) => {
                for (index, stage) in stages.iter_mut().enumerate() {
                    let inside = below(&inside, &Step::Index(index));
                    if !mend(stage, &inside, trust) {
                        *stage = bare(stage, &inside);
                        broken.insert(stage["id"].as_str().unwrap_or_default().to_owned());
                    }
                }
                true
            }
            ("publish" | "gates", Value::Object(named)) => {
                named.retain(|name, publication| mend(publication, &below(&inside, &Step::from(name.as_str())), trust));
                true
            }
            _ => false,
        }
    });
    for (key, empty) in [("name", json!(UNKNOWN)), ("sources", json!({})), ("stages", json!([]))] {
        root.entry(key).or_insert(empty);
    }
    (Value::Object(root), broken)
}

/// The problems below one step, seen from there. A bad name is no problem of what is called so.
fn below(problems: &[Problem], step: &Step) -> Vec<Problem> {
    let named = |problem: &&Problem| problem.place.path.len() > 1 || problem.code != Code::BadName;
    problems.iter().filter(named).filter_map(|problem| problem.below(step)).collect()
}

/// Leaves out what the rest can do without; false if something else is wrong.
fn mend(value: &mut Value, problems: &[Problem], trust: Trust) -> bool {
    // A text that could not be filled in is still a text; whether it can stand for what is wanted is told besides.
    for problem in problems.iter().filter(|problem| !problem.is_unfilled()) {
        let Some(entries) = value.as_object_mut() else { return false };
        match problem.place.path.as_slice() {
            // A misspelt key is another that is missing now.
            [Step::Key(key)] if problem.code == Code::UnknownKey && problem.help.is_none() => {
                entries.shift_remove(key);
            }
            [Step::Key(key)] if problem.code == Code::UnknownKey && trust == Trust::Much => {
                // What is wrong inside of more than a text would be told at another place.
                let text = entries.shift_remove(key).filter(Value::is_string);
                let Some((meant, value)) = problem.meant().zip(text) else { return false };
                entries.entry(meant).or_insert(value);
            }
            // What else is said of a column is not its type.
            [Step::Key(columns), Step::Key(column), Step::Key(key)] if columns == "columns" && key != "type" => {
                let about =
                    entries.get_mut(columns).and_then(|columns| columns.get_mut(column)).and_then(Value::as_object_mut);
                about.map(|about| about.shift_remove(key));
            }
            // Another check stands in, so that the places of the others stay.
            [Step::Key(checks), Step::Index(index), ..] if checks == "checks" => {
                let check = entries.get_mut(checks).and_then(|checks| checks.get_mut(*index));
                if let Some(check) = check {
                    *check = json!({ "rows": { "min": 0 } });
                }
            }
            [Step::Key(key), ..] if key == "path" => {
                entries.insert(key.clone(), json!(UNKNOWN));
            }
            [Step::Key(key), ..] if BESIDE.contains(&key.as_str()) => {
                entries.remove(key);
            }
            _ => return false,
        }
    }
    true
}

/// A stage's name, and its inputs if they can be read.
fn bare(stage: &Value, problems: &[Problem]) -> Value {
    let wrong = |key: &str| problems.iter().any(|problem| problem.place.path.first() == Some(&Step::from(key)));
    let id = stage.get("id").and_then(Value::as_str).unwrap_or_default();
    let inputs = stage.get("inputs").filter(|_| !wrong("inputs")).cloned().unwrap_or_else(|| json!({}));
    json!({ "id": id, "stage": UNKNOWN, "inputs": inputs })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: Code, path: &[&str]) -> Problem {
        let step = |text: &&str| text.parse().map_or_else(|_| Step::from(*text), Step::Index);
        Problem {
            place: crate::problem::Place { path: path.iter().map(step).collect(), ..Default::default() },
            ..Problem::new(code, "")
        }
    }

    fn document() -> Value {
        json!({
            "name": "n", "sede": 1,
            "sources": { "a": { "path": "p", "columns": { "x": "int64" }, "checks": 7 }, "b": { "path": "p" } },
            "stages": [{ "id": "s", "stage": "sql", "inputs": { "a": "a" }, "tags": 1 }, { "id": "t", "stage": 5, "inputs": { "a": "s" } }],
            "publish": { "one": { "from": "s" }, "two": { "from": "s", "to": "x", "tu": 1 } },
        })
    }

    #[test]
    fn what_is_beside_the_point_is_left_out_and_the_rest_is_kept() {
        let problems = [
            problem(Code::UnknownKey, &["sede"]),
            problem(Code::WrongType, &["sources", "a", "checks"]),
            problem(Code::MissingKey, &["sources", "b"]),
            problem(Code::WrongType, &["stages", "0", "tags"]),
            problem(Code::WrongType, &["stages", "1", "stage"]),
            problem(Code::MissingKey, &["publish", "one"]),
            problem(Code::UnknownKey, &["publish", "two", "tu"]),
        ];
        let (mended, broken) = salvage(document(), &problems, Trust::Little);
        assert_eq!(
            mended,
            json!({
                "name": "n",
                "sources": { "a": { "path": "p", "columns": { "x": "int64" } }, "b": { "path": "unknown", "columns": {} } },
                "stages": [
                    { "id": "s", "stage": "sql", "inputs": { "a": "a" } },
                    { "id": "t", "stage": "unknown", "inputs": { "a": "s" } },
                ],
                "publish": { "two": { "from": "s", "to": "x" } },
            })
        );
        assert_eq!(broken, Broken::from(["b".to_owned(), "t".to_owned()]));
    }

    #[test]
    fn a_misspelt_key_is_taken_for_what_is_meant_and_one_check_for_no_other() {
        let document = json!({
            "sources": { "a": {
                "pth": "p",
                "columns": { "x": { "type": "int64", "clas": "direct_id" } },
                "checks": [{ "range": "x", "mim": 1 }, { "not_null": ["x"] }],
            } },
        });
        let problems = [
            problem(Code::UnknownKey, &["sources", "a", "pth"]).nearest("pth", ["path"]),
            problem(Code::UnknownKey, &["sources", "a", "columns", "x", "clas"]).nearest("clas", ["class"]),
            problem(Code::UnknownKey, &["sources", "a", "checks", "0", "mim"]).nearest("mim", ["min"]),
        ];
        let (mended, broken) = salvage(document.clone(), &problems, Trust::Much);
        let columns = json!({ "x": { "type": "int64" } });
        let checks = json!([{ "rows": { "min": 0 } }, { "not_null": ["x"] }]);
        assert_eq!(mended["sources"]["a"], json!({ "columns": columns, "checks": checks, "path": "p" }));
        assert!(broken.is_empty());
        assert!(salvage(document, &problems, Trust::Little).1.contains("a"));
    }

    #[test]
    fn a_bad_name_breaks_nothing() {
        let (mended, broken) = salvage(document(), &[problem(Code::BadName, &["sources", "a"])], Trust::Much);
        assert_eq!((mended, broken), (document(), Broken::new()));
    }

    #[test]
    fn nothing_at_all_becomes_an_empty_pipeline() {
        let (mended, _) = salvage(json!(null), &[problem(Code::WrongType, &[])], Trust::Much);
        assert_eq!(mended, json!({ "name": "unknown", "sources": {}, "stages": [] }));
    }
}
