//! A comparison to test renderers with.

use chrono::DateTime;

use super::content::*;
use crate::metrics::evaluation::{Estimate, Verdict};
use crate::metrics::shift::shift;
use crate::report::NodeStatus;

fn run(run_date: &str, run_id: &str, elapsed_seconds: f64) -> RunFacts {
    RunFacts {
        pipeline: "shop".to_owned(),
        run_id: run_id.to_owned(),
        run_date: run_date.parse().unwrap(),
        environment: "local".to_owned(),
        patronage_version: "0.1.0".to_owned(),
        started: DateTime::UNIX_EPOCH,
        outcome: "4 of 4 steps done.".to_owned(),
        elapsed_seconds,
        peak_memory_bytes: Some(421_000_000),
        threads: 2,
    }
}

/// Sixteen of 116 customers move between two segments, two get a probability on the other side.
pub fn diff() -> Diff {
    let told = |row: [u64; 3]| row.map(Some).to_vec();
    let matrix = LevelMatrix {
        rows: vec!["1".to_owned(), "2".to_owned()],
        columns: vec!["1".to_owned(), "2".to_owned()],
        counts: vec![told([60, 9, 0]), vec![Some(7), Some(40), None], vec![Some(6), Some(0), Some(0)]],
        row_totals: vec![Some(69), None, Some(6)],
        column_totals: told([73, 49, 3]),
        same: vec![Some(0), Some(1)],
    };
    let flow = |from: &str, to: &str, entities| Flow { from: from.to_owned(), to: to.to_owned(), entities };
    let shift = shift(&[(Some(0.4), Some(0.6)), (Some(0.5), Some(0.4)), (Some(0.2), Some(0.2)), (None, Some(0.9))]);
    let mover = |table: &str, column: &str, kind, moved, both| Mover {
        table: table.to_owned(),
        column: column.to_owned(),
        kind,
        moved,
        both,
    };
    let model = |version: &str, value: f64, verdict| ModelFacts {
        version: Some(version.to_owned()),
        measure: Some("roc_auc".to_owned()),
        value: Some(Estimate::interval(value, value - 0.02, value + 0.02)),
        baseline: Some(Estimate::point(0.5)),
        verdict: Some(verdict),
    };
    let step = |elapsed_seconds| Some(Step { status: NodeStatus::Success, elapsed_seconds });
    Diff {
        before: run("2024-06-01", "0ed1", 5.22),
        now: run("2024-06-02", "0ee3", 3.91),
        warnings: vec!["the run of 2024-06-01 failed: some of its tables may be missing".to_owned()],
        movers: vec![
            mover("segments", "segment", Move::Level, 16, 116),
            mover("will_buy", "probability", Move::Half, 2, 3),
        ],
        migrations: vec![Migration {
            table: "segments".to_owned(),
            column: "segment".to_owned(),
            both: 116,
            moved: 16,
            paired: true,
            matrix: Some(matrix),
            flows: vec![flow("1", "2", 9), flow("2", "1", 7)],
        }],
        scores: vec![Score {
            table: "will_buy".to_owned(),
            column: "probability".to_owned(),
            both: 3,
            probability: true,
            shift,
        }],
        tables: tables(),
        models: vec![ModelChange {
            stage: "will_buy".to_owned(),
            before: Some(model("2024-06-01-aaaa", 0.71, Verdict::Beats)),
            now: Some(model("2024-06-02-bbbb", 0.51, Verdict::NotShown)),
        }],
        checks: vec![CheckChange {
            on: "source.sales".to_owned(),
            check: "range price min 0".to_owned(),
            severity: "quarantine".to_owned(),
            before: Some(0),
            now: Some(1_204),
        }],
        checks_same: 3,
        checks_same_failing: 1,
        configuration: vec![Setting {
            node: "stage.segments".to_owned(),
            change: Changed::Changed,
            details: vec!["with.clusters.to: 10 → 8".to_owned()],
        }],
        columns: vec![ColumnChange {
            table: "customers".to_owned(),
            column: "returns".to_owned(),
            change: Changed::Added,
            before: None,
            now: Some("int64".to_owned()),
        }],
        steps: vec![
            StepChange { id: "stage.segments".to_owned(), before: step(2.0), now: step(1.5) },
            StepChange { id: "stage.old".to_owned(), before: step(0.4), now: None },
        ],
    }
}

fn tables() -> Vec<TableChange> {
    let table = |table: &str, before, now| TableChange {
        table: table.to_owned(),
        rows_before: before,
        rows_now: now,
        entities: None,
        same: false,
        unavailable: None,
    };
    let entities = Entities { column: "customer".to_owned(), both: 116, new: 6, gone: 3 };
    vec![
        table("sales", Some(52_000), Some(52_310)),
        TableChange { entities: Some(entities), ..table("segments", Some(119), Some(122)) },
        TableChange { same: true, ..table("products", Some(40), Some(40)) },
        TableChange {
            unavailable: Some("the table of 2024-06-01 is gone".to_owned()),
            ..table("rfm", Some(119), Some(122))
        },
        table("old", Some(9), None),
    ]
}
