//! Checks of tables: from what the pipeline says and a table's schema to what is to be computed.
//!
//! Nothing is read here: columns, types, values and conditions are looked at, and everything that is wrong with
//! them is found. The runner computes what comes out ([`Check`]) over sources and outputs of stages alike.

mod columns;
mod condition;
pub mod difference;
mod rows;
#[cfg(test)]
mod tests;
mod values;
pub mod words;

use polars::prelude::{DataType, Expr};

use crate::config::checks::{Freshness, NotNull, References, RowBounds, Unique};
use crate::config::{CheckKind, CheckSpec, Severity};
use crate::problem::{Code, Problem};
use crate::table::{TableSchema, type_name};

/// A check that can be computed.
#[derive(Debug, Clone)]
pub struct Check {
    /// The output it is made on, by its place.
    pub port: usize,
    /// What it says, such as `range unit_price min 0`.
    pub words: String,
    /// The key that names its kind in pipelines, such as `range`.
    pub kind: &'static str,
    /// The columns that it looks at; none where it looks at the table as a whole.
    pub columns: Vec<String>,
    pub severity: Severity,
    pub test: Test,
}

impl Check {
    /// Whether it looks at the rows of the last run for an earlier run date.
    pub const fn compares_with_earlier(&self) -> bool {
        matches!(&self.test, Test::Rows(rows) if rows.change_max.is_some())
    }
}

/// What is computed.
#[derive(Debug, Clone)]
pub enum Test {
    /// True for the rows that fail, false for the others, null for none. Needs one row at a time.
    Row(Expr),
    /// Rows after the first with the same values in these columns fail; those with a null among them pass.
    Unique(Vec<String>),
    /// Rows fail whose value is not null and not in `target` of `table`.
    References { column: String, table: String, target: String, integers: bool },
    /// The newest value is at most so many days before the run date.
    Freshness { column: String, age_days_max: u32 },
    /// The number of rows.
    Rows(RowBounds),
    /// Found by comparing declarations: how many differences, and which.
    Known { failed: u64, found: Option<String> },
}

impl Test {
    /// Whether the rows that fail can be told, so that they can be set aside.
    pub const fn finds_rows(&self) -> bool {
        matches!(self, Test::Row(_) | Test::Unique(_) | Test::References { .. })
    }
}

/// What a check gives for a table of this schema: one check, or two where it says two things.
///
/// `other` is asked for the schema of a table that the check compares with. Problems are placed in the check.
pub fn compile(
    spec: &CheckSpec,
    schema: &TableSchema,
    port: usize,
    other: impl Fn(&str) -> Result<TableSchema, Problem>,
) -> Result<Vec<Check>, Vec<Problem>> {
    let made = match &spec.kind {
        CheckKind::NotNull(NotNull { not_null: columns }) => not_null(schema, columns),
        CheckKind::Unique(Unique { unique }) => self::unique(schema, unique),
        CheckKind::Range(range) => rows::range(range, schema),
        CheckKind::Accepted(accepted) => values::accepted(accepted, schema),
        CheckKind::Pattern(pattern) => rows::pattern(pattern, schema),
        CheckKind::Condition(condition) => condition::condition(condition, schema),
        CheckKind::References(references) => self::references(references, schema, other),
        CheckKind::Freshness(freshness) => self::freshness(freshness, schema),
        CheckKind::Rows(rows) => row_bounds(&rows.rows),
        CheckKind::Columns(columns) => return columns::compile(spec, columns, schema, port),
    };
    let mut problems: Vec<Problem> = severity_problem(spec).into_iter().collect();
    match made {
        Ok(test) if problems.is_empty() => {
            let (words, columns) = (words::of(&spec.kind), words::columns(&spec.kind));
            Ok(vec![Check { port, words, kind: spec.key(), columns, severity: spec.severity, test }])
        }
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            Err(problems)
        }
    }
}

/// The checks that a declaration implies: columns that are never null, and a key.
pub fn implied(never_null: &[&str], key: &[String], declared: &[CheckSpec], schema: &TableSchema) -> Vec<Check> {
    let on_first = |spec: &&CheckSpec| spec.on.is_none();
    let said: Vec<&String> = declared
        .iter()
        .filter(on_first)
        .filter_map(|spec| match &spec.kind {
            CheckKind::NotNull(NotNull { not_null }) => Some(not_null),
            _ => None,
        })
        .flatten()
        .collect();
    let mut kinds: Vec<CheckKind> = never_null
        .iter()
        .filter(|name| !said.iter().any(|said| said == *name))
        .map(|name| CheckKind::NotNull(NotNull { not_null: vec![(*name).to_owned()] }))
        .collect();
    let same_key = |spec: &CheckSpec| match &spec.kind {
        CheckKind::Unique(Unique { unique }) => {
            unique.len() == key.len() && unique.iter().all(|name| key.contains(name))
        }
        _ => false,
    };
    if !key.is_empty() && !declared.iter().filter(on_first).any(same_key) {
        kinds.push(CheckKind::Unique(Unique { unique: key.to_vec() }));
    }
    let nothing = |_: &str| Err(Problem::new(Code::Bug, "a declaration refers to no other table"));
    let specs = kinds.into_iter().map(CheckSpec::implied);
    // What is wrong with the names is told where they are declared.
    specs.filter_map(|spec| compile(&spec, schema, 0, nothing).ok()).flatten().collect()
}

fn severity_problem(spec: &CheckSpec) -> Option<Problem> {
    let whole = matches!(spec.kind, CheckKind::Freshness(_) | CheckKind::Rows(_) | CheckKind::Columns(_));
    (whole && spec.severity == Severity::Quarantine).then(|| {
        let message = format!("`quarantine` sets rows aside, but `{}` looks at the table as a whole", spec.key());
        Problem::new(Code::BadValue, message).help("expected `warn` or `error`").at(["severity"])
    })
}

fn not_null(schema: &TableSchema, columns: &[String]) -> Result<Test, Vec<Problem>> {
    each_exists(schema, columns, "not_null")?;
    Ok(Test::Row(rows::any_null(columns)))
}

fn unique(schema: &TableSchema, columns: &[String]) -> Result<Test, Vec<Problem>> {
    each_exists(schema, columns, "unique")?;
    let mut problems = Vec::new();
    for (index, name) in columns.iter().enumerate() {
        let problem = if columns.iter().take(index).any(|earlier| earlier == name) {
            Problem::new(Code::BadValue, format!("`{name}` stands here twice"))
        } else if column(schema, name).is_ok_and(DataType::is_nested) {
            Problem::new(Code::WrongColumnType, format!("`{name}` is a list, not a value"))
        } else {
            continue;
        };
        problems.push(problem.under(index).under("unique"));
    }
    if problems.is_empty() { Ok(Test::Unique(columns.to_vec())) } else { Err(problems) }
}

fn freshness(spec: &Freshness, schema: &TableSchema) -> Result<Test, Vec<Problem>> {
    let name = &spec.freshness;
    let at = |problem: Problem| vec![problem.at(["freshness"])];
    match column(schema, name).map_err(|problem| at(*problem))? {
        DataType::Date | DataType::Datetime(..) => {
            Ok(Test::Freshness { column: name.clone(), age_days_max: spec.max_age.in_days() })
        }
        other => {
            let message = format!("`{name}` is {}, not a date or time", type_name(other));
            Err(at(Problem::new(Code::WrongColumnType, message)))
        }
    }
}

fn row_bounds(bounds: &RowBounds) -> Result<Test, Vec<Problem>> {
    let at = |problem: Problem, key: &str| Err(vec![problem.at(["rows", key])]);
    match (bounds.min, bounds.max, bounds.change_max) {
        (None, None, None) => {
            Err(vec![Problem::new(Code::MissingKey, "expected `min`, `max` or `change_max`").at(["rows"])])
        }
        (Some(min), Some(max), _) if min > max => {
            at(Problem::new(Code::BadValue, format!("`min` {min} is above `max` {max}")), "min")
        }
        _ => Ok(Test::Rows(bounds.clone())),
    }
}

fn references(
    spec: &References,
    schema: &TableSchema,
    other: impl Fn(&str) -> Result<TableSchema, Problem>,
) -> Result<Test, Vec<Problem>> {
    let Some((table, target)) = spec.table_and_column() else {
        let message = "expected a table and its column, such as `products.product_id`";
        return Err(vec![Problem::new(Code::BadValue, message).at(["in"])]);
    };
    let own = column(schema, &spec.references).map_err(|problem| problem.at(["references"]));
    let theirs = other(table).and_then(|other| match other.column(target) {
        Some(column) => Ok(column.dtype.clone()),
        None => {
            let problem = Problem::new(Code::UnknownColumn, format!("`{table}` has no column `{target}`"));
            Err(problem.nearest(target, other.names()))
        }
    });
    match (own, theirs.map_err(|problem| problem.at(["in"]))) {
        (Ok(own), Ok(theirs)) => {
            let fits = |dtype: &DataType| dtype.is_integer() && *dtype != DataType::UInt64;
            let integers = *own != theirs && fits(own) && fits(&theirs);
            if (*own == theirs && !own.is_nested()) || integers {
                let (column, table) = (spec.references.clone(), table.to_owned());
                return Ok(Test::References { column, table, target: target.to_owned(), integers });
            }
            let (ours, theirs) = (type_name(own), type_name(&theirs));
            let message = format!("`{}` is {ours}, but `{}` is {theirs}", spec.references, spec.within);
            Err(vec![Problem::new(Code::WrongColumnType, message).at(["in"])])
        }
        (own, theirs) => Err(own.err().into_iter().chain(theirs.err()).collect()),
    }
}

/// The type of a column, or the problem that it does not exist, without a place.
fn column<'s>(schema: &'s TableSchema, name: &str) -> Result<&'s DataType, Box<Problem>> {
    match schema.column(name) {
        Some(column) => Ok(&column.dtype),
        None => {
            let problem = Problem::new(Code::UnknownColumn, format!("the table has no column `{name}`"));
            Err(Box::new(problem.nearest(name, schema.names())))
        }
    }
}

fn each_exists(schema: &TableSchema, columns: &[String], key: &str) -> Result<(), Vec<Problem>> {
    let missing =
        |(index, name): (usize, &String)| column(schema, name).err().map(|problem| problem.under(index).under(key));
    let problems: Vec<Problem> = columns.iter().enumerate().filter_map(missing).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}
