//! Items as vectors.

use super::numbers::{MOST_STEPS, encode};
use super::{Shape, Similarity};
use crate::algorithms::sparse::Csr;
use ndarray::Array2;

/// One kind of description of all items.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// What it counts against the other blocks: 0, which leaves it out, to [`MOST_WEIGHT`]; 1 is usual.
    pub weight: f64,
    /// What it says, one row an item.
    pub content: Content<'a>,
}

/// What a block says. A row of zeros, or without finite values, describes nothing.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// Texts as TF-IDF, or categories as ones: items × terms.
    Sparse(&'a Csr),
    /// Prices, sizes and the like: items × numbers, as they are. Each is spread over knots with
    /// `steps` steps between them (1 to [`MOST_STEPS`]), so that close numbers are alike: a step is
    /// that share of the items.
    Numbers {
        /// NaN and infinite values are absent.
        values: &'a Array2<f64>,
        /// Steps between the least and the greatest value, each with as many items.
        steps: usize,
    },
    /// Embeddings: items × dimensions. A row with NaN or infinity is absent.
    Vectors(&'a Array2<f32>),
}

/// The most that a block may weigh.
pub const MOST_WEIGHT: f64 = 1e6;

/// Why blocks describe no items.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ContentError {
    /// There is nothing to describe them by.
    #[error("describe items without a block")]
    NoBlocks,
    /// Blocks of several numbers of items.
    #[error("describe {items} items: block {block} has {found}")]
    Items {
        /// Which block, from 0.
        block: usize,
        /// Its rows.
        found: usize,
        /// The rows of the first block.
        items: usize,
    },
    /// A negative, too large or not finite weight.
    #[error("weigh block {block} with {weight}: it is not between 0 and {MOST_WEIGHT}")]
    Weight {
        /// Which block, from 0.
        block: usize,
        /// Its weight.
        weight: f64,
    },
    /// No steps between knots, or too many.
    #[error("spread the numbers of block {block} over {steps} steps: it is not between 1 and {MOST_STEPS}")]
    Steps {
        /// Which block, from 0.
        block: usize,
        /// The steps asked for.
        steps: usize,
    },
    /// More items, or more columns of all blocks, than 32 bits can count.
    #[error("index {0} items or columns: the limit is 4,294,967,295")]
    TooLarge(usize),
}

/// Items as vectors, in single precision; sums over them are in double.
#[derive(Debug, Clone, PartialEq)]
pub struct Items {
    /// Where each item's sparse entries start, and behind the last where they end.
    starts: Vec<usize>,
    /// Columns ascend within an item.
    terms: Vec<u32>,
    values: Vec<f32>,
    /// Columns of all sparse blocks.
    pub(super) sparse_columns: usize,
    /// Items × dimensions of all vectors, row after row.
    dense: Vec<f32>,
    pub(super) dimensions: usize,
    pub(super) shapes: Vec<Shape>,
    /// Whether no value is negative.
    pub(super) is_positive: bool,
}

impl Items {
    /// Puts blocks side by side. Each row of each block is divided by its Euclidean length and
    /// multiplied by √weight; memory is 8 bytes a sparse entry (two a number) and 4 a dimension.
    /// Errors on blocks of different numbers of items, and on weights or steps that make no sense.
    pub fn new(blocks: &[Block<'_>]) -> Result<Self, ContentError> {
        let items = blocks.first().ok_or(ContentError::NoBlocks)?.content.items();
        for (block, description) in blocks.iter().enumerate() {
            description.check(block, items)?;
        }
        let used: Vec<&Block<'_>> = blocks.iter().filter(|block| block.weight > 0.0).collect();
        let (mut sparse, mut vectors) = (Vec::new(), Vec::new());
        let mut sparse_columns = 0;
        for block in used {
            let scale = block.weight.sqrt();
            let (rows, columns) = match block.content {
                Content::Vectors(values) => {
                    vectors.push((values, scale));
                    continue;
                }
                Content::Sparse(rows) => (Rows::Given(rows), rows.columns()),
                Content::Numbers { values, steps } => {
                    let (rows, columns) = encode(values.view(), steps);
                    (Rows::Made(rows), columns)
                }
            };
            sparse.push((rows, scale, sparse_columns));
            sparse_columns += columns;
        }
        let dimensions: usize = vectors.iter().map(|(values, _)| values.ncols()).sum();
        if let Some(&size) = [items, sparse_columns + dimensions].iter().find(|&&size| size > u32::MAX as usize) {
            return Err(ContentError::TooLarge(size));
        }
        let mut described = Self::without_content(items, sparse_columns, dimensions);
        for item in 0..items {
            sparse.iter().for_each(|(rows, scale, offset)| described.push_sparse(rows.row(item), *scale, *offset));
            described.starts.push(described.terms.len());
            vectors.iter().for_each(|(values, scale)| described.push_dense(values.row(item), *scale));
        }
        described.shapes = (0..items).map(|item| described.shape(item)).collect();
        described.is_positive = described.values.iter().chain(&described.dense).all(|value| *value >= 0.0);
        Ok(described)
    }

    fn without_content(items: usize, sparse_columns: usize, dimensions: usize) -> Self {
        Self {
            starts: vec![0],
            terms: Vec::new(),
            values: Vec::new(),
            sparse_columns,
            dense: Vec::with_capacity(items * dimensions),
            dimensions,
            shapes: Vec::new(),
            is_positive: true,
        }
    }

    fn push_sparse(&mut self, row: impl Iterator<Item = (u32, f64)> + Clone, scale: f64, offset: usize) {
        let Some(by) = scaling(row.clone().map(|entry| entry.1), scale) else { return };
        for (column, value) in row {
            let value = by(value);
            if value != 0.0 {
                self.terms.push(offset as u32 + column);
                self.values.push(value);
            }
        }
    }

    fn push_dense(&mut self, row: ndarray::ArrayView1<'_, f32>, scale: f64) {
        match scaling(row.iter().map(|&value| f64::from(value)), scale) {
            Some(by) => self.dense.extend(row.iter().map(|&value| by(f64::from(value)))),
            None => self.dense.extend(std::iter::repeat_n(0.0, row.len())),
        }
    }

    fn shape(&self, item: usize) -> Shape {
        let values = || self.row(item).1.iter().chain(self.vector(item)).map(|&value| f64::from(value));
        Shape { square: values().map(|v| v * v).sum(), sum: values().sum() }
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.shapes.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.shapes.is_empty()
    }

    /// Columns of all blocks; a number has one a knot.
    pub fn columns(&self) -> usize {
        self.sparse_columns + self.dimensions
    }

    /// Numbers stored: sparse entries and dimensions of vectors.
    pub fn entries(&self) -> usize {
        self.values.len() + self.dense.len()
    }

    /// Whether any block says something of an item; of one that does not exist none does.
    pub fn is_described(&self, item: usize) -> bool {
        self.shapes.get(item).is_some_and(|shape| shape.square > 0.0)
    }

    /// How alike two items are; none when either is not described or the similarity is not defined.
    pub fn similar(&self, similarity: Similarity, i: usize, j: usize) -> Option<f64> {
        let both = self.is_described(i) && self.is_described(j);
        both.then(|| similarity.of(self.product(i, j), self.shapes[i], self.shapes[j], self.columns())).flatten()
    }

    /// The most numbers that any one product sums.
    pub(super) fn longest(&self) -> usize {
        let longest = self.starts.windows(2).map(|pair| pair[1] - pair[0]).max();
        longest.unwrap_or(0) + self.dimensions
    }

    /// Sparse columns and values of an item that exists.
    #[inline(always)]
    pub(super) fn row(&self, item: usize) -> (&[u32], &[f32]) {
        let range = self.starts[item]..self.starts[item + 1];
        (&self.terms[range.clone()], &self.values[range])
    }

    /// The dense part of an item that exists.
    #[inline(always)]
    pub(super) fn vector(&self, item: usize) -> &[f32] {
        &self.dense[item * self.dimensions..(item + 1) * self.dimensions]
    }

    /// vᵢ · vⱼ, of items that exist.
    pub(super) fn product(&self, i: usize, j: usize) -> f64 {
        let (terms, values) = self.row(i);
        let own = terms.iter().copied().zip(values.iter().map(|&v| f64::from(v)));
        let dense = self.vector(i).iter().map(|&v| f64::from(v));
        self.product_with(j, own, dense)
    }

    /// The product of an item's vector with another, of which the columns ascend.
    pub(super) fn product_with(
        &self,
        item: usize,
        sparse: impl Iterator<Item = (u32, f64)>,
        dense: impl Iterator<Item = f64>,
    ) -> f64 {
        let (terms, values) = self.row(item);
        let mut sum = 0.0;
        let mut next = 0;
        for (term, value) in sparse {
            next += terms[next..].iter().take_while(|&&own| own < term).count();
            match terms.get(next) {
                None => break,
                Some(&own) if own == term => sum += f64::from(values[next]) * value,
                Some(_) => {}
            }
        }
        self.vector(item).iter().zip(dense).fold(sum, |sum, (&own, value)| sum + f64::from(own) * value)
    }
}

impl Block<'_> {
    fn check(&self, block: usize, items: usize) -> Result<(), ContentError> {
        let found = self.content.items();
        if found != items {
            return Err(ContentError::Items { block, found, items });
        }
        if !(0.0..=MOST_WEIGHT).contains(&self.weight) {
            return Err(ContentError::Weight { block, weight: self.weight });
        }
        match self.content {
            Content::Numbers { steps, .. } if !(1..=MOST_STEPS).contains(&steps) => {
                Err(ContentError::Steps { block, steps })
            }
            _ => Ok(()),
        }
    }
}

impl Content<'_> {
    fn items(&self) -> usize {
        match self {
            Self::Sparse(rows) => rows.rows(),
            Self::Numbers { values, .. } => values.nrows(),
            Self::Vectors(values) => values.nrows(),
        }
    }
}

/// The rows of a sparse block.
enum Rows<'a> {
    Given(&'a Csr),
    Made(Vec<Vec<(u32, f64)>>),
}

impl Rows<'_> {
    fn row(&self, item: usize) -> impl Iterator<Item = (u32, f64)> + Clone + '_ {
        let (given, made) = match self {
            Self::Given(rows) => (Some(rows.row(item)), &[][..]),
            Self::Made(rows) => (None, rows[item].as_slice()),
        };
        let given = given.into_iter().flat_map(|(columns, values)| columns.iter().copied().zip(values.iter().copied()));
        given.chain(made.iter().copied())
    }
}

/// What brings a row to length `scale`; none when it is zero or not finite. It is divided by its
/// greatest value first, since squares may overflow.
fn scaling(row: impl Iterator<Item = f64> + Clone, scale: f64) -> Option<impl Fn(f64) -> f32> {
    let (greatest, is_finite) =
        row.clone().fold((0.0_f64, true), |(most, fine), v| (most.max(v.abs()), fine && v.is_finite()));
    let length = row.map(|v| (v / greatest) * (v / greatest)).sum::<f64>().sqrt();
    (is_finite && greatest > 0.0).then_some(move |value: f64| (value / greatest / length * scale) as f32)
}
