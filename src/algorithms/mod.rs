//! Learning algorithms on dense ([`ndarray`]) and sparse ([`sparse::Csr`]) matrices.
//!
//! Pure numerics: no I/O, no clock, no global random numbers. Rows are handled in blocks of a
//! fixed size and partial sums are folded in the order of the blocks, so a result depends on the
//! input and the seed only, never on the number of threads. Inner loops are compiled for several
//! vector widths and chosen at run time; they never fuse a multiplication with an addition, so
//! every width gives the same bits.

pub mod als;
pub mod assignment;
pub mod boosted_trees;
pub mod calibrate;
pub mod content;
pub mod dbscan;
pub mod ease;
pub mod elastic;
mod exponential;
mod gram;
pub mod inner_product;
pub mod input;
pub mod kmeans;
pub mod lifetime;
mod linalg;
pub mod linear;
pub mod neighbors;
pub mod popular;
pub mod price_response;
pub mod rfm;
pub mod scale;
pub mod softmax;
pub mod sparse;
pub mod svm;
pub mod text;
mod tiles;
mod top;
pub mod wanted;
pub mod weighting;
pub mod windows;

pub use input::InputError;
