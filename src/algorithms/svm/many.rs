//! More than two classes over machines for two.

use super::{SvmError, check_pairs, kernelized, linear};
use crate::algorithms::input::InputError;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, Axis};
use serde::{Deserialize, Serialize};

/// A machine for two classes.
pub trait Decide {
    /// Of every row of `x` how far it is on the positive side. Errors on another width than the machine's and on NaN or
    /// infinite values.
    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Vec<f64>, InputError>;
}

impl Decide for kernelized::Machine {
    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Vec<f64>, InputError> {
        self.decision(x)
    }
}

impl Decide for linear::Plane {
    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Vec<f64>, InputError> {
        self.decision(x)
    }
}

/// A machine for every pair of classes, fitted on their rows only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OneAgainstOne<M> {
    /// Ascending.
    pub classes: Vec<u32>,
    /// In the order of [`pairs`]; the lower class is the positive one.
    pub machines: Vec<M>,
}

/// A machine for every class against all others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OneAgainstRest<M> {
    /// Ascending.
    pub classes: Vec<u32>,
    /// One a class, which is the positive one.
    pub machines: Vec<M>,
}

/// The pairs of positions below `classes`: (0, 1), (0, 2) …, (1, 2) ….
pub fn pairs(classes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..classes).flat_map(move |lower| (lower + 1..classes).map(move |upper| (lower, upper)))
}

/// Fits a machine for every pair of classes. `train` gets the rows of two classes, which of them are of the lower one,
/// and their places in `x` (for weights). Rows that weigh nothing must be left out by the caller where a class has no
/// others. Errors where there is one class only, and with what `train` reports.
pub fn one_against_one<M, E: From<SvmError>>(
    x: ArrayView2<'_, f64>,
    labels: &[u32],
    mut train: impl FnMut(ArrayView2<'_, f64>, &[bool], &[usize]) -> Result<M, E>,
) -> Result<OneAgainstOne<M>, E> {
    let classes = distinct(x, labels)?;
    let mut rows_of = vec![Vec::new(); classes.len()];
    for (row, label) in labels.iter().enumerate() {
        let class = classes.binary_search(label).ok().and_then(|class| rows_of.get_mut(class));
        class.into_iter().for_each(|rows| rows.push(row));
    }
    let mut machines = Vec::new();
    for (lower, upper) in pairs(classes.len()) {
        let of = |class: usize| rows_of.get(class).map_or(&[][..], Vec::as_slice);
        let mut rows = [of(lower), of(upper)].concat();
        // In the order of the table, as a machine for these two classes alone would see them.
        rows.sort_unstable();
        let positive: Vec<bool> = rows.iter().map(|row| labels.get(*row) == classes.get(lower)).collect();
        machines.push(train(x.select(Axis(0), &rows).view(), &positive, &rows)?);
    }
    Ok(OneAgainstOne { classes, machines })
}

/// Fits a machine for every class against all others; as [`one_against_one`].
pub fn one_against_rest<M, E: From<SvmError>>(
    x: ArrayView2<'_, f64>,
    labels: &[u32],
    mut train: impl FnMut(ArrayView2<'_, f64>, &[bool], &[usize]) -> Result<M, E>,
) -> Result<OneAgainstRest<M>, E> {
    let classes = distinct(x, labels)?;
    let rows: Vec<usize> = (0..labels.len()).collect();
    let mut machines = Vec::new();
    for class in &classes {
        let positive: Vec<bool> = labels.iter().map(|label| label == class).collect();
        machines.push(train(x, &positive, &rows)?);
    }
    Ok(OneAgainstRest { classes, machines })
}

/// The classes there are, ascending.
fn distinct(x: ArrayView2<'_, f64>, labels: &[u32]) -> Result<Vec<u32>, SvmError> {
    check_pairs(x, labels.len())?;
    let mut classes = labels.to_vec();
    classes.sort_unstable();
    classes.dedup();
    if classes.len() < 2 { Err(SvmError::OneClass { rows: labels.len() }) } else { Ok(classes) }
}

/// The decisions of several machines, one a column.
fn decisions<M: Decide>(machines: &[M], x: ArrayView2<'_, f64>) -> Result<Array2<f64>, InputError> {
    let mut all = Array2::zeros((x.nrows(), machines.len()));
    for (machine, mut column) in machines.iter().zip(all.columns_mut()) {
        let found = machine.decision(x)?;
        column.iter_mut().zip(found).for_each(|(slot, decision)| *slot = decision);
    }
    Ok(all)
}

impl<M: Decide> OneAgainstOne<M> {
    /// Rows × pairs, above zero where the lower class is likelier.
    pub fn decisions(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, InputError> {
        decisions(&self.machines, x)
    }

    /// Rows × classes: the votes of each class and, by less than a vote, how clear they were. Errors as
    /// [`Decide::decision`].
    pub fn scores(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, InputError> {
        let mut scores = Array2::zeros((x.nrows(), self.classes.len()));
        for (decisions, mut scores) in self.decisions(x)?.rows().into_iter().zip(scores.rows_mut()) {
            count_votes(decisions, scores.view_mut());
        }
        Ok(scores)
    }
}

/// Scores of classes, which are zero, by the decisions of the pairs of a row.
fn count_votes(decisions: ArrayView1<'_, f64>, mut scores: ArrayViewMut1<'_, f64>) {
    let mut sums = Array1::<f64>::zeros(scores.len());
    for ((lower, upper), decision) in pairs(scores.len()).zip(decisions) {
        let winner = if *decision >= 0.0 { lower } else { upper };
        scores[winner] += 1.0;
        sums[lower] += decision;
        sums[upper] -= decision;
    }
    // At most a third to either side, so that no vote is outweighed.
    scores += &sums.mapv(|sum| sum / (3.0 * (sum.abs() + 1.0)));
}

impl<M: Decide> OneAgainstRest<M> {
    /// Rows × classes.
    pub fn decisions(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, InputError> {
        decisions(&self.machines, x)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kernel;
    use super::super::kernelized::tests::table;
    use super::*;
    use ndarray::array;

    /// 80 rows of four classes, not in their order.
    fn labels(x: &Array2<f64>) -> Vec<u32> {
        x.rows()
            .into_iter()
            .map(|x| [7, 2, 9, 4][usize::from(x[0] > 0.4) * 2 + usize::from(x[1] * x[1] > 0.5)])
            .collect()
    }

    fn rbf(x: ArrayView2<'_, f64>, positive: &[bool], _: &[usize]) -> Result<kernelized::Machine, SvmError> {
        let params = kernelized::Params { tolerance: 1e-8, ..kernelized::Params::new(Kernel::Rbf { gamma: 0.5 }) };
        kernelized::classify(x, positive, None, &params, &|| true)
    }

    #[test]
    fn agrees_with_scikit_learn() {
        let (x, _, _, _) = table();
        let labels = labels(&x);
        let one = one_against_one(x.view(), &labels, rbf).unwrap();
        assert_eq!((&one.classes[..], one.machines.len()), (&[2, 4, 7, 9][..], 6));
        let found = one.decisions(x.view()).unwrap();
        for (row, expected) in ONE.iter().enumerate() {
            assert!(found.row(row).iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-5), "{}", found.row(row));
        }
        let rest = one_against_rest(x.view(), &labels, rbf).unwrap();
        let found = rest.decisions(x.view()).unwrap();
        for (row, expected) in REST.iter().enumerate() {
            assert!(found.row(row).iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-5), "{}", found.row(row));
        }
        let right = |scores: Array2<f64>| {
            let found = scores.rows().into_iter().map(|row| one.classes[greatest(row)]).collect::<Vec<_>>();
            found.iter().zip(&labels).filter(|(f, l)| f == l).count()
        };
        assert_eq!((right(one.scores(x.view()).unwrap()), right(found)), RIGHT);
    }

    /// scikit-learn 1.9.1, SVC(gamma=0.5, tol=1e-10, decision_function_shape="ovo"): decision_function of the first rows.
    const ONE: [[f64; 6]; 3] = [
        [
            1.3265315742957324,
            -0.9675867990283502,
            1.085851732590786,
            -1.1775763508247026,
            0.4864308961821062,
            1.1232419986676432,
        ],
        [
            -0.9999999964429218,
            0.6760146203441091,
            -1.145054740799608,
            0.999999980634654,
            -0.06964504450702724,
            -1.1205735738930476,
        ],
        [
            0.9999999681674125,
            1.409752722855671,
            1.238521404089796,
            0.6525162032047174,
            1.1873304524317554,
            -0.09730433023412093,
        ],
    ];

    /// The same in OneVsRestClassifier.
    const REST: [[f64; 4]; 3] = [
        [-1.0000000270064298, -1.1363340746841346, 1.0000000413532564, -1.387847565787353],
        [-1.0546168564235838, -0.3762868391072996, -1.5931488155555138, 0.019952554458699145],
        [0.9999999801311659, -0.9999999626917959, -1.659557984614617, -1.5289792053016058],
    ];

    /// Rows of which each predicts the class.
    const RIGHT: (usize, usize) = (76, 74);

    /// Of equal ones the first.
    fn greatest(row: ArrayView1<'_, f64>) -> usize {
        (0..row.len()).rev().max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap()
    }

    #[test]
    fn ties_go_to_the_greater_sum_and_then_to_the_lower_class() {
        let of = |decisions: [f64; 3]| {
            let mut scores = Array1::zeros(3);
            count_votes(ArrayView1::from(&decisions), scores.view_mut());
            scores
        };
        // Every class has one vote.
        assert_eq!(of([1.0, -1.0, 1.0]), array![1.0, 1.0, 1.0]);
        assert_eq!(greatest(of([1.0, -2.0, 1.0]).view()), 2);
        assert_eq!(greatest(of([1.0, -2.0, 4.0]).view()), 1);
        assert_eq!(greatest(of([0.0, 0.0, 0.0]).view()), 0);
        assert_eq!(greatest(of([-1.0, 5.0, 0.1]).view()), 1);
        // A second vote outweighs any clearness.
        assert_eq!(greatest(of([1e-9, 1e-9, 1e9]).view()), 0);
        assert_eq!(greatest(array![1.0, 3.0, 3.0].view()), 1);
    }

    #[test]
    fn planes_work_too_and_one_class_is_refused() {
        let x = array![[0.0], [1.0], [5.0], [6.0], [10.0], [11.0]];
        let labels = [3, 3, 8, 8, 5, 5];
        let plane = |x: ArrayView2<'_, f64>, positive: &[bool], rows: &[usize]| {
            let weights: Vec<f64> = rows.iter().map(|row| [1.0, 2.0][row % 2]).collect();
            linear::classify(x, positive, Some(&weights), &linear::Params::default(), &|| true)
        };
        let one = one_against_one(x.view(), &labels, plane).unwrap();
        let scores = one.scores(x.view()).unwrap();
        let found: Vec<u32> = scores.rows().into_iter().map(|row| one.classes[greatest(row)]).collect();
        assert_eq!(found, labels);
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<OneAgainstOne<linear::Plane>>(&text).unwrap(), one);
        assert_eq!(one_against_rest(x.view(), &[1; 6], plane).unwrap_err(), SvmError::OneClass { rows: 6 });
        let short = InputError::Length { rows: 6, targets: 1 };
        assert_eq!(one_against_one(x.view(), &[1], plane).unwrap_err(), short.into());
        assert!(one.scores(Array2::zeros((1, 3)).view()).is_err());
    }
}
