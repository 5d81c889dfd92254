//! Functions of the dialect that engines lack or disagree on, written in terms of others.

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value, WindowType};

use super::parse::expression;
use crate::problem::{Code, Problem};

/// What `DATE_TRUNC` takes, with the part of a date that counts days from the unit's first.
const UNITS: [(&str, Option<&str>); 4] =
    [("day", None), ("week", Some("ISODOW")), ("month", Some("DAY")), ("year", Some("DOY"))];

/// What is wrong with the arguments of a derived function.
pub(super) fn problem(function: &Function) -> Option<Problem> {
    let found = arguments(function);
    match (name(function).as_str(), found.as_slice()) {
        ("date_trunc", [unit, _]) if truncated(unit).is_some() => None,
        ("date_trunc", _) => {
            let units: Vec<String> = UNITS.iter().map(|(unit, _)| format!("'{unit}'")).collect();
            let message = format!("DATE_TRUNC takes one of {} and a date or time", units.join(", "));
            Some(Problem::new(Code::SqlInvalid, message).help("such as DATE_TRUNC('month', ordered_at)"))
        }
        ("ntile", [count]) if positive(count) && matches!(function.over, Some(WindowType::WindowSpec(_))) => None,
        ("ntile", _) => {
            let message = "NTILE takes a whole number above zero and an OVER (… ORDER BY …)";
            Some(Problem::new(Code::SqlInvalid, message).help("such as NTILE(10) OVER (ORDER BY spend)"))
        }
        _ => None,
    }
}

/// The same in terms of other functions; none for what is not derived.
pub(super) fn rewritten(function: &Function) -> Option<Expr> {
    let text = match (name(function).as_str(), arguments(function).as_slice()) {
        ("date_trunc", [unit, moment]) => date_trunc(truncated(unit)?, moment),
        ("ntile", [count]) => ntile(count, function.over.as_ref()?)?,
        _ => return None,
    };
    expression(&text).ok()
}

/// The first day of the unit that holds the moment, as a date: so many days before its own.
fn date_trunc(part: Option<&str>, moment: &Expr) -> String {
    match part {
        None => format!("CAST({moment} AS DATE)"),
        Some(part) => format!(
            "CAST(CAST(CAST({moment} AS DATE) AS BIGINT) - CAST(EXTRACT({part} FROM {moment}) AS BIGINT) + 1 AS DATE)"
        ),
    }
}

/// Of N rows the first N mod n groups get one row more than the others.
fn ntile(count: &Expr, over: &WindowType) -> Option<String> {
    let WindowType::WindowSpec(window) = over else { return None };
    let partition: Vec<String> = window.partition_by.iter().map(ToString::to_string).collect();
    let all = if partition.is_empty() { String::new() } else { format!("PARTITION BY {}", partition.join(", ")) };
    let row = format!("(CAST(ROW_NUMBER() OVER ({window}) AS BIGINT) - 1)");
    let rows = format!("CAST(COUNT(*) OVER ({all}) AS BIGINT)");
    let small = format!("FLOOR(CAST({rows} AS DOUBLE) / {count})");
    let larger = format!("({rows} - {small} * {count})");
    let group = format!(
        "CASE WHEN {row} < {larger} * ({small} + 1) THEN FLOOR({row} / ({small} + 1)) \
         ELSE {larger} + FLOOR(({row} - {larger} * ({small} + 1)) / {small}) END"
    );
    Some(format!("CAST({group} AS BIGINT) + 1"))
}

fn name(function: &Function) -> String {
    function.name.to_string().to_ascii_lowercase()
}

fn arguments(function: &Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &function.args else { return vec![] };
    let unnamed = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    list.args.iter().filter_map(unnamed).collect()
}

/// The part that counts days, of a unit in quotes.
fn truncated(unit: &Expr) -> Option<Option<&'static str>> {
    let Expr::Value(value) = unit else { return None };
    let Value::SingleQuotedString(text) = &value.value else { return None };
    UNITS.iter().find(|(unit, _)| unit.eq_ignore_ascii_case(text)).map(|(_, part)| *part)
}

fn positive(count: &Expr) -> bool {
    matches!(count, Expr::Value(value) if matches!(&value.value,
        Value::Number(text, _) if text.parse::<u32>().is_ok_and(|count| count > 0)))
}
