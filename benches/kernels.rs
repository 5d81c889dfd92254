//! The kernels beside linfa on made-up rows: `cargo bench --bench kernels`.

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::{Array2, s};
use patronage::algorithms::windows::{
    Aggregation, Call, Data, Events, Snapshot, Values, Window, aggregate, group_by_entity,
};
use patronage::algorithms::{kmeans, linear, softmax, svm};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const ROWS: usize = 100_000;
const COLUMNS: usize = 16;
const DAY_US: i64 = 86_400_000_000;

fn rng() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(42)
}

/// Eight clouds of points.
fn table() -> Array2<f64> {
    let mut rng = rng();
    Array2::from_shape_fn((ROWS, COLUMNS), |(row, _)| (row % 8) as f64 + rng.gen_range(-1.0..1.0))
}

fn clustering(criterion: &mut Criterion) {
    let table = table();
    for engine in [kmeans::Engine::Native, kmeans::Engine::Linfa] {
        let params = kmeans::Params { restarts: 1, engine, ..kmeans::Params::new(8) };
        criterion.bench_function(&format!("kmeans 1e5 x 16, 8 clusters, {engine:?}"), |bencher| {
            bencher.iter(|| kmeans::fit(table.view(), &params, &mut rng()));
        });
    }
}

fn classification(criterion: &mut Criterion) {
    let table = table();
    let mut rng = rng();
    let positive: Vec<bool> =
        table.rows().into_iter().map(|row| row.sum() / 16.0 + rng.gen_range(-2.0..2.0) > 3.5).collect();
    let classes: Vec<u32> = positive.iter().map(|positive| u32::from(*positive)).collect();
    let penalty = softmax::Penalty { l1: 0.0, l2: 1.0 };
    let params = softmax::Params::default();
    let mut group = criterion.benchmark_group("logistic 1e5 x 16");
    group.bench_function("native", |bencher| {
        bencher.iter(|| softmax::fit(table.view(), &classes, 2, None, &penalty, &params, &|| true));
    });
    group.bench_function("linfa", |bencher| bencher.iter(|| softmax::linfa::fit(table.view(), &positive, 1.0)));
    group.finish();
}

fn regression(criterion: &mut Criterion) {
    let x = table();
    let y: Vec<f64> = x.rows().into_iter().enumerate().map(|(row, x)| x[0] - 2.0 * x[3] + (row % 7) as f64).collect();
    let mut group = criterion.benchmark_group("least squares 1e5 x 16");
    group.bench_function("native", |bencher| bencher.iter(|| linear::fit(x.view(), &y, 0.0)));
    group.bench_function("linfa", |bencher| bencher.iter(|| linear::fit_linfa(x.view(), &y)));
    group.finish();

    let few = x.slice(s![..4_000, ..]);
    let truth: Vec<bool> = y.iter().take(4_000).map(|y| *y > 3.0).collect();
    let params = svm::kernelized::Params::new(svm::Kernel::Rbf { gamma: 1.0 / 16.0 });
    let mut group = criterion.benchmark_group("rbf svm 4e3 x 16");
    group.bench_function("native", |bencher| {
        bencher.iter(|| svm::kernelized::classify(few, &truth, None, &params, &|| true))
    });
    group.bench_function("linfa", |bencher| bencher.iter(|| svm::engine_linfa::classify(few, &truth, &params)));
    group.finish();
}

/// Two million events of 100,000 entities, twelve snapshots, three aggregates.
fn windows(criterion: &mut Criterion) {
    let mut rng = rng();
    let events = 2_000_000;
    let codes: Vec<u32> = (0..events).map(|_| rng.gen_range(0..100_000)).collect();
    let times: Vec<i64> = (0..events).map(|_| rng.gen_range(0..365 * DAY_US)).collect();
    let values = [Values::new(Data::Floats((0..events).map(|_| rng.gen_range(0.0..100.0)).collect()), None)];
    let call = |aggregation, window| Call { aggregation, argument: Some(0), mask: None, window };
    let calls = [
        call(Aggregation::Sum, Window::Before),
        call(Aggregation::Sum, Window::Last(90 * DAY_US)),
        call(Aggregation::CountDistinct, Window::Before),
    ];
    let snapshots: Vec<Snapshot> =
        (1..=12).map(|month| Snapshot { moment: month * 30 * DAY_US, known: vec![true; calls.len()] }).collect();
    criterion.bench_function("windows 2e6 events, 12 snapshots", |bencher| {
        bencher.iter(|| {
            let order = group_by_entity(&codes, 100_000);
            let input = Events { times: &times, order: &order, values: &values, masks: &[] };
            aggregate(&input, &snapshots, &calls, 0..100_000)
        });
    });
}

criterion_group! {
    name = kernels;
    config = Criterion::default().sample_size(10);
    targets = clustering, classification, regression, windows
}
criterion_main!(kernels);
