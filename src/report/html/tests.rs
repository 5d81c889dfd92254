//! The page as a whole: complete, escaped, self-contained, small.

use super::render;
use crate::metrics::evaluation::{Chart, Fact};
use crate::report::content::{Edge, NodeStatus, Report};
use crate::report::sample;

#[test]
fn says_what_a_reader_wants_to_know() {
    let page = render(&sample::report());
    let wanted = [
        "December 10, 2011",
        "The logistic regression of buys_90d reaches a roc_auc of 0.762 and beats its baseline (class prior), which has 0.500.",
        "which is better: do not use this model.",
        "1 of 2 models beats its baseline.",
        "0.745 <span>to 0.779</span>",
        "541,909",
        "range unit_price 0..",
        "the published version has the same content",
        "3.42 s",
        "512 MB",
        "019b0e5c-7d1a-7cc3-98c4-dc0c0c07398f",
    ];
    for text in wanted {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn an_empty_report_is_a_whole_page() {
    let page = render(&sample::empty());
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
    assert!(page.contains("This run has no model."));
    assert!(!page.contains("<svg"));
}

#[test]
fn names_are_escaped_and_nothing_is_loaded() {
    let evil = "<script>alert('&')</script>\"";
    let mut report = sample::report();
    report.pipeline = evil.to_owned();
    report.description = Some(evil.to_owned());
    report.warnings = vec![evil.to_owned()];
    report.publications[0].to = evil.to_owned();
    report.checks[0].check = evil.to_owned();
    report.nodes[1].id = evil.to_owned();
    report.models[0].stage = evil.to_owned();
    report.models[0].evaluation.facts.push(Fact::new(evil, evil));
    for chart in &mut report.models[0].evaluation.charts {
        let (Chart::Line { title, .. }
        | Chart::Lines { title, .. }
        | Chart::Bars { title, .. }
        | Chart::Grid { title, .. }
        | Chart::Table { title, .. }) = chart;
        evil.clone_into(title);
    }
    let page = render(&report);
    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;alert('&amp;')&lt;/script&gt;&quot;"));
    assert!(!page.contains("src=") && !page.contains("url(") && !page.contains("http://"));
    assert!(!page.contains("https://"));
}

#[test]
fn ids_are_unique() {
    let page = render(&sample::report());
    let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert!(count > 10);
    assert_eq!(ids.len(), count);
}

#[test]
fn failures_come_first() {
    let mut report = sample::report();
    report.nodes[3].status = NodeStatus::Error;
    report.nodes[3].reason = Some("disk full".to_owned());
    let page = render(&report);
    let failed = page.find("disk full").unwrap();
    assert!(failed < page.find("<h2 id=\"models\"").unwrap());
}

#[test]
fn a_huge_report_stays_under_a_megabyte() {
    let mut report = sample::report();
    let long = "x".repeat(5_000);
    let model = &mut report.models[0];
    model.evaluation.charts = (0..50)
        .map(|_| Chart::Line {
            title: long.clone(),
            x: long.clone(),
            y: long.clone(),
            points: (0..2_000).map(|x| (f64::from(x), f64::from(x % 97))).collect(),
            reference: vec![],
        })
        .collect();
    report.models = vec![report.models[0].clone(); 60];
    grow(&mut report, &long);
    let page = render(&report);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert!(page.contains("more in report.json."));
}

fn grow(report: &mut Report, long: &str) {
    let mut node = report.nodes[1].clone();
    node.reason = Some(long.to_owned());
    node.outputs = vec![node.outputs[0].clone(); 100];
    report.nodes = (0..1_000)
        .map(|number| {
            let mut node = node.clone();
            node.id = format!("stage.s{number}{long}");
            node
        })
        .collect();
    report.edges = (1..1_000)
        .map(|number| Edge { from: report.nodes[number - 1].id.clone(), to: report.nodes[number].id.clone() })
        .collect();
    report.publications = vec![report.publications[0].clone(); 1_000];
    report.checks = vec![report.checks[1].clone(); 1_000];
    report.sources = vec![report.sources[0].clone(); 1_000];
    report.warnings = vec![long.to_owned(); 1_000];
}

#[test]
fn what_is_not_finite_is_said_and_not_drawn() {
    let mut report = sample::report();
    let evaluation = &mut report.models[0].evaluation;
    evaluation.measures[0].model.value = f64::NAN;
    evaluation.charts = vec![
        Chart::Line {
            title: "t".into(),
            x: "x".into(),
            y: "y".into(),
            points: vec![(f64::NAN, f64::INFINITY)],
            reference: vec![],
        },
        Chart::Bars { title: "b".into(), unit: String::new(), bars: vec![("n".into(), f64::NAN)] },
    ];
    let page = render(&report);
    assert!(page.contains("There is nothing to draw."));
    assert!(page.contains("not a number"));
    assert!(!page.contains("NaN") && !page.contains("inf\""));
}
