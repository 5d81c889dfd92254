//! Gates: what must hold of a stage's table or model before anything is published.
//!
//! What a night is compared with is the last earlier one whose gate passed; a night that was stopped is no measure.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use polars::prelude::{DataType, Engine, Expr, LazyFrame, col, len, lit};
use serde::{Deserialize, Serialize};

use super::checks::{failure, integer, row_bounds};
use super::failure::NodeFailure;
use super::models::Measured;
use super::stage::Surroundings;
use super::state::{CheckResult, Meta, State, read, table_file, write};
use crate::checks::words;
use crate::config::checks::RowBounds;
use crate::config::{BaselineRule, DriftGate, MeasureGate, NullsGate};
use crate::format;
use crate::metrics::evaluation::{Measure, Verdict};
use crate::metrics::profile::{ColumnProfile, psi};
use crate::plan::{Feed, Node, Work};
use crate::problem::Code;
use crate::storage::{StorageError, scan};
use crate::table::{AS_OF, Role, TableSchema};

/// What a gate remembers of a night that passed.
#[derive(Debug, Serialize, Deserialize)]
struct Passed {
    /// What was looked at, and what was asked of it.
    key: String,
    rows: u64,
    columns: Vec<ColumnProfile>,
}

impl State {
    pub(super) fn all_gates(&self) -> PathBuf {
        self.root.join("state").join("gates").join(&self.pipeline)
    }

    fn gate(&self, name: &str, run_date: NaiveDate) -> PathBuf {
        self.all_gates().join(name).join(format!("{run_date}.json"))
    }

    /// Whether a gate has passed for a run date, looking at the same.
    pub fn has_passed(&self, name: &str, run_date: NaiveDate, key: &str) -> bool {
        read::<Passed>(&self.gate(name, run_date)).is_some_and(|passed| passed.key == key)
    }

    /// The newest night before a run date whose gate passed.
    fn passed_before(&self, name: &str, run_date: NaiveDate) -> Option<(NaiveDate, Passed)> {
        let nights = std::fs::read_dir(self.all_gates().join(name)).into_iter().flatten().flatten();
        let date = |entry: std::fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok();
        let newest: NaiveDate = nights.filter_map(date).filter(|date| *date < run_date).max()?;
        Some((newest, read(&self.gate(name, newest))?))
    }

    fn remember(&self, name: &str, run_date: NaiveDate, passed: &Passed) -> Result<(), StorageError> {
        write(&self.gate(name, run_date), passed)
    }
}

/// Looks at what the stage gave. With `accept`, what does not hold is told, and tonight is what later nights are
/// compared with.
pub fn run(index: usize, accept: bool, around: &Surroundings<'_>) -> Result<Meta, NodeFailure> {
    let bug = || NodeFailure::new(Code::Bug, "the gate looks at nothing");
    let node = around.plan.nodes.get(index).ok_or_else(bug)?;
    let Work::Gate { spec, of, .. } = &node.work else { return Err(bug()) };
    let decision = around.decisions.get(index).ok_or_else(bug)?;
    let run_date = around.plan.run_date;
    let looked = Looked::at(of, around)?;
    let before = around.state.passed_before(&node.name, run_date);
    let mut results = Vec::new();
    if let Some(bounds) = &spec.rows {
        results.push(rows(bounds, looked.rows, before.as_ref()));
    }
    results.extend(spec.nulls.as_ref().map(|gate| nulls(gate, &looked)));
    results.extend(spec.drift.as_ref().map(|gate| drift(gate, &looked, before.as_ref())));
    if let Some(gate) = &spec.measure {
        // A model that is applied was measured when it was fitted.
        let stage = around.plan.nodes.get(of.node).ok_or_else(bug)?;
        let fitted = looked.meta.model.as_ref().and_then(|model| around.state.measured(&stage.name, &model.version));
        let tonight = looked.meta.evaluation.as_ref().map(Measured::of).filter(|found| !found.measures.is_empty());
        results.push(measure(gate, tonight.or(fitted).as_ref()));
    }
    if accept {
        results.iter_mut().for_each(|result| "warn".clone_into(&mut result.severity));
    }
    if let Some(broken) = failure(&results) {
        let message = format!("{}; nothing is published", broken.message);
        return Err(NodeFailure { code: Code::GateFailed, message, ..broken });
    }
    let passed = Passed { key: decision.key.0.clone(), rows: looked.rows, columns: looked.profiles().to_vec() };
    around.state.remember(&node.name, run_date, &passed)?;
    Ok(Meta { checks: results, ..Meta::of(decision.parts.clone()) })
}

/// What a gate looks at.
struct Looked {
    meta: Meta,
    port: String,
    rows: u64,
    /// Nulls of each column that is no label, by name.
    nulls: Vec<(String, u64)>,
}

impl Looked {
    fn at(of: &Feed, around: &Surroundings<'_>) -> Result<Looked, NodeFailure> {
        let bug = || NodeFailure::new(Code::Bug, "the gate looks at nothing");
        let stage: &Node = around.plan.nodes.get(of.node).ok_or_else(bug)?;
        let (port, schema) = stage.outputs.get(of.port).ok_or_else(bug)?;
        let key = &around.decisions.get(of.node).ok_or_else(bug)?.key;
        let meta = around.state.meta(&stage.name, key).ok_or_else(bug)?;
        let file = table_file(&around.state.tables(&stage.name, key), port);
        let (rows, nulls) = counted(&file, schema, around.plan.run_date)?;
        Ok(Looked { meta, port: port.clone(), rows, nulls })
    }

    /// How its columns are distributed.
    fn profiles(&self) -> &[ColumnProfile] {
        let own = self.meta.profiles.iter().find(|profile| profile.port.as_ref() == Some(&self.port));
        own.map_or(&[], |profile| &profile.columns)
    }
}

/// Rows, and nulls by column, of the run date's snapshot where there are snapshots.
fn counted(file: &Path, schema: &TableSchema, run_date: NaiveDate) -> Result<(u64, Vec<(String, u64)>), NodeFailure> {
    let mut frame: LazyFrame = scan::read_parquet(file)?;
    if !schema.snapshots.is_empty() {
        frame = frame.filter(col(AS_OF).eq(lit(run_date).cast(DataType::Date)));
    }
    let told: Vec<&str> =
        schema.columns.iter().filter(|column| column.role == Role::Plain).map(|column| column.name.as_str()).collect();
    let whole = |expression: Expr| expression.cast(DataType::Int64);
    let count = whole(len()).alias("_rows");
    let nulls = told.iter().enumerate().map(|(place, name)| whole(col(*name).null_count()).alias(format!("_{place}")));
    let counts: Vec<Expr> = std::iter::once(count).chain(nulls).collect();
    let counts = frame.select(counts).collect_with_engine(Engine::Streaming)?.unwrap_single();
    let number = |name: &str| integer(&counts, name).unwrap_or(0).unsigned_abs();
    let nulls = told.iter().enumerate().map(|(place, name)| ((*name).to_owned(), number(&format!("_{place}"))));
    Ok((number("_rows"), nulls.collect()))
}

fn result(check: String, found: Result<String, String>) -> CheckResult {
    let (failed, found) = match found {
        Ok(found) => (0, found),
        Err(found) => (1, found),
    };
    let kind = check.split(' ').next().unwrap_or_default().to_owned();
    CheckResult { check, kind, columns: vec![], port: None, severity: "error".to_owned(), failed, found: Some(found) }
}

fn rows(bounds: &RowBounds, rows: u64, before: Option<&(NaiveDate, Passed)>) -> CheckResult {
    let (failed, found) = row_bounds(bounds, rows, before.map(|(date, passed)| (*date, passed.rows)));
    let fine = || found.clone().unwrap_or_else(|| format::count(rows, "row", "rows"));
    result(format!("rows{}", words::row_bounds(bounds)), if failed == 0 { Ok(fine()) } else { Err(fine()) })
}

fn nulls(gate: &NullsGate, looked: &Looked) -> CheckResult {
    let wanted = |name: &String| gate.columns.is_empty() || gate.columns.contains(name);
    let share = |nulls: u64| if looked.rows == 0 { 0.0 } else { nulls as f64 / looked.rows as f64 };
    let mut above: Vec<(&str, f64)> = looked
        .nulls
        .iter()
        .filter(|(name, nulls)| wanted(name) && share(*nulls) > gate.max)
        .map(|(name, nulls)| (name.as_str(), share(*nulls)))
        .collect();
    above.sort_by(|a, b| b.1.total_cmp(&a.1));
    let told: Vec<String> = above.iter().map(|(name, share)| format!("{name} {}", format::percent(*share))).collect();
    let found = match told.is_empty() {
        true => Ok("no column is above".to_owned()),
        false => Err(format!("nulls: {}", format::list(told.iter().map(String::as_str), COLUMNS_TOLD))),
    };
    result(format!("nulls max {}", gate.max), found)
}

/// So many columns are named in a finding.
const COLUMNS_TOLD: usize = 5;

fn drift(gate: &DriftGate, looked: &Looked, before: Option<&(NaiveDate, Passed)>) -> CheckResult {
    let check = format!("drift psi_max {}", gate.psi_max);
    let Some((date, before)) = before else {
        return result(check, Ok("no earlier night to compare with".to_owned()));
    };
    let wanted = |profile: &&ColumnProfile| gate.columns.is_empty() || gate.columns.contains(&profile.name);
    let moved = |now: &ColumnProfile| {
        let earlier = before.columns.iter().find(|earlier| earlier.name == now.name)?;
        let found = psi(earlier, now)?;
        // Few rows move by chance alone.
        (found.index > gate.psi_max && found.index > found.chance).then_some((now.name.clone(), found.index))
    };
    let mut moved: Vec<(String, f64)> = looked.profiles().iter().filter(wanted).filter_map(moved).collect();
    moved.sort_by(|a, b| b.1.total_cmp(&a.1));
    let told: Vec<String> = moved.iter().map(|(name, index)| format!("{name} {}", format::number(*index))).collect();
    let found = match told.is_empty() {
        true => Ok(format!("no column has moved that far since {date}")),
        false => {
            let told = format::list(told.iter().map(String::as_str), COLUMNS_TOLD);
            Err(format!("PSI since {date}: {told}"))
        }
    };
    result(check, found)
}

fn measure(gate: &MeasureGate, evaluation: Option<&Measured>) -> CheckResult {
    let name = gate.name.clone().or_else(|| evaluation.map(|evaluation| evaluation.headline.clone()));
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "the measure that decides".to_owned());
    let found = evaluation.and_then(|evaluation| evaluation.measures.iter().find(|measure| measure.name == name));
    let words = [
        gate.min.map(|min| format!("min {min}")),
        gate.max.map(|max| format!("max {max}")),
        gate.baseline.map(|rule| match rule {
            BaselineRule::Beats => "baseline beats".to_owned(),
            BaselineRule::NotWorse => "baseline not_worse".to_owned(),
        }),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    let check = format!("measure {name} {}", words.join(" "));
    let found = match (found, evaluation) {
        (Some(found), _) => judged(gate, found),
        (None, Some(evaluation)) if !evaluation.measures.is_empty() => {
            let names = evaluation.measures.iter().map(|measure| measure.name.as_str());
            Err(format!("it was not measured; {} were", format::list(names, usize::MAX)))
        }
        (None, _) => Err("the model was not evaluated".to_owned()),
    };
    result(check, found)
}

fn judged(gate: &MeasureGate, found: &Measure) -> Result<String, String> {
    let value = found.model.value;
    let beside = found.baseline.map(|baseline| format!(", its baseline {}", format::number(baseline.value)));
    let told = format!("{} is {}{}", found.name, format::number(value), beside.unwrap_or_default());
    let low = gate.min.is_some_and(|min| value.is_nan() || value < min);
    let high = gate.max.is_some_and(|max| value.is_nan() || value > max);
    let verdict = found.verdict();
    match gate.baseline {
        _ if low => Err(format!("{told}: below the least")),
        _ if high => Err(format!("{told}: above the greatest")),
        Some(_) if found.baseline.is_none() => Err(format!("{told}: there is no baseline to compare with")),
        Some(BaselineRule::Beats) if verdict != Verdict::Beats => Err(format!("{told}: not shown to be better")),
        Some(BaselineRule::NotWorse) if verdict == Verdict::Loses => Err(format!("{told}: worse")),
        _ => Ok(told),
    }
}
