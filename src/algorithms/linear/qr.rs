//! Triangles by Householder reflections, and what least squares reads off them.

/// A column whose part that no other explains is smaller than this share of it is taken as determined by the others.
const INDEPENDENT_MIN: f64 = 1e-10;

/// The upper triangle R of a table's QR decomposition: RᵀR is the table's cross product. By columns, each as long as
/// there are columns; what is below the diagonal is zero.
#[derive(Debug, Clone, Default)]
pub(super) struct Triangle {
    columns: Vec<Vec<f64>>,
}

impl Triangle {
    /// A triangle by columns.
    pub(super) fn from_columns(columns: Vec<Vec<f64>>) -> Triangle {
        Triangle { columns }
    }

    /// Of columns of the same length.
    pub(super) fn of(mut columns: Vec<Vec<f64>>) -> Triangle {
        let width = columns.len();
        for column in &mut columns {
            column.resize(column.len().max(width), 0.0);
        }
        for place in 0..width {
            reflect(&mut columns, place);
        }
        for (place, column) in columns.iter_mut().enumerate() {
            column.truncate(width);
            column.iter_mut().skip(place + 1).for_each(|value| *value = 0.0);
        }
        Triangle { columns }
    }

    /// Of the rows of both.
    pub(super) fn join(self, below: &Triangle) -> Triangle {
        let stacked = self.columns.into_iter().zip(&below.columns).map(|(mut above, below)| {
            above.extend(below);
            above
        });
        Triangle::of(stacked.collect())
    }
}

/// Turns the part of a column from its diagonal on into a single number by a reflection, which the columns behind it
/// go through as well.
fn reflect(columns: &mut [Vec<f64>], place: usize) {
    let Some((column, behind)) = columns.get_mut(place..).and_then(<[Vec<f64>]>::split_first_mut) else { return };
    let Some(own) = column.get_mut(place..) else { return };
    let length = norm(own);
    let Some(first) = own.first_mut() else { return };
    if length == 0.0 {
        return;
    }
    // Away from the first number, so that nothing cancels.
    let diagonal = if *first > 0.0 { -length } else { length };
    *first -= diagonal;
    let mirror = own.to_vec();
    let squares: f64 = dot(&mirror, &mirror);
    own.fill(0.0);
    if let Some(first) = own.first_mut() {
        *first = diagonal;
    }
    for other in behind {
        let Some(part) = other.get_mut(place..) else { continue };
        let times = 2.0 * dot(&mirror, part) / squares;
        part.iter_mut().zip(&mirror).for_each(|(value, mirror)| *value -= times * mirror);
    }
}

/// In four interleaved sums, an order that vectorizes and is always the same.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (a_parts, b_parts) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a_parts.remainder().iter().zip(b_parts.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_parts.zip(b_parts) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let [first, second, third, fourth] = sums;
    (first + second) + (third + fourth) + rest
}

fn norm(of: &[f64]) -> f64 {
    dot(of, of).sqrt()
}

/// What the triangle of a table and its target says.
pub(super) struct Solved {
    pub(super) coefficients: Vec<f64>,
    pub(super) dependent: Vec<usize>,
    pub(super) residual_squares: f64,
    /// The standard error of each coefficient where errors have deviation one.
    pub(super) spread: Vec<f64>,
    /// Degrees of freedom that the coefficients take up: the trace of the hat matrix, without the intercept.
    pub(super) degrees: f64,
}

/// Least squares of the last column on the others, whose means were taken off. None where something is not finite.
/// `size` is the number of rows times the root of their mean weight.
pub(super) fn solve(triangle: &Triangle, size: f64, means: &[f64], l2: f64) -> Option<Solved> {
    let (target, table) = triangle.columns.split_last()?;
    let width = table.len();
    let lengths: Vec<f64> = table.iter().map(|column| norm(column)).collect();
    if !lengths.iter().chain(target).all(|value| value.is_finite()) {
        return None;
    }
    // Taking its mean off a constant column leaves rounding errors.
    let noise = |mean: &f64| 4.0 * f64::EPSILON * mean.abs() * size;
    let varies: Vec<usize> = (0..width)
        .zip(lengths.iter().zip(means))
        .filter(|(_, (length, mean))| **length > noise(mean))
        .map(|(column, _)| column)
        .collect();
    let (order, mut columns) = pivoted(table, target, &varies, &lengths, l2);
    let kept = order.len();
    let right = columns.pop()?;
    let solution = back(&columns, right.get(..kept)?)?;
    let mut coefficients = vec![0.0; width];
    for (column, value) in order.iter().zip(&solution) {
        *coefficients.get_mut(*column)? = *value;
    }
    // What is left of the target: below the table's triangle, and by it where there is a penalty.
    let mut left = target.clone();
    for (column, coefficient) in table.iter().zip(&coefficients) {
        left.iter_mut().zip(column).for_each(|(left, value)| *left -= coefficient * value);
    }
    let (mut spread, mut degrees) = (vec![0.0; width], 0.0);
    for (place, column) in order.iter().enumerate() {
        let unit: Vec<f64> = (0..kept).map(|other| f64::from(u8::from(other == place))).collect();
        // A⁻¹e by the two triangles of A, then R A⁻¹ e.
        let inverse = back(&columns, &forward(&columns, &unit)?)?;
        let mut moved = vec![0.0; target.len()];
        for (other, times) in order.iter().zip(&inverse) {
            moved.iter_mut().zip(table.get(*other)?).for_each(|(moved, value)| *moved += times * value);
        }
        *spread.get_mut(*column)? = norm(&moved);
        degrees += dot(&moved, table.get(*column)?);
    }
    let mut dependent: Vec<usize> = (0..width).filter(|column| !order.contains(column)).collect();
    dependent.sort_unstable();
    Some(Solved { coefficients, dependent, residual_squares: dot(&left, &left), spread, degrees })
}

/// The triangle of the columns that say something of their own, the most telling first, with the target behind them;
/// and which columns these are.
fn pivoted(
    table: &[Vec<f64>],
    target: &[f64],
    varies: &[usize],
    lengths: &[f64],
    l2: f64,
) -> (Vec<usize>, Vec<Vec<f64>>) {
    let penalty = l2.sqrt();
    let of = |place: usize, column: usize| {
        let mut values = table.get(column).cloned().unwrap_or_default();
        if penalty > 0.0 {
            values.extend((0..varies.len()).map(|other| if other == place { penalty } else { 0.0 }));
        }
        values
    };
    let mut order: Vec<usize> = varies.to_vec();
    let mut columns: Vec<Vec<f64>> = varies.iter().enumerate().map(|(place, column)| of(place, *column)).collect();
    let mut right = target.to_vec();
    right.resize(target.len() + if penalty > 0.0 { varies.len() } else { 0 }, 0.0);
    columns.push(right);
    let candidates = order.len();
    let mut kept = 0;
    while kept < candidates {
        // How much of a column those before it leave, as a share of it.
        let share = |place: usize| -> f64 {
            let own = columns.get(place).and_then(|column| column.get(kept..)).map_or(0.0, norm);
            let length = order.get(place).and_then(|column| lengths.get(*column)).copied().unwrap_or(0.0);
            own / (length * length + l2).sqrt()
        };
        let shares: Vec<f64> = (kept..candidates).map(share).collect();
        let mut best = (kept, 0.0);
        for (place, share) in (kept..candidates).zip(shares) {
            if share > best.1 {
                best = (place, share);
            }
        }
        if best.1 <= INDEPENDENT_MIN {
            break;
        }
        order.swap(kept, best.0);
        columns.swap(kept, best.0);
        reflect(&mut columns, kept);
        kept += 1;
    }
    let right = columns.pop().unwrap_or_default();
    order.truncate(kept);
    columns.truncate(kept);
    columns.push(right);
    (order, columns)
}

/// Solves R x = b.
fn back(columns: &[Vec<f64>], b: &[f64]) -> Option<Vec<f64>> {
    let mut x = b.to_vec();
    for place in (0..b.len()).rev() {
        let column = columns.get(place)?;
        let value = x.get(place)? / column.get(place)?;
        *x.get_mut(place)? = value;
        x.iter_mut().zip(column).take(place).for_each(|(x, above)| *x -= value * above);
    }
    Some(x)
}

/// Solves Rᵀ x = b.
fn forward(columns: &[Vec<f64>], b: &[f64]) -> Option<Vec<f64>> {
    let mut x: Vec<f64> = Vec::with_capacity(b.len());
    for (place, b) in b.iter().enumerate() {
        let column = columns.get(place)?;
        let known: f64 = x.iter().zip(column).map(|(x, value)| x * value).sum();
        x.push((b - known) / column.get(place)?);
    }
    Some(x)
}
