use super::*;
use proptest::prelude::*;

/// scikit-learn 1.9.1: mean_absolute_error, root_mean_squared_error and r2_score.
#[test]
fn agrees_with_scikit_learn() {
    let (truth, predicted) = ([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]);
    assert_eq!(mae(&truth, &predicted, &[1; 4]), Some(0.5));
    assert!((rmse(&truth, &predicted, &[1; 4]).unwrap() - 0.612_372_435_695_794_5).abs() < 1e-15);
    assert!((r2(&truth, &predicted, &[1; 4]).unwrap() - 0.948_608_137_044_967_9).abs() < 1e-15);
}

#[test]
fn what_does_not_exist() {
    assert_eq!(r2(&[2.0, 2.0], &[1.0, 3.0], &[1, 1]), None);
    assert_eq!(r2(&[0.1; 3], &[0.0; 3], &[1; 3]), None, "their mean is not 0.1 to the last bit");
    assert_eq!(r2(&[2.0, 5.0], &[1.0, 3.0], &[2, 0]), None, "one row was drawn");
    assert_eq!((rmse(&[1.0], &[1.0], &[0]), mae(&[], &[], &[])), (None, None));
    assert_eq!(check(&[], &[]), Err(MetricError::Empty));
    let lengths = MetricError::Length { truth: 1, predicted: 2 };
    assert_eq!(check(&[1.0], &[1.0, 2.0]), Err(lengths));
    assert_eq!(check(&[1.0, f64::NAN], &[1.0, 2.0]), Err(MetricError::Invalid(1)));
}

proptest! {
    #[test]
    fn the_mean_has_r2_zero_and_rmse_is_at_least_mae(
        truth in proptest::collection::vec(-1e3..1e3f64, 2..50),
    ) {
        let (mean, once) = (truth.iter().sum::<f64>() / truth.len() as f64, vec![1; truth.len()]);
        let flat = vec![mean; truth.len()];
        prop_assert!(r2(&truth, &flat, &once).is_none_or(|r2| r2.abs() < 1e-9));
        prop_assert!(rmse(&truth, &flat, &once).unwrap() >= mae(&truth, &flat, &once).unwrap() - 1e-9);
    }

    /// What was drawn so often is the same as what stands there so often.
    #[test]
    fn rows_count_as_often_as_they_were_drawn(
        rows in proptest::collection::vec((-1e3..1e3f64, -1e3..1e3f64, 0..4_u32), 2..30),
    ) {
        let (truth, predicted): (Vec<f64>, Vec<f64>) = rows.iter().map(|row| (row.0, row.1)).unzip();
        let times: Vec<u32> = rows.iter().map(|row| row.2).collect();
        let drawn = rows.iter().flat_map(|row| vec![(row.0, row.1); row.2 as usize]);
        let (same_truth, same): (Vec<f64>, Vec<f64>) = drawn.unzip();
        for of in [rmse, mae, r2] {
            let (found, expected) =
                (of(&truth, &predicted, &times), of(&same_truth, &same, &vec![1; same.len()]));
            prop_assert_eq!(found.is_some(), expected.is_some());
            let size = expected.unwrap_or(1.0).abs().max(1.0);
            prop_assert!((found.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-6 * size);
        }
    }
}

fn assert_near(found: Option<f64>, expected: f64) {
    assert!(found.is_some_and(|found| (found - expected).abs() < 1e-12), "{found:?} is not {expected}");
}

/// 40 rows with ties, two of them with truth zero, and how often they are drawn.
fn forty() -> (Vec<f64>, Vec<f64>, Vec<u32>) {
    let truth = (0..40).map(|i| f64::from((i * 17) % 23) - 5.0).collect();
    let predicted = (0..40).map(|i| f64::from((i * 11) % 19) * 1.1 - 3.0).collect();
    (truth, predicted, (0..40).map(|i| i % 3).collect())
}

/// scikit-learn 1.9.1: mean_absolute_percentage_error without the rows of truth zero, r2_score;
/// scipy: spearmanr. Then the same of rows repeated 0 to 2 times.
#[test]
fn ranks_and_percentages_agree_with_scikit_learn_and_scipy() {
    let (truth, predicted, times) = forty();
    let once = [1; 40];
    assert_eq!(zeros(&truth), 2);
    assert_near(mape(&truth, &predicted, &once), 1.459_016_843_579_537_4);
    assert_near(r2(&truth, &predicted, &once), -0.100_830_607_972_194_79);
    assert_near(spearman(&truth, &predicted, &once), 0.394_679_979_018_682_85);
    assert_near(mape(&truth, &predicted, &times), 1.335_487_775_781_893_5);
    assert_near(spearman(&truth, &predicted, &times), 0.423_697_856_999_411_76);
}

#[test]
fn ranks_and_percentages_that_do_not_exist() {
    assert_eq!(mape(&[0.0, -0.0], &[1.0, 2.0], &[1, 1]), None);
    assert_eq!(mape(&[0.0, 2.0], &[1.0, 3.0], &[5, 1]), Some(0.5));
    assert_eq!(spearman(&[1.0, 2.0], &[3.0, 3.0], &[1, 1]), None);
    assert_eq!(spearman(&[1.0, 2.0], &[3.0, 4.0], &[2, 0]), None, "one row was drawn");
    assert_eq!(spearman(&[0.0, -0.0], &[3.0, 4.0], &[1, 1]), None);
    assert_eq!(spearman(&[], &[], &[]), None);
    assert_eq!(Spearman::new(&[f64::NAN], &[1.0]).unwrap_err(), MetricError::Invalid(1));
    assert!(slices(&[], &[], 10).is_empty() && slices(&[1.0], &[1.0], 0).is_empty());
}

#[test]
fn slices_by_hand() {
    let truth = [10.0, 8.0, 1.0, 2.0, 6.0, 0.0, 0.0];
    let predicted = [9.0, 8.0, 5.0, 5.0, 5.0, 2.0, 1.0];
    let found = slices(&truth, &predicted, 3);
    let sizes: Vec<usize> = found.iter().map(|slice| slice.rows).collect();
    assert_eq!(sizes, [3, 2, 2]);
    // The three rows predicted 5 have a mean of 3; one of them is in the first slice.
    assert_near(Some(found[0].mean_actual), 7.0);
    assert_near(Some(found[0].mean_predicted), 22.0 / 3.0);
    assert_eq!((found[1].mean_actual, found[2].mean_actual), (3.0, 0.0));
    assert_eq!(slices(&truth, &predicted, 20).len(), 7);
}

proptest! {
    /// What orders alike is 1, the reverse is -1, and a rising function changes nothing.
    #[test]
    fn spearman_looks_at_the_order_only(
        rows in proptest::collection::vec((-50..50_i32, -50..50_i32, 1..4_u32), 3..60),
    ) {
        let truth: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
        let predicted: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
        let times: Vec<u32> = rows.iter().map(|row| row.2).collect();
        let risen: Vec<f64> = predicted.iter().map(|p| (p / 10.0).exp() - 3.0).collect();
        prop_assert_eq!(spearman(&truth, &predicted, &times), spearman(&truth, &risen, &times));
        if let Some(same) = spearman(&truth, &truth, &times) {
            prop_assert!((same - 1.0).abs() < 1e-12);
            let falling: Vec<f64> = truth.iter().map(|t| -t).collect();
            prop_assert!((spearman(&truth, &falling, &times).unwrap() + 1.0).abs() < 1e-12);
        }
        let parts = slices(&truth, &predicted, 4);
        prop_assert!(parts.windows(2).all(|pair| pair[0].mean_predicted >= pair[1].mean_predicted));
        let total: f64 = parts.iter().map(|part| part.mean_actual * part.rows as f64).sum();
        prop_assert!((total - truth.iter().sum::<f64>()).abs() < 1e-6);
    }
}
