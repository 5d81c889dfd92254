//! The folder that is written: which files, in which order, and when they appear.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use arrow::datatypes::Field;
use parquet::errors::ParquetError;

use super::Summary;
use super::error::SynthesizeError;
use super::history::History;
use super::sink::{Encoder, RowGroup, TableFile};
use super::tables::truth::BadRow;
use super::tables::{catalog, customers, transactions, truth};
use super::world::World;

/// The public tables.
pub const TABLES: [&str; 6] = ["customers", "products", "prices", "promotions", "transactions", "consents"];

/// The tables of the folder `truth`.
pub const TRUTH: [&str; 5] = ["customers", "products", "segments", "affinities", "bad_rows"];

/// Bad rows that are kept until they are worth a row group.
const BAD_ROWS_BUFFERED: usize = 20_000;

/// The strings of all tables.
#[derive(Debug)]
pub struct Names {
    transactions: transactions::Names,
    customers: customers::Names,
}

impl Names {
    pub fn new(world: &World) -> Self {
        Self { transactions: transactions::Names::new(world), customers: customers::Names::default() }
    }
}

/// What encodes the tables that grow by chunks, and the bad rows.
#[derive(Debug)]
pub struct Encoders {
    transactions: Encoder,
    customers: Encoder,
    consents: Encoder,
    truth: Encoder,
    bad_rows: Encoder,
}

/// All rows of a chunk of customers, encoded; bad rows are counted from the chunk's first row.
pub struct Chunk {
    transactions: transactions::Encoded,
    customers: (RowGroup, Vec<BadRow>),
    consents: (RowGroup, Vec<BadRow>),
    truth: RowGroup,
}

impl Chunk {
    pub fn encode(
        world: &World,
        names: &Names,
        encoders: &Encoders,
        history: &History,
    ) -> Result<Self, SynthesizeError> {
        let of = |table: &'static str| {
            move |source: ParquetError| SynthesizeError::Parquet { path: PathBuf::from(table), source }
        };
        let transactions = transactions::encode(world, &names.transactions, &encoders.transactions, history);
        let people = customers::encode_customers(world, &names.customers, &encoders.customers, history);
        let consents = customers::encode_consents(world, &names.customers, &encoders.consents, history);
        Ok(Self {
            transactions: transactions.map_err(of("transactions"))?,
            customers: people.map_err(of("customers"))?,
            consents: consents.map_err(of("consents"))?,
            truth: truth::encode_customers(world, &encoders.truth, history).map_err(of("truth/customers"))?,
        })
    }
}

/// The files that are being written.
pub struct Output {
    folder: PathBuf,
    transactions: TableFile,
    customers: TableFile,
    consents: TableFile,
    truth: TableFile,
    bad_rows: TableFile,
    /// Bad rows that are not encoded yet.
    bad: Vec<BadRow>,
    summary: Summary,
}

impl Output {
    /// Opens the tables that grow; the others are written by [`Output::write_world`].
    pub fn create(folder: &Path) -> Result<(Self, Encoders), SynthesizeError> {
        let create = |name: &str, fields| TableFile::create(folder.join(name).with_extension("parquet"), fields);
        let (transactions, transactions_encoder) = create("transactions", transactions::fields())?;
        let (customers, customers_encoder) = create("customers", customers::customer_fields())?;
        let (consents, consents_encoder) = create("consents", customers::consent_fields())?;
        let (truth, truth_encoder) = create("truth/customers", truth::customer_fields())?;
        let (bad_rows, bad_rows_encoder) = create("truth/bad_rows", truth::bad_row_fields())?;
        let encoders = Encoders {
            transactions: transactions_encoder,
            customers: customers_encoder,
            consents: consents_encoder,
            truth: truth_encoder,
            bad_rows: bad_rows_encoder,
        };
        let (bad, summary, folder) = (Vec::new(), Summary::default(), folder.to_owned());
        Ok((Self { folder, transactions, customers, consents, truth, bad_rows, bad, summary }, encoders))
    }

    /// Writes what does not depend on the customers.
    pub fn write_world(&self, world: &World) -> Result<(), SynthesizeError> {
        let one = |encoded: Result<RowGroup, ParquetError>| encoded.map(|group| vec![group]);
        self.table("products", catalog::product_fields(), |encoder| one(catalog::encode_products(world, encoder)))?;
        self.table("prices", catalog::price_fields(), |encoder| catalog::encode_prices(world, encoder))?;
        self.table("promotions", catalog::promotion_fields(), |encoder| catalog::encode_promotions(world, encoder))?;
        self.table("truth/products", truth::product_fields(), |encoder| one(truth::encode_products(world, encoder)))?;
        self.table("truth/segments", truth::segment_fields(), |encoder| one(truth::encode_segments(world, encoder)))?;
        self.table("truth/affinities", truth::affinity_fields(), |encoder| one(truth::encode_affinities(encoder)))
    }

    fn table(
        &self,
        name: &str,
        fields: Vec<Field>,
        encode: impl FnOnce(&Encoder) -> Result<Vec<RowGroup>, ParquetError>,
    ) -> Result<(), SynthesizeError> {
        let path = self.folder.join(name).with_extension("parquet");
        let (mut file, encoder) = TableFile::create(path.clone(), fields)?;
        let groups = encode(&encoder).map_err(|source| SynthesizeError::Parquet { path, source })?;
        groups.into_iter().try_for_each(|group| file.append(group))?;
        file.finish().map(|_| ())
    }

    /// Appends a chunk's rows; chunks must come in their order.
    pub fn append(&mut self, chunk: Chunk, encoders: &Encoders) -> Result<(), SynthesizeError> {
        let Chunk { transactions, customers, consents, truth } = chunk;
        self.summary.orders += transactions.totals.orders;
        self.summary.returns += transactions.totals.returns;
        self.note(self.transactions.rows(), transactions.bad);
        self.note(self.customers.rows(), customers.1);
        self.note(self.consents.rows(), consents.1);
        transactions.groups.into_iter().try_for_each(|group| self.transactions.append(group))?;
        self.customers.append(customers.0)?;
        self.consents.append(consents.0)?;
        self.truth.append(truth)?;
        if self.bad.len() >= BAD_ROWS_BUFFERED { self.flush(encoders) } else { Ok(()) }
    }

    /// Keeps bad rows, now counted from their table's first row.
    fn note(&mut self, before: u64, mut bad: Vec<BadRow>) {
        bad.iter_mut().for_each(|row| row.row += before);
        self.bad.append(&mut bad);
    }

    fn flush(&mut self, encoders: &Encoders) -> Result<(), SynthesizeError> {
        let path = || self.folder.join("truth/bad_rows.parquet");
        let group = truth::encode_bad_rows(&encoders.bad_rows, &self.bad)
            .map_err(|source| SynthesizeError::Parquet { path: path(), source })?;
        self.bad.clear();
        self.bad_rows.append(group)
    }

    /// Writes what is left and the footers.
    pub fn finish(mut self, encoders: &Encoders) -> Result<Summary, SynthesizeError> {
        self.flush(encoders)?;
        self.summary.rows = self.transactions.finish()?;
        self.summary.bad_rows = self.bad_rows.finish()?;
        self.customers.finish()?;
        self.consents.finish()?;
        self.truth.finish()?;
        Ok(self.summary)
    }
}

/// Where tables are written before they appear: a hidden folder in the folder that was asked for.
/// Whatever happens, it is gone when this is dropped.
#[derive(Debug)]
pub struct Staging {
    out: PathBuf,
    partial: PathBuf,
}

const PARTIAL: &str = ".synthesize.partial";

impl Staging {
    /// # Errors
    /// A folder that cannot be made, or that holds anything unless `force`.
    pub fn new(out: &Path, force: bool) -> Result<Self, SynthesizeError> {
        make(out)?;
        let entries = fs::read_dir(out).map_err(io_error(out))?;
        // What an interrupted run left behind is no reason to refuse.
        let holds_anything = entries.filter_map(Result::ok).any(|entry| entry.file_name() != PARTIAL);
        if holds_anything && !force {
            return Err(SynthesizeError::NotEmpty { path: out.to_owned() });
        }
        let staging = Self { out: out.to_owned(), partial: out.join(PARTIAL) };
        staging.clear();
        make(&staging.partial.join("truth"))?;
        Ok(staging)
    }

    pub fn folder(&self) -> &Path {
        &self.partial
    }

    /// Moves each table to its place.
    pub fn publish(self) -> Result<(), SynthesizeError> {
        make(&self.out.join("truth"))?;
        let truth = TRUTH.map(|name| format!("truth/{name}.parquet"));
        for name in TABLES.map(|name| format!("{name}.parquet")).into_iter().chain(truth) {
            let path = self.out.join(&name);
            fs::rename(self.partial.join(name), &path).map_err(io_error(&path))?;
        }
        Ok(())
    }

    fn clear(&self) {
        // It need not be there, and the first error is the one to tell; a leftover is only untidy.
        let _ = fs::remove_dir_all(&self.partial);
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        self.clear();
    }
}

fn make(folder: &Path) -> Result<(), SynthesizeError> {
    fs::create_dir_all(folder).map_err(io_error(folder))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> SynthesizeError {
    let path = path.to_owned();
    |source| SynthesizeError::Io { path, source }
}
