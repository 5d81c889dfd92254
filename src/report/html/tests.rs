//! The page as a whole: complete, escaped, self-contained, small.

use super::render;
use crate::metrics::evaluation::Chart;
use crate::report::content::{Edge, NodeStatus, Report};
use crate::report::sample;

#[test]
fn says_what_a_reader_wants_to_know() {
    let page = render(&sample::report());
    let wanted = [
        "December 10, 2011",
        "The logistic regression of buys_90d reaches a ROC AUC of 0.762 and beats its baseline (class prior), which has 0.500.",
        "which is better: do not use this model.",
        "3 of 4 models beat their baseline.",
        "1 column has drifted.",
        "What to watch",
        "recency_days alone ranks nearly as well",
        "0.745 <span>to 0.779</span>",
        "541,909",
        "range unit_price 0..",
        "✕ 2,517 rows",
        "✕ 12 rows",
        "2 failed, 2,529 rows set aside",
        "check <code>unique order_id, product_id</code>: 12 rows (the rows are set aside)",
        "406,789<span class=\"range\">12 set aside</span>",
        "Residuals, by tenth of the predictions",
        "the published version has the same content",
        "since the run of",
        "+37<span class=\"range\">+0.9 %</span>",
        "▲ drifted",
        "3.42 s",
        "512 MB",
        "019b0e5c-7d1a-7cc3-98c4-dc0c0c07398f",
        "report.parquet",
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
    let page = render(&sample::evil());
    assert!(!page.contains("<script") && !page.contains("<img"));
    // As maud escapes, and as plotters does.
    assert!(page.contains("&lt;script&gt;alert('&amp;')&lt;/script&gt;&quot;"));
    assert!(page.contains("&lt;script&gt;alert(&apos;&amp;&apos;)&lt;/script&gt;&quot;"));
    for (_, report) in sample::all() {
        let page = render(&report);
        // In what is escaped an equals sign may follow; a tag's attribute comes after a space.
        assert!(!page.replace("&lt;img src=", "").contains(" src=") && !page.contains("url("));
        assert!(!page.contains("http://") && !page.contains("https://"));
    }
}

/// What `attribute` is in every tag that has it.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    page.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn ids_are_unique_and_references_lead_to_them() {
    for (name, report) in sample::all() {
        let page = render(&report);
        let mut ids = values(&page, " id=\"");
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert!(count > 10);
        assert_eq!(ids.len(), count, "{name}");
        let labels = values(&page, "aria-labelledby=\"");
        for id in values(&page, "href=\"#").into_iter().chain(labels.into_iter().flat_map(|label| label.split(' '))) {
            assert!(ids.contains(&id), "{name}: {id}");
        }
    }
}

#[test]
fn every_drawing_has_words() {
    for (name, report) in sample::all() {
        let page = render(&report);
        for drawing in page.split("<svg ").skip(1) {
            let (tag, inside) = drawing.split_once('>').unwrap();
            let described =
                tag.contains("aria-labelledby=") && inside.starts_with("<desc ") && !inside.contains("></desc>");
            assert!(described || tag.contains("aria-label=") || tag.contains("aria-hidden="), "{name}: {tag}");
        }
    }
}

#[test]
fn no_color_is_left_that_is_not_the_pages() {
    let page = render(&sample::report());
    let body = page.split("</style>").nth(1).unwrap();
    assert!(body.contains("stroke=\"var(--series-2)\""));
    assert!(!body.contains("=\"#0101"), "a stand-in of plotters");
}

#[test]
fn what_the_selection_leaves_out_is_listed_and_not_counted() {
    let mut report = sample::report();
    for place in [6, 9] {
        report.nodes[place].status = NodeStatus::NotSelected;
        report.nodes[place].reason = Some("left out by --exclude next_spend+".to_owned());
        report.nodes[place].outputs.clear();
    }
    let page = render(&report);
    assert!(page.contains("8 of 8 steps done, 2 not selected."), "{page}");
    assert!(page.contains("none failed, 2 not selected"));
    assert_eq!(page.matches("– not selected").count(), 2);
    assert_eq!(page.matches("left out by --exclude next_spend+").count(), 2);
    assert_eq!(page.matches("box-left-out\"").count(), 2, "drawn, faintly");
}

#[test]
fn a_graph_that_is_too_large_is_told_of() {
    let mut report = sample::report();
    assert!(!render(&report).contains("too large to be drawn"));
    report.edges = vec![report.edges[0].clone(); 241];
    let page = render(&report);
    assert!(page.contains("A graph of 10 steps and 241 arrows is too large to be drawn"));
    assert!(!page.contains("class=\"dag\""));
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
    // A quotation mark takes six bytes.
    for long in ["x".repeat(5_000), "\"".repeat(5_000)] {
        let mut report = sample::large(3_000, 60);
        for model in &mut report.models {
            model.evaluation.charts = (0..50)
                .map(|_| Chart::Line {
                    title: long.clone(),
                    x: long.clone(),
                    y: long.clone(),
                    points: (0..2_000).map(|x| (f64::from(x), f64::from(x % 97))).collect(),
                    reference: vec![],
                })
                .collect();
            model.evaluation.watch = vec![long.clone(); 100];
            model.sentence.clone_from(&long);
        }
        grow(&mut report, &long);
        let page = render(&report);
        assert!(page.len() < 1_000_000, "{} bytes", page.len());
        assert!(page.contains("more in report.json."));
    }
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
    report.publications[0].to = long.to_owned();
    report.publications = vec![report.publications[0].clone(); 1_000];
    report.checks[1].check = long.to_owned();
    report.checks = (0..1_000).map(|number| report.checks[number % 2].clone()).collect();
    report.sources = vec![report.sources[0].clone(); 1_000];
    report.warnings = vec![long.to_owned(); 1_000];
    report.changes[0].of = long.to_owned();
    report.changes = vec![report.changes[0].clone(); 1_000];
    for column in &mut report.profiles[0].columns {
        column.profile.name = long.to_owned();
    }
    report.profiles = vec![report.profiles[0].clone(); 20];
}

#[test]
fn many_models_all_have_their_say() {
    let report = sample::large(200, 40);
    let page = render(&report);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("<article ").count(), 40);
    // Each gets its share of the charts, the last as the first.
    let charts: Vec<bool> = page.split("<article ").skip(1).map(|article| article.contains("chart-0")).collect();
    assert!(charts.iter().all(|drawn| *drawn), "{charts:?}");
}

#[test]
fn what_is_not_finite_is_said_and_not_drawn() {
    let mut report = sample::report();
    let evaluation = &mut report.models[0].evaluation;
    evaluation.measures[0].model.value = f64::NAN;
    report.changes[0].now = f64::NAN;
    let line = |points| Chart::Line { title: "t".into(), x: "x".into(), y: "y".into(), points, reference: vec![] };
    evaluation.charts = vec![
        line(vec![(f64::NAN, f64::INFINITY)]),
        line(vec![(0.0, -f64::MAX), (1.0, f64::MAX)]),
        Chart::Bars { title: "b".into(), unit: String::new(), bars: vec![("n".into(), f64::NAN)] },
        Chart::Bars { title: "c".into(), unit: String::new(), bars: vec![("n".into(), 1.0), ("m".into(), f64::NAN)] },
    ];
    let page = render(&report);
    assert_eq!(page.matches("There is nothing to draw.").count(), 3);
    assert!(page.contains("1 not a number."));
    assert!(page.contains("not a number</text>"));
    assert!(!page.contains("NaN") && !page.contains("inf\""));
}

/// The pages that the browser looks at (`tests/real/report.sh`), into the folder `REPORT_PAGES`, if that is set.
#[test]
fn every_sample_is_a_page() {
    let folder = std::env::var_os("REPORT_PAGES").map(std::path::PathBuf::from);
    for (name, report) in sample::all() {
        let page = render(&report);
        assert!(page.len() < 1_000_000, "{name}: {} bytes", page.len());
        assert!(page.ends_with("</html>"), "{name}");
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join(format!("{name}.html")), page).unwrap();
        }
    }
}
