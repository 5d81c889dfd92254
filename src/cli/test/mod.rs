//! `patronage test`

mod difference;
mod junit;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use chrono::NaiveDate;

use super::arguments::{Global, Test};
use super::{complain, output, project};
use crate::config::Loaded;
use crate::plan::{Facts, Plan, UnitTest, resolve, select};
use crate::problem::{Code, Exit, Problem, nearest};
use crate::run::NodeFailure;
use crate::run::unit_tests::{TestResult, Verdict, run as run_test};
use crate::storage::local;

/// Threads of a stage: the rows are few.
const THREADS: usize = 1;

pub fn run(command: &Test, global: &Global) -> Exit {
    let (loaded, plan) = match project::plan(&command.target, global) {
        Ok(planned) => planned,
        Err(exit) => return exit,
    };
    let tests = match selected(&plan, &command.select) {
        Ok(tests) => tests,
        Err(problem) => return project::refuse(&problem),
    };
    let mut others: BTreeMap<NaiveDate, Result<Plan, String>> = BTreeMap::new();
    let mut cases = Vec::new();
    let mut printed = Exit::Done;
    for test in tests {
        let case = Case { test, result: run_on_its_day(&loaded, &plan, test, &mut others) };
        let details = details(&case.result.verdict).map(|text| text + "\n").unwrap_or_default();
        printed = printed.max(output::print(&format!("{}\n{details}", case.line())));
        cases.push(case);
    }
    printed = printed.max(output::print(&format!("{}\n", summary(&cases))));
    if let Some(path) = &command.junit
        && let Err(message) = write_junit(path, &plan.pipeline, &cases)
    {
        return complain::error(Code::LocalIo, &format!("failed to write {}: {message}", path.display()), None);
    }
    if cases.iter().any(|case| !case.passed()) { Code::TestFailed.exit() } else { printed }
}

/// The tests that are asked for, in their order in the file.
fn selected<'a>(plan: &'a Plan, expressions: &[String]) -> Result<Vec<&'a UnitTest>, Problem> {
    if plan.tests.is_empty() {
        let problem = Problem::new(Code::BadSelection, format!("`{}` has no tests", plan.pipeline));
        return Err(problem.help("docs/testing.md says how to write them"));
    }
    if expressions.is_empty() {
        return Ok(plan.tests.iter().collect());
    }
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut nodes: Vec<usize> = Vec::new();
    for term in expressions.iter().flat_map(|expression| expression.split_whitespace()) {
        match term.strip_prefix("test:") {
            Some(name) if plan.tests.iter().any(|test| test.name == name) => {
                names.insert(name);
            }
            Some(name) => {
                let problem = Problem::new(Code::BadSelection, format!("there is no test `{name}`"));
                return Err(match nearest(name, plan.tests.iter().map(|test| test.name.as_str())) {
                    Some(near) => problem.help(format!("did you mean `test:{near}`?")),
                    None => problem,
                });
            }
            None => nodes.extend(select(plan, &[term.to_owned()], &[], &Facts::default())?),
        }
    }
    let asked = |test: &&UnitTest| names.contains(test.name.as_str()) || nodes.contains(&test.target.node);
    let tests: Vec<&UnitTest> = plan.tests.iter().filter(asked).collect();
    if tests.is_empty() {
        return Err(Problem::new(Code::BadSelection, "no test is of what was selected"));
    }
    Ok(tests)
}

/// Runs a test under the plan for its own run date.
fn run_on_its_day(
    loaded: &Loaded,
    plan: &Plan,
    test: &UnitTest,
    others: &mut BTreeMap<NaiveDate, Result<Plan, String>>,
) -> TestResult {
    if test.run_date == plan.run_date {
        return run_test(plan, test, THREADS);
    }
    let other = others.entry(test.run_date).or_insert_with(|| {
        let first = |problems: Vec<Problem>| problems.into_iter().next().map(|problem| problem.message);
        resolve(loaded, test.run_date).map_err(|problems| first(problems).unwrap_or_default())
    });
    match other {
        Ok(plan) => {
            let same = plan.tests.iter().find(|other| other.name == test.name);
            run_test(plan, same.unwrap_or(test), THREADS)
        }
        Err(message) => {
            let message = format!("the pipeline cannot be planned for {}: {message}", test.run_date);
            TestResult {
                elapsed: Duration::ZERO,
                verdict: Verdict::Failed(NodeFailure::new(Code::TestFailed, message)),
            }
        }
    }
}

/// What is wrong, indented; none where nothing is.
fn details(verdict: &Verdict) -> Option<String> {
    let text = match verdict {
        Verdict::Passed => return None,
        Verdict::Failed(failure) => format!("[{}] {}", failure.code.id(), failure.message),
        Verdict::Differs(difference) => difference::render(difference),
    };
    let indented: Vec<String> = text.lines().map(|line| format!("      {line}").trim_end().to_owned()).collect();
    Some(indented.join("\n") + "\n")
}

/// A test with what became of it.
struct Case<'a> {
    test: &'a UnitTest,
    result: TestResult,
}

impl Case<'_> {
    fn passed(&self) -> bool {
        matches!(self.result.verdict, Verdict::Passed)
    }

    fn line(&self) -> String {
        let word = if self.passed() { "ok  " } else { "FAIL" };
        let ms = self.result.elapsed.as_secs_f64() * 1e3;
        format!("{word}  {} ({}, {ms:.0} ms)", self.test.name, self.test.target.name)
    }
}

fn summary(cases: &[Case<'_>]) -> String {
    let count = cases.len();
    let failed = cases.iter().filter(|case| !case.passed()).count();
    let tests = if count == 1 { "test" } else { "tests" };
    if failed == 0 { format!("{count} {tests} passed") } else { format!("{failed} of {count} {tests} failed") }
}

fn write_junit(path: &Path, pipeline: &str, cases: &[Case<'_>]) -> Result<(), String> {
    let xml = junit::render(pipeline, cases).map_err(|error| error.to_string())?;
    local::write_atomic(path, xml.as_bytes()).map_err(|error| error.to_string())
}
