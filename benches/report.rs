//! How long the page takes: `cargo bench --bench report`. It must be made in under two seconds.

use chrono::{DateTime, NaiveDate};
use criterion::{Criterion, criterion_group, criterion_main};
use patronage::metrics::evaluation::{Better, Chart, Curve, Estimate, Evaluation, Measure};
use patronage::metrics::profile::ColumnProfile;
use patronage::report::{Drift, ModelReport, ProfiledColumn, Report, TableProfile, html};

/// A curve as a model gives it, with as many points as it may have.
fn curve(name: &str, power: f64) -> Curve {
    let points = (0..=200).map(|step| f64::from(step) / 200.0).map(|x| (x, x.powf(power))).collect();
    Curve { name: name.to_owned(), points }
}

/// Seven charts, as of a classifier.
fn charts() -> Vec<Chart> {
    let lines = |title: &str| Chart::Lines {
        title: title.to_owned(),
        x: "share of rows".to_owned(),
        y: "share of positives".to_owned(),
        curves: vec![curve("model", 0.3), curve("one feature", 0.4)],
        reference: vec![(0.0, 0.0), (1.0, 1.0)],
    };
    let bars = (1..=10).map(|tenth| (tenth.to_string(), 2.0 / f64::from(tenth))).collect();
    let names = |name: &str| (0..8).map(|place| format!("{name}_{place}")).collect::<Vec<_>>();
    let values = vec![(0..8).map(|place| f64::from(place) - 4.0).collect::<Vec<_>>(); 8];
    vec![
        lines("ROC curve"),
        lines("Precision and recall"),
        lines("Gain"),
        lines("Calibration"),
        Chart::Bars { title: "Lift".to_owned(), unit: "times the average".to_owned(), bars },
        Chart::Grid {
            title: "Means".to_owned(),
            rows_title: "segment".to_owned(),
            columns_title: "mean of".to_owned(),
            rows: names("segment"),
            columns: names("column"),
            texts: vec![names("1.0"); 8],
            values,
            center: Some(0.0),
        },
        Chart::Table { title: "Coefficients".to_owned(), columns: names("column"), rows: vec![names("0.5"); 20] },
    ]
}

fn model(place: usize) -> ModelReport {
    let measure = |name: &str| Measure {
        name: name.to_owned(),
        better: Better::Higher,
        model: Estimate::interval(0.7, 0.68, 0.72),
        baseline: Some(Estimate::point(0.5)),
        difference: Some(Estimate::interval(0.2, 0.18, 0.22)),
    };
    let evaluation = Evaluation {
        target: "buys_90d".to_owned(),
        model: "logistic regression".to_owned(),
        baseline: "class prior".to_owned(),
        headline: "roc_auc".to_owned(),
        measures: ["roc_auc", "pr_auc", "log_loss", "brier", "ece"].map(measure).to_vec(),
        charts: charts(),
        watch: vec!["Few rows evaluate it.".to_owned()],
        ..Evaluation::default()
    };
    ModelReport::new(format!("model_{place}"), "logistic", None, "fit_apply", evaluation)
}

fn column(place: u32) -> ProfiledColumn {
    let values = (0..2_000).map(|row| f64::from(row * (place + 7) % 977)).collect();
    let against = |name: &str| Drift { against: name.to_owned(), psi: f64::from(place % 40) / 100.0, chance: 0.02 };
    ProfiledColumn {
        profile: ColumnProfile::of_numbers(format!("feature_{place}"), values),
        drift: vec![against("the run of 2011-12-09"), against("what model_0 was fitted on")],
    }
}

/// A run with so many profiled columns and models.
fn report(columns: u32, models: usize) -> Report {
    let columns = (0..columns).map(column).collect();
    Report {
        pipeline: "nightly".to_owned(),
        description: None,
        run_id: "019b0e5c-7d1a-7cc3-98c4-dc0c0c07398f".to_owned(),
        run_date: NaiveDate::from_ymd_opt(2011, 12, 10).unwrap_or_default(),
        environment: "local".to_owned(),
        patronage_version: "0.1.0".to_owned(),
        started: DateTime::UNIX_EPOCH,
        elapsed_seconds: 60.0,
        report_seconds: None,
        peak_memory_bytes: None,
        threads: 2,
        nodes: vec![],
        edges: vec![],
        sources: vec![],
        models: (0..models).map(model).collect(),
        publications: vec![],
        checks: vec![],
        profiles: vec![TableProfile { table: "customers".to_owned(), as_of: None, rows: 2_000, columns }],
        changes: vec![],
        warnings: vec![],
    }
}

fn page(criterion: &mut Criterion) {
    let report = report(200, 12);
    println!("{} bytes", html::render(&report).len());
    criterion.bench_function("page of 200 columns and 12 models", |bencher| bencher.iter(|| html::render(&report)));
}

criterion_group!(benches, page);
criterion_main!(benches);
