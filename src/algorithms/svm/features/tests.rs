use super::super::kernelized::tests::table;
use super::super::{kernelized, linear};
use super::*;
use crate::algorithms::tiles::LANES;
use ndarray::array;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

fn rng() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(4)
}

fn kernel_of(a: ndarray::ArrayView1<'_, f64>, b: ndarray::ArrayView1<'_, f64>, kernel: Kernel) -> f64 {
    match kernel {
        Kernel::Rbf { gamma } => (-gamma * (&a - &b).mapv(|d| d * d).sum()).exp(),
        Kernel::Polynomial { gamma, degree, coef0 } => (gamma * a.dot(&b) + coef0).powi(degree as i32),
        _ => a.dot(&b),
    }
}

#[test]
fn with_all_rows_as_landmarks_products_are_the_kernel() {
    let (x, ..) = table();
    // Twenty rows are there twice.
    let x = ndarray::concatenate![Axis(0), x, x.slice(ndarray::s![..20, ..])];
    let kernels = [
        (Kernel::Rbf { gamma: 0.5 }, 80),
        (Kernel::Linear, 4),
        // As many as there are monomials of three varying columns up to the second degree.
        (Kernel::Polynomial { gamma: 1.0, degree: 2, coef0: 1.0 }, 10),
    ];
    for (kernel, features) in kernels {
        let map = nystroem(x.view(), kernel, 100, &mut rng()).unwrap();
        assert!(map.features() <= features, "{}", map.features());
        let mapped = map.transform(x.view()).unwrap();
        for i in 0..100 {
            for j in 0..100 {
                let expected = kernel_of(x.row(i), x.row(j), kernel);
                assert!((mapped.row(i).dot(&mapped.row(j)) - expected).abs() < 1e-7 * expected.abs().max(1.0));
            }
        }
    }
}

/// By its definition, with some rows as landmarks: k(x)ᵀ K⁻¹ k(z).
#[test]
fn products_are_those_of_the_definition() {
    let (x, ..) = table();
    let kernel = Kernel::Rbf { gamma: 0.3 };
    let map = nystroem(x.view(), kernel, 12, &mut rng()).unwrap();
    let Map::Nystroem { landmarks, .. } = &map else { panic!("another map") };
    assert_eq!((landmarks.len(), map.columns()), (12, 4));
    let points = Array2::from_shape_fn((12, 4), |(i, j)| landmarks[i][j]);
    let matrix = Array2::from_shape_fn((12, 12), |(i, j)| kernel_of(points.row(i), points.row(j), kernel));
    let mapped = map.transform(x.view()).unwrap();
    for i in 0..80 {
        let k: Vec<ndarray::Array1<f64>> = [i, (i * 7 + 1) % 80]
            .map(|row| points.rows().into_iter().map(|p| kernel_of(p, x.row(row), kernel)).collect())
            .into();
        let solved = crate::algorithms::linalg::solve_positive_definite(&matrix, &k[1]).unwrap();
        let found = mapped.row(i).dot(&mapped.row((i * 7 + 1) % 80));
        assert!((found - k[0].dot(&solved)).abs() < 1e-9);
    }
}

#[test]
fn fourier_features_come_near_the_kernel() {
    let (x, ..) = table();
    let map = fourier(4, 0.5, 4000, &mut rng()).unwrap();
    let mapped = map.transform(x.view()).unwrap();
    for i in 0..80 {
        let expected = kernel_of(x.row(0), x.row(i), Kernel::Rbf { gamma: 0.5 });
        // Five deviations of the mean of 4000 products.
        assert!((mapped.row(0).dot(&mapped.row(i)) - expected).abs() < 5.0 / 4000.0_f64.sqrt());
    }
}

proptest! {
    #[test]
    fn cosines_are_those_of_the_standard_library(x in -1e6_f64..1e6, far in any::<bool>()) {
        let mut lanes = [x; LANES];
        lanes[5] = if far { 1e300 } else { 0.0 };
        loops::cosines(&mut lanes, 0.25, 2.0);
        prop_assert!((lanes[0] - 2.0 * (x + 0.25).cos()).abs() < 4e-15);
        prop_assert!(lanes[5].abs() <= 2.0);
    }
}

/// A plane on mapped rows does what the kernel's machine does.
#[test]
fn planes_on_features_part_what_a_plane_cannot() {
    let mut rng = rng();
    let x = Array2::from_shape_fn((600, 2), |_| rng.gen_range(-1.0..1.0));
    let y: Vec<bool> = x.rows().into_iter().map(|x| x[0] * x[1] > 0.0).collect();
    let kernel = Kernel::Rbf { gamma: 2.0 };
    let right = |decisions: Vec<f64>| decisions.iter().zip(&y).filter(|(f, y)| (**f > 0.0) == **y).count();
    let params = kernelized::Params { c: 10.0, ..kernelized::Params::new(kernel) };
    let machine = kernelized::classify(x.view(), &y, None, &params, &|| true).unwrap();
    assert!(right(machine.decision(x.view()).unwrap()) > 580);
    for map in [nystroem(x.view(), kernel, 60, &mut rng).unwrap(), fourier(2, 2.0, 200, &mut rng).unwrap()] {
        let mapped = map.transform(x.view()).unwrap();
        let params = linear::Params { c: 10.0, ..linear::Params::default() };
        let plane = linear::classify(mapped.view(), &y, None, &params, &|| true).unwrap();
        assert!(plane.converged && right(plane.decision(mapped.view()).unwrap()) > 580);
    }
}

#[test]
fn threads_do_not_matter_and_json_keeps_every_bit() {
    let mut rng = rng();
    let x = Array2::from_shape_fn((700, 3), |_| rng.gen_range(-1.0..1.0));
    let of = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let map = nystroem(x.view(), Kernel::Rbf { gamma: 3.0 }, 200, &mut self::rng()).unwrap();
            let mapped = map.transform(x.view()).unwrap();
            (map, mapped)
        })
    };
    let found = of(1);
    assert!(found == of(3));
    for map in [found.0, fourier(3, 1.0, 5, &mut rng).unwrap()] {
        assert_eq!(serde_json::from_str::<Map>(&serde_json::to_string(&map).unwrap()).unwrap(), map);
    }
}

#[test]
fn refusals() {
    let x = array![[1.0, 2.0], [2.0, 1.0], [-3.0, 0.5]];
    let mut rng = rng();
    let sigmoid = Kernel::Sigmoid { gamma: 1.0, coef0: -3.0 };
    assert_eq!(nystroem(x.view(), sigmoid, 3, &mut rng), Err(SvmError::NotPositive));
    assert_eq!(nystroem(Array2::zeros((3, 2)).view(), Kernel::Linear, 3, &mut rng), Err(SvmError::NotPositive));
    assert_eq!(nystroem(array![[1e200]].view(), Kernel::Linear, 3, &mut rng), Err(SvmError::Overflow));
    for features in [0, FEATURES_MAX + 1] {
        assert_eq!(nystroem(x.view(), Kernel::Linear, features, &mut rng), Err(SvmError::Features));
        assert_eq!(fourier(2, 1.0, features, &mut rng), Err(SvmError::Features));
    }
    assert_eq!(fourier(2, f64::NAN, 3, &mut rng), Err(SvmError::Kernel));
    assert_eq!(fourier(0, 1.0, 3, &mut rng), Err(InputError::NoColumns.into()));
    assert!(nystroem(array![[f64::NAN]].view(), Kernel::Linear, 3, &mut rng).is_err());
    let map = nystroem(x.view(), Kernel::Linear, 3, &mut rng).unwrap();
    assert_eq!(map.transform(Array2::zeros((0, 2)).view()).unwrap().nrows(), 0);
    assert!(map.transform(Array2::zeros((1, 3)).view()).is_err());
    assert!(map.transform(array![[1.0, f64::NAN]].view()).is_err());
}
