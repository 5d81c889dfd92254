//! A made-up retailer: its tables, and the truth behind them.
//!
//! The model and its formulas are in `docs/synthetic-data.md`. In short: customers of five segments
//! arrive over time, order by a Poisson process of their own rate until they drop out (BG/NBD),
//! fill baskets to their taste from products with a popularity tail, and buy more units when a
//! list price or a promotion makes them cheaper; some of it comes back, and some rows are bad.
//!
//! The same options give the same bytes, whatever the thread count: every draw comes from a stream
//! keyed by the seed, the purpose and the customer, and row groups are appended in order. Memory
//! holds two waves of chunks of [`history::CHUNK_CUSTOMERS`] customers, however many there are.

mod basket;
mod calendar;
mod catalog;
mod customer;
mod defect;
mod error;
mod history;
mod options;
mod output;
mod people;
mod prices;
mod random;
mod segment;
mod sink;
mod tables;
mod value;
mod words;
mod world;

use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;

use history::History;
use output::{Chunk, Encoders, Names, Output, Staging};
use world::World;

pub use error::SynthesizeError;
pub use options::{Factors, Options};

/// Chunks that are made for each thread before they are written. More would even out chunks that
/// take longer, and take more memory.
const CHUNKS_PER_THREAD: u32 = 2;

/// What was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows of transactions, bad ones among them.
    pub rows: u64,
    /// Orders that are not returns, guests' among them.
    pub orders: u64,
    pub returns: u64,
    /// Bad rows, of all tables.
    pub bad_rows: u64,
    pub customers: u32,
    /// Products that can be bought; a rare one may not have been.
    pub products: usize,
}

/// Writes the tables of `output::TABLES` into the folder `out` and those of `output::TRUTH` into `out/truth`.
/// Folders are made if need be; tables appear only when all are whole. With `force` the folder need
/// not be empty: its tables of these names are replaced, anything else is left alone.
///
/// # Errors
/// Options that describe no history, a folder that is not empty, and failures to write.
pub fn synthesize(options: &Options, out: &Path, force: bool) -> Result<Summary, SynthesizeError> {
    synthesize_unless(options, out, force, &|| false)
}

/// [`synthesize`], until `stopped` says so; it is asked between chunks of customers.
///
/// # Errors
/// Those of [`synthesize`], and [`SynthesizeError::Stopped`]; then nothing was written.
pub fn synthesize_unless(
    options: &Options,
    out: &Path,
    force: bool,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Summary, SynthesizeError> {
    options.check()?;
    let staging = Staging::new(out, force)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(|error| SynthesizeError::Threads { threads: options.threads, reason: error.to_string() })?;
    let summary = pool.install(|| write(options, staging.folder(), stopped))?;
    staging.publish()?;
    Ok(summary)
}

fn write(options: &Options, folder: &Path, stopped: &(dyn Fn() -> bool + Sync)) -> Result<Summary, SynthesizeError> {
    let world = World::new(options);
    let (mut output, encoders) = Output::create(folder)?;
    output.write_world(&world)?;
    let names = Names::new(&world);
    let chunks = history::chunks(options.customers);
    let wave = CHUNKS_PER_THREAD.saturating_mul(rayon::current_num_threads() as u32);
    let mut next = wave.min(chunks);
    let mut ready = generate(&world, &names, &encoders, 0..next);
    while !ready.is_empty() {
        let coming = next..next.saturating_add(wave).min(chunks);
        next = coming.end;
        // What is ready is written while the next wave is made.
        let (written, made) = rayon::join(
            || ready.into_iter().try_for_each(|chunk| output.append(chunk?, &encoders)),
            || generate(&world, &names, &encoders, coming),
        );
        written?;
        ready = made;
        if stopped() {
            return Err(SynthesizeError::Stopped);
        }
    }
    let mut summary = output.finish(&encoders)?;
    summary.customers = options.customers;
    summary.products = world.catalog.goods().len();
    Ok(summary)
}

type Made = Vec<Result<Chunk, SynthesizeError>>;

fn generate(world: &World, names: &Names, encoders: &Encoders, chunks: Range<u32>) -> Made {
    let chunks = chunks.into_par_iter().with_max_len(1);
    chunks.map(|chunk| Chunk::encode(world, names, encoders, &History::new(world, chunk))).collect()
}

#[cfg(test)]
mod tests;
