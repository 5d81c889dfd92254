//! Test results as JUnit XML, which CI systems show.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::{Case, difference};
use crate::run::unit_tests::Verdict;

/// One suite, named after the pipeline; other rows are a failure, no rows an error.
pub fn render(pipeline: &str, cases: &[Case<'_>]) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new(pipeline);
    for case in cases {
        let status = match &case.result.verdict {
            Verdict::Passed => TestCaseStatus::success(),
            Verdict::Differs(found) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(difference::headline(found)).set_description(difference::render(found));
                status
            }
            Verdict::Failed(failure) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                status.set_type(failure.code.id()).set_message(failure.message.as_str());
                status
            }
        };
        let mut one = TestCase::new(case.test.name.as_str(), status);
        one.set_classname(format!("{pipeline}.{}", case.test.target.name)).set_time(case.result.elapsed);
        suite.add_test_case(one);
    }
    let mut report = Report::new(format!("{pipeline} tests"));
    report.add_test_suite(suite);
    report.to_string()
}
