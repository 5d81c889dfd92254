//! Brings the rows of a file into a table, all or nothing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use adbc_core::options::IngestMode;
use arrow::record_batch::{RecordBatchIterator, RecordBatchReader};
use chrono::NaiveDate;

use super::client::{Client, Load};
use super::rows::Rows;
use super::{DatabaseError, Delivery, Kind, LEDGER, Mode, Settings, Stop, Target, ledger};

/// Rows wait here until they are taken over.
const STAGED: &str = "patronage_staged";

/// The key of what a table holds of a run date, if it was delivered.
///
/// # Errors
/// Where the database cannot be asked.
pub fn delivered(settings: &Settings, target: &Target, run_date: NaiveDate) -> Result<Option<String>, DatabaseError> {
    ledger::key(&mut Client::connect(settings)?, target, run_date)
}

/// Delivers the rows of a Parquet file. The table is made if it is not there.
///
/// Whatever happens, the table has all of the rows or none: what is replaced, the new rows and their record are one
/// transaction. Where the database has none within a connection, rows are staged in a table of their own, and one
/// script takes them over in a transaction.
///
/// # Errors
/// What the database says; the table is as it was.
pub fn deliver(settings: &Settings, delivery: &Delivery, file: &Path, stop: Stop) -> Result<(), DatabaseError> {
    let mut client = Client::connect(settings)?;
    let rows = Rows::of(file, Arc::clone(&stop))?;
    let transaction = client.begin()?;
    let mut work = Work { client: &mut client, delivery, transaction };
    let Err(error) = work.run(rows) else { return Ok(()) };
    client.roll_back();
    drop(client);
    if stop() {
        // A driver tells of rows that end early in words of its own.
        return Err(DatabaseError::new(
            Kind::Stopped,
            format!("deliver into `{}`: the run was stopped", delivery.target),
        ));
    }
    // The answer to a commit may have been lost.
    let ours = error.kind == Kind::Transient
        && delivered(settings, &delivery.target, delivery.run_date)
            .is_ok_and(|key| key.as_ref() == Some(&delivery.key));
    if ours { Ok(()) } else { Err(error) }
}

struct Work<'a> {
    client: &'a mut Client,
    delivery: &'a Delivery,
    /// Whether the connection has one.
    transaction: bool,
}

impl Work<'_> {
    fn run(&mut self, rows: Rows) -> Result<(), DatabaseError> {
        let target = &self.delivery.target;
        if self.transaction {
            self.wait_for_others(target)?;
        }
        let held = self.client.texts(&self.client.dialect.columns(target), &format!("look at the table `{target}`"))?;
        let names = rows.names();
        fits(target, &held, &names)?;
        if self.transaction { self.in_transaction(rows, &held, &names) } else { self.by_script(rows, &held, &names) }
    }

    fn in_transaction(&mut self, rows: Rows, held: &[String], names: &[String]) -> Result<(), DatabaseError> {
        let (delivery, counter) = (self.delivery, rows.counter());
        let target = &delivery.target;
        // A table with the columns of the rows takes them as they come; any other is told which columns they are.
        let direct = held.is_empty() || (delivery.mode == Mode::ReplaceRunDate && held == names);
        if direct {
            if let [_, ..] = held {
                self.client.execute(&self.client.dialect.delete_date(target, delivery.run_date), &replacing(target))?;
            }
            let mode = if held.is_empty() { IngestMode::Create } else { IngestMode::Append };
            self.client.load(&Load { target, mode, temporary: false }, Box::new(rows))?;
        } else {
            let staged = Target { schema: None, table: STAGED.to_owned() };
            self.client.load(&Load { target: &staged, mode: IngestMode::Create, temporary: true }, Box::new(rows))?;
            for sql in self.taking_over(&staged, names) {
                self.client.execute(&sql, &replacing(target))?;
            }
            let drop = format!("DROP TABLE {}", self.client.dialect.table(&staged));
            self.client.execute(&drop, "remove the staged rows")?;
        }
        let mut there = ledger::is_there(self.client, target)?;
        if !there {
            // Deliveries into other tables make it as well, and only one can.
            self.wait_for_others(&target.beside(LEDGER))?;
            there = ledger::is_there(self.client, target)?;
        }
        if there {
            let forget = ledger::forget(self.client.dialect, target, delivery.run_date);
            self.client.execute(&forget, "record the delivery")?;
        }
        let rows = counter.load(Ordering::Relaxed);
        self.load_record(there, Some((delivery, rows)))?;
        self.client.commit()
    }

    /// For databases whose transactions are scripts: everything but the last step can be seen by nobody who reads the
    /// table.
    fn by_script(&mut self, rows: Rows, held: &[String], names: &[String]) -> Result<(), DatabaseError> {
        let (delivery, counter, dialect) = (self.delivery, rows.counter(), self.client.dialect);
        let target = &delivery.target;
        if held.is_empty() {
            let none = RecordBatchIterator::new([], rows.schema());
            self.client.load(&Load { target, mode: IngestMode::Create, temporary: false }, Box::new(none))?;
        }
        let staged = target.beside(format!("{}_{STAGED}", target.table));
        self.client.load(&Load { target: &staged, mode: IngestMode::Replace, temporary: false }, Box::new(rows))?;
        if !ledger::is_there(self.client, target)? {
            self.load_record(false, None)?;
        }
        let recorded = target.beside(format!("{}_{LEDGER}", target.table));
        let record = self.record(Some((delivery, counter.load(Ordering::Relaxed))))?;
        self.client.load(&Load { target: &recorded, mode: IngestMode::Replace, temporary: false }, record)?;
        let mut script = vec!["BEGIN TRANSACTION".to_owned()];
        script.extend(self.taking_over(&staged, names));
        script.push(ledger::forget(dialect, target, delivery.run_date));
        let ledger = dialect.table(&target.beside(LEDGER));
        script.push(format!("INSERT INTO {ledger} SELECT * FROM {}", dialect.table(&recorded)));
        script.push("COMMIT TRANSACTION".to_owned());
        self.client.execute(&format!("{};", script.join(";\n")), &replacing(target))?;
        for table in [staged, recorded] {
            self.client.execute(&format!("DROP TABLE {}", dialect.table(&table)), "remove the staged rows")?;
        }
        Ok(())
    }

    fn wait_for_others(&mut self, target: &Target) -> Result<(), DatabaseError> {
        match self.client.dialect.wait_for_others(target) {
            Some(sql) => self.client.execute(&sql, "wait for other deliveries"),
            None => Ok(()),
        }
    }

    /// The statements that put staged rows in the place of others.
    fn taking_over(&self, staged: &Target, names: &[String]) -> [String; 2] {
        let (dialect, target, date) = (self.client.dialect, &self.delivery.target, self.delivery.run_date);
        match &self.delivery.mode {
            Mode::ReplaceRunDate => [dialect.delete_date(target, date), dialect.insert(target, staged, names, None)],
            Mode::Upsert { key } => {
                [dialect.delete_keys(target, staged, key, date), dialect.insert(target, staged, names, Some(key))]
            }
        }
    }

    fn load_record(&mut self, there: bool, delivery: Option<(&Delivery, u64)>) -> Result<(), DatabaseError> {
        let ledger = self.delivery.target.beside(LEDGER);
        let mode = if there { IngestMode::Append } else { IngestMode::Create };
        let record = self.record(delivery)?;
        self.client.load(&Load { target: &ledger, mode, temporary: false }, record)
    }

    fn record(&self, delivery: Option<(&Delivery, u64)>) -> Result<Box<dyn RecordBatchReader + Send>, DatabaseError> {
        ledger::rows(delivery)
            .map_err(|error| DatabaseError::new(Kind::Refused, format!("record the delivery: {error}")))
    }
}

fn replacing(target: &Target) -> String {
    format!("replace rows of `{target}`")
}

/// A table must have every column of the rows; more may be in it.
fn fits(target: &Target, held: &[String], names: &[String]) -> Result<(), DatabaseError> {
    let missing: Vec<&str> = names.iter().filter(|name| !held.contains(name)).map(String::as_str).collect();
    if held.is_empty() || missing.is_empty() {
        return Ok(());
    }
    let message = format!(
        "deliver into `{target}`: it has no column {}; add what is missing (ALTER TABLE … ADD COLUMN), or deliver into a new table",
        missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    );
    Err(DatabaseError::new(Kind::Refused, message))
}
