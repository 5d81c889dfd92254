use super::*;
use ndarray::{Array2, array};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// J. W. Longley, An appraisal of least squares programs, JASA 62 (1967): employment by price deflator, GNP,
/// unemployment, armed forces, population and year.
fn longley() -> (Array2<f64>, Vec<f64>) {
    let rows = [
        [60323.0, 83.0, 234289.0, 2356.0, 1590.0, 107608.0, 1947.0],
        [61122.0, 88.5, 259426.0, 2325.0, 1456.0, 108632.0, 1948.0],
        [60171.0, 88.2, 258054.0, 3682.0, 1616.0, 109773.0, 1949.0],
        [61187.0, 89.5, 284599.0, 3351.0, 1650.0, 110929.0, 1950.0],
        [63221.0, 96.2, 328975.0, 2099.0, 3099.0, 112075.0, 1951.0],
        [63639.0, 98.1, 346999.0, 1932.0, 3594.0, 113270.0, 1952.0],
        [64989.0, 99.0, 365385.0, 1870.0, 3547.0, 115094.0, 1953.0],
        [63761.0, 100.0, 363112.0, 3578.0, 3350.0, 116219.0, 1954.0],
        [66019.0, 101.2, 397469.0, 2904.0, 3048.0, 117388.0, 1955.0],
        [67857.0, 104.6, 419180.0, 2822.0, 2857.0, 118734.0, 1956.0],
        [68169.0, 108.4, 442769.0, 2936.0, 2798.0, 120445.0, 1957.0],
        [66513.0, 110.8, 444546.0, 4681.0, 2637.0, 121950.0, 1958.0],
        [68655.0, 112.6, 482704.0, 3813.0, 2552.0, 123366.0, 1959.0],
        [69564.0, 114.2, 502601.0, 3931.0, 2514.0, 125368.0, 1960.0],
        [69331.0, 115.7, 518173.0, 4806.0, 2572.0, 127852.0, 1961.0],
        [70551.0, 116.9, 554894.0, 4007.0, 2827.0, 130081.0, 1962.0],
    ];
    let x = Array2::from_shape_fn((rows.len(), 6), |(row, column)| rows[row][column + 1]);
    (x, rows.iter().map(|row| row[0]).collect())
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs() / expected.abs().max(1.0);
        assert!(error < tolerance, "{found} is not {expected}");
    }
}

/// The certified values of NIST's Statistical Reference Datasets, Longley: the condition of this table defeats single
/// precision and, squared, half the digits of double precision.
#[test]
fn agrees_with_the_certified_values_of_nist() {
    let (x, y) = longley();
    let found = fit(x.view(), &y, 0.0).unwrap();
    let coefficients = [
        15.061_872_271_373_3,
        -0.358_191_792_925_910e-1,
        -2.020_229_803_816_83,
        -1.033_226_867_173_59,
        -0.511_041_056_535_807e-1,
        1_829.151_464_613_55,
    ];
    assert_near(&found.coefficients, &coefficients, 1e-9);
    assert_near(&[found.intercept], &[-3_482_258.634_595_82], 1e-9);
    let errors = [
        84.914_925_774_766_9,
        0.334_910_077_722_432e-1,
        0.488_399_681_651_699,
        0.214_274_163_161_675,
        0.226_073_200_069_370,
        455.478_499_142_212,
    ];
    assert_near(found.standard_errors.as_ref().unwrap(), &errors, 1e-9);
    assert_near(&[found.deviation.unwrap()], &[304.854_073_561_965], 1e-9);
    assert!(found.dependent.is_empty());
}

/// A table as a customer base has it: truth values, and columns of very different sizes.
fn table(rows: usize) -> (Array2<f64>, Vec<f64>) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let x = Array2::from_shape_fn((rows, 5), |(_, column)| match column {
        0 => f64::from(u8::from(rng.gen_bool(0.3))),
        1 => rng.gen_range(0.0..1e6),
        _ => rng.gen_range(-1.0..1.0),
    });
    let y = x.rows().into_iter().map(|row| 3.0 + 2.0 * row[0] + 1e-5 * row[1] - row[4] + rng.gen_range(-0.5..0.5));
    let y = y.collect();
    (x, y)
}

/// The gradient of what is minimized vanishes, with and without a penalty, across the borders of blocks.
#[test]
fn the_gradient_vanishes() {
    let (x, y) = table(2 * BLOCK_ROWS + 5);
    for l2 in [0.0, 10.0] {
        let found = fit(x.view(), &y, l2).unwrap();
        let left: Vec<f64> = y.iter().zip(found.predict(x.view()).unwrap()).map(|(y, fitted)| y - fitted).collect();
        assert!(left.iter().sum::<f64>().abs() < 1e-6);
        for (column, coefficient) in x.columns().into_iter().zip(&found.coefficients) {
            let gradient: f64 = column.iter().zip(&left).map(|(value, left)| value * left).sum();
            let size: f64 = column.iter().map(|value| value.abs()).sum();
            assert!((gradient - l2 * coefficient).abs() < 1e-9 * size, "{gradient}");
        }
    }
}

/// With a penalty: (RᵀR + l2)⁻¹ by its definition, on a table of two columns.
#[test]
fn a_penalty_shrinks_and_the_errors_follow() {
    let x = array![[1.0, 2.0], [2.0, -1.0], [3.0, 0.5], [4.0, 1.0], [6.0, -2.0]];
    let y = [1.0, 2.0, 2.0, 4.0, 5.0];
    // numpy 2.4.6: c = x - x.mean(0); a = c.T @ c; i = inv(a + 2 I); b = i @ c.T @ (y - y.mean());
    // r = sum((y - y.mean() - c @ b)²); s² = r / (5 - 1 - trace(i @ a)); sqrt(diag(i @ a @ i)) · s
    let found = fit(x.view(), &y, 2.0).unwrap();
    assert_near(&found.coefficients, &RIDGE.0, 1e-12);
    assert_near(&[found.intercept], &[RIDGE.1], 1e-12);
    assert_near(found.standard_errors.as_ref().unwrap(), &RIDGE.2, 1e-12);
}

const RIDGE: ([f64; 2], f64, [f64; 2]) = (
    [0.696_088_984_571_223, -0.062_432_723_358_450],
    0.578_758_521_707_929,
    [0.158_841_678_317_408, 0.180_715_646_926_625],
);

#[test]
fn columns_that_others_determine_are_left_out_and_named() {
    let (base, y) = table(300);
    let mut x = Array2::zeros((300, 8));
    x.slice_mut(ndarray::s![.., ..5]).assign(&base);
    x.column_mut(5).fill(0.1);
    let sum = &base.column(2) + &base.column(3);
    x.column_mut(6).assign(&sum);
    x.column_mut(7).assign(&base.column(1));
    let found = fit(x.view(), &y, 0.0).unwrap();
    assert_eq!(found.dependent.len(), 3);
    assert!(found.dependent.contains(&5));
    for column in &found.dependent {
        assert_eq!(found.coefficients[*column], 0.0);
    }
    let without = fit(base.view(), &y, 0.0).unwrap();
    let (all, fewer) = (found.predict(x.view()).unwrap(), without.predict(base.view()).unwrap());
    assert!(all.iter().zip(&fewer).all(|(a, b)| (a - b).abs() < 1e-9));
    // A penalty shares the effect out instead.
    assert_eq!(fit(x.view(), &y, 1.0).unwrap().dependent, [5]);
}

#[test]
fn few_rows_fit_without_errors() {
    let x = array![[1.0, 0.0, 2.0], [0.0, 1.0, 5.0]];
    let found = fit(x.view(), &[1.0, 2.0], 0.0).unwrap();
    assert_eq!((found.standard_errors, found.deviation, found.dependent.len()), (None, None, 2));
    assert!(
        (found.coefficients.iter().zip([1.0, 0.0, 2.0]).map(|(w, x)| w * x).sum::<f64>() + found.intercept - 1.0).abs()
            < 1e-12
    );
}

#[test]
fn refusals() {
    let x = array![[1.0], [2.0]];
    assert_eq!(fit(x.view(), &[1.0], 0.0), Err(InputError::Length { rows: 2, targets: 1 }.into()));
    assert!(matches!(fit(x.view(), &[1.0, f64::NAN], 0.0), Err(LinearError::Input(InputError::NonFinite { .. }))));
    assert_eq!(fit(x.view(), &[1.0, 2.0], -1.0), Err(LinearError::Penalty));
    assert_eq!(fit(x.view(), &[1.0, 2.0], f64::NAN), Err(LinearError::Penalty));
    assert_eq!(fit(Array2::zeros((0, 1)).view(), &[], 0.0), Err(InputError::NoRows.into()));
    let huge = array![[1e200], [-1e200]];
    assert_eq!(fit(huge.view(), &[1.0, 2.0], 0.0), Err(LinearError::Overflow));
    let found = fit(x.view(), &[1.0, 2.0], 0.0).unwrap();
    assert_eq!(found.predict(Array2::zeros((1, 2)).view()), Err(InputError::Width { expected: 1, found: 2 }));
}

#[test]
fn threads_do_not_matter_and_json_keeps_every_bit() {
    let (x, y) = table(5 * BLOCK_ROWS);
    let of = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(x.view(), &y, 1.0).unwrap())
    };
    let found = of(1);
    assert_eq!(found, of(3));
    assert_eq!(serde_json::from_str::<Linear>(&serde_json::to_string(&found).unwrap()).unwrap(), found);
}
