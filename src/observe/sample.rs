//! The events of a small run, to test listeners with.

use std::time::Duration;

use chrono::NaiveDate;

use crate::events::{Dataset, Event, NodeRef, OutputRows};

pub const RUN_ID: &str = "019b0e5c-7d1a-7cc3-98c4-dc0c0c07398f";

/// A stage that reads one table and writes one.
pub fn node(id: &str, kind: &str) -> NodeRef {
    let dataset = |name: &str| Dataset { namespace: "file".to_owned(), name: name.to_owned(), ..Dataset::default() };
    NodeRef {
        id: id.to_owned(),
        kind: kind.to_owned(),
        reads: vec![dataset("/lake/transactions")],
        writes: vec![dataset(id)],
    }
}

/// A run in which one stage works, one fails, one is skipped, one is blocked, and one never ends.
pub fn events() -> Vec<Event> {
    let (sales, customers) = (node("stage.sales", "sql"), node("stage.customers", "features"));
    let elapsed = Duration::from_millis(412);
    vec![
        Event::RunStarted {
            run_id: RUN_ID.to_owned(),
            pipeline: "nightly".to_owned(),
            run_date: NaiveDate::from_ymd_opt(2011, 12, 10).unwrap(),
            nodes: 5,
            elapsed: Duration::from_millis(20),
        },
        Event::NodeSkipped { node: node("source.transactions", "source"), reason: "unchanged".to_owned() },
        Event::NodeStarted { node: sales.clone() },
        Event::NodeFinished {
            node: sales,
            outputs: vec![OutputRows { port: "sales".to_owned(), rows: 52_000 }],
            elapsed,
        },
        Event::NodeStarted { node: customers.clone() },
        Event::NodeStarted { node: node("stage.products", "features") },
        Event::Warning { node: Some(customers.clone()), message: "a snapshot has no labels".to_owned() },
        Event::NodeFailed {
            node: customers,
            code: "stage_failed",
            message: "column `spend`\nis \u{1b}[31mmissing".to_owned(),
            interrupted: false,
            elapsed,
        },
        Event::NodeBlocked { node: node("stage.scores", "scores"), because: "stage.customers failed".to_owned() },
        Event::RunFinished {
            run_id: RUN_ID.to_owned(),
            success: false,
            interrupted: false,
            elapsed: Duration::from_millis(1_500),
        },
    ]
}
