use polars::prelude::{Column as Values, DataFrame, IntoLazy, TimeUnit};

use super::*;

/// Thirty events of two customers and of four shops, one a day from 2024-01-01.
fn events() -> DataFrame {
    let day = 86_400_000_000i64;
    let start = crate::table::midnight_us(NaiveDate::from_ymd_opt(2024, 1, 1).unwrap());
    let customers: Vec<i64> = (0..30).map(|row| 7 - 2 * (row * row % 3)).collect();
    let shops: Vec<String> = (0..30).map(|row| format!("shop {}", (row * 7) % 4)).collect();
    let amounts: Vec<Option<f64>> = (0..30).map(|row| (row % 6 > 0).then_some(f64::from(row) / 4.0)).collect();
    let orders: Vec<String> = (0..30).map(|row| format!("order number {}", row / 2)).collect();
    let times: Vec<i64> = (0..30).map(|row| start + row * day).collect();
    let times = Values::new("at".into(), times).cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap();
    DataFrame::new_infer_height(vec![
        Values::new("customer".into(), customers),
        Values::new("shop".into(), shops),
        Values::new("amount".into(), amounts),
        Values::new("order_id".into(), orders),
        times,
    ])
    .unwrap()
}

fn features(entity: &str, other: &str) -> Features {
    serde_json::from_value(serde_json::json!({
        "entity": entity,
        "time": "at",
        "snapshots": {"every": "7d", "count": 3},
        "features": {
            "newest": "MAX(at)", "total": "SUM(amount)", "orders": "COUNT(DISTINCT order_id)",
            "favorite": format!("MODE({other})"), "recent": {"expression": "AVG(amount)", "last": "10d"},
            "large": "COUNT(*) FILTER (WHERE amount > 2)",
        },
        "labels": {"next": {"expression": "SUM(amount)", "next": "5d"}},
    }))
    .unwrap()
}

/// The stage's rows, and in how many passes they were read, with so much memory for events.
fn rows(stage: &Features, bytes: u64) -> (DataFrame, usize) {
    let mut schema = TableSchema { event_time: Some("at".to_owned()), ..TableSchema::default() };
    let frame = events();
    schema.columns = frame.schema().iter().map(|(name, dtype)| Column::new(name.to_string(), dtype.clone())).collect();
    let program = stage.program(&schema).unwrap();
    let run_date = NaiveDate::from_ymd_opt(2024, 1, 29).unwrap();
    let reading = Reading::plan(frame.lazy(), &stage.entity, &stage.time, &program, bytes).unwrap();
    let passes = reading.passes().len();
    let mut moments = stage.moments(run_date);
    moments.reverse();
    let rows = Rows::new(reading, program, &stage.entity, moments, run_date, Default::default());
    let pieces: Vec<DataFrame> = rows.map(Result::unwrap).collect();
    (pieces.into_iter().reduce(|all, piece| all.vstack(&piece).unwrap()).unwrap(), passes)
}

#[test]
fn events_that_do_not_fit_are_read_in_several_passes() {
    for (entity, other, entities) in [("customer", "shop", 2), ("shop", "customer", 4)] {
        let stage = features(entity, other);
        let (whole, passes) = rows(&stage, collect::EVENT_BYTES);
        assert_eq!((passes, whole.height()), (1, entities * 3));
        // Room for nine or for no event at a time: an entity is never split.
        for (bytes, at_least) in [(9 * 45, 2), (1, entities)] {
            let (parts, passes) = rows(&stage, bytes);
            assert!(passes >= at_least, "{entity}: {passes} passes");
            assert!(parts.equals_missing(&whole), "{entity}: {parts} {whole}");
        }
    }
}

#[test]
fn no_events_give_no_rows() {
    let stage = features("customer", "shop");
    let schema = TableSchema {
        columns: events().schema().iter().map(|(name, dtype)| Column::new(name.to_string(), dtype.clone())).collect(),
        ..TableSchema::default()
    };
    let program = stage.program(&schema).unwrap();
    let reading = Reading::plan(events().head(Some(0)).lazy(), "customer", "at", &program, 1).unwrap();
    let moments = vec![NaiveDate::from_ymd_opt(2024, 1, 29).unwrap()];
    assert_eq!(Rows::new(reading, program, "customer", moments.clone(), moments[0], Default::default()).count(), 0);
}
