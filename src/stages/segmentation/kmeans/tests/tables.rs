//! Tables of every shape.

use super::*;

#[test]
fn a_table_without_snapshots_will_do() {
    let schema = TableSchema {
        columns: vec![
            Column::new("shop", DataType::String),
            Column::new("a", DataType::Float64),
            Column::new("country", DataType::String),
            Column::new("known", DataType::String),
            Column::new("weight", DataType::Float64),
        ],
        ..TableSchema::default()
    };
    let with = json!({
        "entity": "shop", "columns": ["a"], "categories": ["country"], "scale": "minmax", "clusters": 2,
        "truth": "known", "weight": "weight",
    });
    let stage: KMeans = serde_json::from_value(with).unwrap();
    let run_date = date("2011-12-10");
    let declared = stage.schemas(&ports(schema.clone()), run_date).unwrap();
    assert_eq!(declared[0].key, ["shop", AS_OF]);
    let rows = 24;
    let of = |low: &'static str, high: &'static str| move |row: usize| if row < 12 { low } else { high };
    let named = |row: usize| format!("shop {row:02}");
    let frame = df! {
        "shop" => (0..rows).map(named).collect::<Vec<_>>(),
        "a" => (0..rows).map(|row| if row < 12 { 1.0 } else { 9.0 } + row as f64 / 100.0).collect::<Vec<_>>(),
        "country" => (0..rows).map(of("UK", "FR")).collect::<Vec<_>>(),
        "known" => (0..rows).map(of("x", "y")).collect::<Vec<_>>(),
        "weight" => vec![2.0; rows],
    };
    let frame = frame.unwrap().lazy();
    let run = |frame: LazyFrame| {
        let table = Table { frame, schema: schema.clone(), watermark: None };
        let named = NamedTable { name: "shops".into(), table };
        let inputs = Inputs { ports: [(PORT.to_owned(), vec![named])].into(), ..Inputs::default() };
        stage.run(inputs, &StageContext { run_date, seed: 7, threads: 1, cancel: Cancel::default() })
    };
    let outputs = run(frame.clone()).unwrap();
    let (segments, profiles) = frames(&outputs);
    assert_eq!((segments.height(), declared[0].to_polars()), (rows, (**segments.schema()).clone()));
    assert_eq!(declared[1].to_polars(), **profiles.schema());
    let modes: Vec<_> = profiles.column("mode_country").unwrap().str().unwrap().iter().flatten().collect();
    assert_eq!((modes.len(), values(&profiles, "share_of_mode_country")), (2, vec![1.0, 1.0]));
    let evaluation = outputs.evaluation.unwrap();
    let truth = evaluation.measures.iter().find(|measure| measure.name == "adjusted_rand").unwrap();
    assert_eq!(truth.model.value, 1.0);
    let twice = polars::prelude::concat([frame.clone(), frame], polars::prelude::UnionArgs::default()).unwrap();
    let told = message(run(twice));
    assert!(told.starts_with("`shop` has the same value as another row in 24 rows"), "{told}");
}

/// By hand: the rows of a at 0 and 10 weigh 9 and 1, so their common centroid lies at 1.
#[test]
fn weights_move_the_centroids() {
    let rows = frame(&[Some(9), Some(1), Some(1)], &[0.0, 10.0, 500.0].map(Some));
    let with = json!({"columns": ["b"], "weight": "a", "clusters": 2});
    let file: Value = run(&stage(with), rows, None).unwrap().model.unwrap().main().unwrap();
    let centroids: Vec<f64> =
        file["clusters"].as_array().unwrap().iter().map(|cluster| cluster["centroid"][0].as_f64().unwrap()).collect();
    assert_eq!(centroids, [1.0, 500.0]);
    let none = frame(&[Some(-1), Some(1), None], &[0.0, 10.0, 500.0].map(Some));
    let told = message(run(&stage(json!({"columns": ["b"], "weight": "a"})), none, None));
    assert_eq!(told, "the weight `a` is null, not finite or below zero in 2 rows");
}

/// Constant columns, rows that are the same, two hundred columns, one row: each has an answer.
#[test]
fn odd_tables_have_an_answer() {
    let columns: Vec<String> = (0..200).map(|place| format!("c{place}")).collect();
    let schema = TableSchema {
        columns: [Column::new("id", DataType::String)]
            .into_iter()
            .chain(columns.iter().map(|name| Column::new(name.clone(), DataType::Float64)))
            .collect(),
        key: vec!["id".into()],
        ..TableSchema::default()
    };
    let run = |columns: &[String], rows: usize, clusters: Value| {
        let with = json!({"columns": columns, "clusters": clusters});
        let stage: KMeans = serde_json::from_value(with).unwrap();
        let ids = (0..rows).map(|row| format!("ü{row:03}")).collect::<Vec<_>>();
        let mut all = vec![Series::new("id".into(), ids).into_column()];
        for (place, name) in columns.iter().enumerate() {
            // The first column is constant; ten different rows in all.
            let value = |row: usize| if place == 0 { 7.0 } else { ((row % 10) * (place + 3) % 11) as f64 };
            all.push(Series::new(name.as_str().into(), (0..rows).map(value).collect::<Vec<f64>>()).into_column());
        }
        let frame = DataFrame::new(rows, all).unwrap().lazy();
        let table = Table { frame, schema: schema.clone(), watermark: None };
        let named = NamedTable { name: "shops".into(), table };
        let inputs = Inputs { ports: [(PORT.to_owned(), vec![named])].into(), ..Inputs::default() };
        let context = StageContext { run_date: date("2011-12-10"), seed: 7, threads: 1, cancel: Cancel::default() };
        stage.run(inputs, &context)
    };
    let wide = run(&columns, 60, json!(4)).unwrap();
    assert_eq!(frames(&wide).0.height(), 60);
    assert_eq!(frames(&wide).1.width(), 4 + 3 * 200 + 1);
    let same = run(&columns[..1], 60, json!(2));
    assert_eq!(message(same), "could not form 2 clusters of 60 rows: those that differ number only 1");
    let one = run(&columns[..2], 1, json!({"from": 2, "to": 5}));
    assert_eq!(message(one), "could not form 2 clusters of 1 rows: those that differ number only 1");
    let few = run(&columns[..3], 3, json!({"from": 2, "to": 50, "by": "elbow"})).unwrap();
    assert_eq!(frames(&few).1.height(), 2, "as many as lie below the line, at most as many as there are rows");
    for by in ["calinski_harabasz", "davies_bouldin"] {
        assert!(run(&columns[..3], 40, json!({"from": 2, "to": 6, "by": by})).is_ok());
    }
}
