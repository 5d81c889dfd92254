//! What a source's columns become as data enters, and what is wrong with that.

use polars::prelude::DataType;

use super::Plan;
use crate::config::{ColumnSpec, EntryAction, Loaded, OnEntry, SourceSpec};
use crate::privacy::Pseudonyms;
use crate::problem::{Code, Place, Problem, Step};
use crate::table::{Class, TableSchema, type_name};

/// What happens to a source's columns as data enters.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// The columns that are read, as the files have them; checks see these.
    pub raw: TableSchema,
    /// The columns that are replaced by pseudonyms.
    pub pseudonymized: Vec<String>,
    /// Where it is written that the first of them is to be.
    pub rule: Option<Place>,
    /// The columns that are never read.
    pub dropped: Vec<String>,
}

/// From the contract's table to the one that stages see. Problems are placed at the document's root.
pub fn enter(
    loaded: &Loaded,
    name: &str,
    spec: &SourceSpec,
    contract: TableSchema,
) -> Result<(Entry, TableSchema), Vec<Problem>> {
    let mut entry = Entry::default();
    let mut problems = Vec::new();
    let mut entered = contract.clone();
    for (column, declared) in &spec.columns {
        let (action, place) = action(name, spec, column, declared, loaded.spec.on_entry);
        let Some(known) = entered.columns.iter_mut().find(|one| one.name == *column) else { continue };
        match action {
            EntryAction::Keep => continue,
            EntryAction::Drop => entry.dropped.push(column.clone()),
            EntryAction::Pseudonymize => {
                problems.extend(
                    no_pseudonym(&known.dtype, column).map(|problem| problem.at(["sources", name, "columns", column])),
                );
                known.dtype = DataType::String;
                known.class = pseudonym_class(known.class);
                entry.pseudonymized.push(column.clone());
                entry.rule.get_or_insert(place);
            }
        }
        problems.extend(spine(spec, column, action).map(|problem| problem.under(name).under("sources")));
    }
    entered.columns.retain(|column| !entry.dropped.contains(&column.name));
    if entered.columns.is_empty() && !contract.columns.is_empty() {
        let problem =
            Problem::new(Code::BadValue, "every column is dropped on entry, so nothing is left of the source");
        problems.push(problem.at(["sources", name, "columns"]).at_key());
    }
    entry.raw = contract;
    entry.raw.columns.retain(|column| !entry.dropped.contains(&column.name));
    if problems.is_empty() { Ok((entry, entered)) } else { Err(problems) }
}

/// The narrowest rule there is, and where it is written: of the column, the source or the pipeline.
fn action(source: &str, spec: &SourceSpec, name: &str, column: &ColumnSpec, pipeline: OnEntry) -> (EntryAction, Place) {
    let class = column.class.to_string();
    let path = |steps: &[&str]| Place { path: steps.iter().copied().map(Step::from).collect(), ..Place::default() };
    if let Some(action) = column.on_entry {
        return (action, path(&["sources", source, "columns", name, "on_entry"]));
    }
    if let Some(action) = spec.on_entry.of(column.class) {
        return (action, path(&["sources", source, "on_entry", &class]));
    }
    match pipeline.of(column.class) {
        Some(action) => (action, path(&["on_entry", &class])),
        None => (EntryAction::default(), Place::default()),
    }
}

/// What a pseudonym is: still personal data, but it names nobody to those who have not the key. What needs special
/// care tells as much of a group under another name as under its own.
fn pseudonym_class(class: Class) -> Class {
    if class == Class::Sensitive { Class::Sensitive } else { Class::Pseudonym }
}

fn no_pseudonym(dtype: &DataType, column: &str) -> Option<Problem> {
    if Pseudonyms::takes(dtype) {
        return None;
    }
    let message = format!("`{column}` is {}; only integers, texts and dates can be pseudonymized", type_name(dtype));
    let problem = Problem::new(Code::WrongColumnType, message);
    Some(problem.help("say `on_entry: keep` or `on_entry: drop` of this column"))
}

/// Rules that need a key, of an environment that names none.
pub fn missing_key(plan: &Plan, loaded: &Loaded) -> Vec<Problem> {
    // A key that cannot be read is told in the environment's file.
    if loaded.environment.pseudonyms.is_some() || loaded.environment.is_unreadable("pseudonyms") {
        return vec![];
    }
    let environment = &loaded.environment.name;
    let message = format!("columns are pseudonymized on entry, but the environment `{environment}` names no key");
    let help =
        format!("add `pseudonyms: {{version: 1, key: {{secret: {{env: NAME}}}}}}` to configs/{environment}.yaml");
    let problem = Problem::new(Code::BadSecret, message).help(help);
    let rules = plan.entries().filter_map(|(_, entry)| entry.rule.clone());
    rules.map(|place| Problem { place, ..problem.clone() }).collect()
}

/// A source cannot do without the columns that it is made of. Problems are placed in the source.
fn spine(spec: &SourceSpec, column: &str, action: EntryAction) -> Option<Problem> {
    let what = if action == EntryAction::Drop { "dropped" } else { "pseudonymized" };
    if spec.event_time.as_deref() == Some(column) {
        let message = format!("`{column}` is {what} on entry, but rows are read by their event time");
        return Some(Problem::new(Code::BadValue, message).at(["event_time"]));
    }
    let place = spec.key.iter().position(|name| name == column).filter(|_| action == EntryAction::Drop)?;
    let message = format!("`{column}` is dropped on entry, so it cannot be a key");
    Some(
        Problem::new(Code::BadValue, message)
            .help("pseudonymize it: a pseudonym keeps rows apart as the value does")
            .under(place)
            .under("key"),
    )
}

/// Says of columns that nothing has that they were dropped on entry, where they were.
pub fn explain_dropped(plan: &Plan, problems: &mut [Problem]) {
    let entries: Vec<(&str, &Entry)> = plan.entries().collect();
    for problem in problems.iter_mut().filter(|problem| problem.code == Code::UnknownColumn) {
        let dropped = entries.iter().find_map(|(source, entry)| {
            let named = |column: &&String| problem.message.contains(&format!("`{column}`"));
            entry.dropped.iter().find(named).map(|column| (*source, column.clone()))
        });
        if let Some((source, column)) = dropped {
            problem.message.push_str(": it is dropped on entry");
            problem.help = Some(format!(
                "`{column}` of the source `{source}` is never read; `on_entry: pseudonymize` keeps it apart from its values"
            ));
        }
    }
}
