//! A run as JUnit XML, for what shows tests: a suite of the steps, and one of checks for each table.
//!
//! JUnit knows no warning: a check that fails without stopping the run is a passed test that says so in its output.

use std::time::Duration;

use indexmap::IndexMap;
use quick_junit::{NonSuccessKind, Report as Junit, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::content::{CheckReport, NodeReport, NodeStatus, Report};

/// The document, with a line break at its end.
pub fn junit(report: &Report) -> Result<String, SerializeError> {
    let mut document = Junit::new(format!("{} {}", report.pipeline, report.run_date));
    document.set_timestamp(report.started);
    document.set_time(seconds(report.elapsed_seconds));
    let mut steps = TestSuite::new("steps");
    steps.add_test_cases(report.nodes.iter().map(|node| step(&report.pipeline, node)));
    document.add_test_suite(steps);
    let mut tables: IndexMap<&str, Vec<&CheckReport>> = IndexMap::new();
    for check in &report.checks {
        tables.entry(&check.on).or_default().push(check);
    }
    for (table, checks) in tables {
        let mut suite = TestSuite::new(format!("checks of {table}"));
        suite.add_test_cases(checks.into_iter().map(|check| case(&report.pipeline, check)));
        document.add_test_suite(suite);
    }
    document.to_string()
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn step(pipeline: &str, node: &NodeReport) -> TestCase {
    let reason = node.reason.as_deref().unwrap_or_default();
    let status = match node.status {
        NodeStatus::NotSelected => told(TestCaseStatus::skipped(), "not selected"),
        NodeStatus::Success | NodeStatus::Skipped => TestCaseStatus::success(),
        NodeStatus::Error => told(TestCaseStatus::non_success(NonSuccessKind::Error), reason),
        NodeStatus::Blocked => told(TestCaseStatus::skipped(), reason),
    };
    let mut case = TestCase::new(node.id.clone(), status);
    case.set_classname(pipeline.to_owned());
    case.set_time(seconds(node.elapsed_seconds));
    case
}

fn case(pipeline: &str, check: &CheckReport) -> TestCase {
    let rows = match check.failed_rows {
        0 => check.found.clone().unwrap_or_default(),
        _ => {
            let place = check.set_aside_in.as_ref().map(|file| format!(", set aside in {file}")).unwrap_or_default();
            format!("{}{place}", check.finding())
        }
    };
    let fails = check.failed_rows > 0 && check.severity == "error";
    let status = match fails {
        true => told(TestCaseStatus::non_success(NonSuccessKind::Failure), &rows),
        false => TestCaseStatus::success(),
    };
    let mut case = TestCase::new(check.check.clone(), status);
    case.set_classname(format!("{pipeline}.{}", check.on));
    if !fails && !rows.is_empty() {
        let severity = if check.failed_rows > 0 { format!("{}: ", check.severity) } else { String::new() };
        case.set_system_out(format!("{severity}{rows}"));
    }
    case
}

fn told(mut status: TestCaseStatus, message: &str) -> TestCaseStatus {
    status.set_message(message.to_owned());
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn failures_fail_warnings_pass_and_blocked_steps_are_skipped() {
        let mut report = sample::report();
        report.nodes[3].status = NodeStatus::Error;
        report.nodes[3].reason = Some("out of range <&>".to_owned());
        report.nodes[4].status = NodeStatus::Blocked;
        report.checks[0].failed_rows = 7;
        let read = Junit::deserialize_from_str(&junit(&report).unwrap()).unwrap();
        assert_eq!((read.tests, read.failures, read.errors), (13, 1, 1));
        let steps = &read.test_suites[0];
        assert_eq!((steps.name.as_str(), steps.skipped), ("steps", 1));
        let checks = &read.test_suites[1];
        assert_eq!(checks.name.as_str(), "checks of source.transactions");
        let TestCaseStatus::NonSuccess { message: Some(message), .. } = &checks.test_cases[0].status else { panic!() };
        assert_eq!(message.as_str(), "7 rows");
        let aside = &checks.test_cases[1];
        assert!(matches!(aside.status, TestCaseStatus::Success { .. }));
        assert_eq!(
            aside.system_out.as_ref().unwrap().as_str(),
            "quarantine: 2,517 rows, set aside in target/patronage/019b0e5c/quarantine/transactions.parquet"
        );
    }
}
