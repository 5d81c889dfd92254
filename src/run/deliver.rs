//! Delivery: what was published goes into the table of a database, too.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;

use super::databases::Databases;
use super::failure::NodeFailure;
use crate::config::{DeliverMode, DeliverSpec};
use crate::database::{self, DatabaseError, Delivery, Mode, Target};
use crate::plan::Key;
use crate::report::DeliveryReport;
use crate::stages::contract::Cancel;
use crate::table::{AS_OF, TableSchema};

/// What is to be delivered where.
pub struct Parcel<'a> {
    pub spec: &'a DeliverSpec,
    pub run_date: NaiveDate,
    pub run_id: &'a str,
    /// What the rows were computed from.
    pub key: &'a Key,
    pub schema: &'a TableSchema,
}

/// Whether the table holds what would be delivered; a database that this environment does not have is owed nothing.
pub async fn is_done(
    spec: &DeliverSpec,
    run_date: NaiveDate,
    key: &Key,
    databases: &Databases,
) -> Result<bool, NodeFailure> {
    let Some(settings) = databases.get(&spec.database).cloned() else { return Ok(true) };
    let (target, key) = (target(spec), delivery_key(spec, key));
    let ask = move || database::delivered(&settings, &target, run_date);
    let found = tokio::task::spawn_blocking(ask).await.map_err(|_| NodeFailure::lost())?;
    Ok(found?.is_some_and(|found| found == key))
}

/// The report of a delivery that was not due.
pub fn not_due(spec: &DeliverSpec, databases: &Databases) -> DeliveryReport {
    let skipped = !databases.contains_key(&spec.database);
    DeliveryReport { database: spec.database.clone(), table: target(spec).to_string(), changed: false, skipped }
}

/// Delivers the rows of a file.
pub async fn deliver(
    parcel: &Parcel<'_>,
    file: PathBuf,
    databases: &Databases,
    cancel: &Cancel,
) -> Result<DeliveryReport, NodeFailure> {
    let report = not_due(parcel.spec, databases);
    let Some(settings) = databases.get(&parcel.spec.database).cloned() else { return Ok(report) };
    let delivery = Delivery {
        target: target(parcel.spec),
        mode: mode(parcel.spec, parcel.schema),
        run_date: parcel.run_date,
        run_id: parcel.run_id.to_owned(),
        key: delivery_key(parcel.spec, parcel.key),
    };
    let cancel = cancel.clone();
    let work = move || database::deliver(&settings, &delivery, &file, Arc::new(move || cancel.is_set()));
    tokio::task::spawn_blocking(work).await.map_err(|_| NodeFailure::lost())??;
    Ok(DeliveryReport { changed: true, ..report })
}

/// The table that a delivery goes into.
pub(super) fn target(spec: &DeliverSpec) -> Target {
    Target { schema: spec.schema.clone(), table: spec.table.clone() }
}

fn mode(spec: &DeliverSpec, schema: &TableSchema) -> Mode {
    match spec.mode {
        DeliverMode::ReplaceRunDate => Mode::ReplaceRunDate,
        DeliverMode::Upsert => Mode::Upsert { key: upsert_key(spec, schema) },
    }
}

/// The columns that identify a row: as given, else the key of the table but for the moment.
fn upsert_key(spec: &DeliverSpec, schema: &TableSchema) -> Vec<String> {
    match spec.key.as_slice() {
        [] => schema.key.iter().filter(|name| *name != AS_OF).cloned().collect(),
        given => given.to_vec(),
    }
}

/// The same rows are another delivery if they replace other rows.
fn delivery_key(spec: &DeliverSpec, key: &Key) -> String {
    match spec.mode {
        DeliverMode::ReplaceRunDate => key.0.clone(),
        DeliverMode::Upsert => format!("{}/upsert {}", key.0, spec.key.join(",")),
    }
}

impl From<DatabaseError> for NodeFailure {
    fn from(error: DatabaseError) -> NodeFailure {
        use crate::database::Kind;
        use crate::problem::Code;
        let code = match error.kind {
            Kind::Driver => Code::DriverMissing,
            Kind::Transient => Code::DatabaseTransient,
            Kind::Denied => Code::DatabaseDenied,
            Kind::Refused => Code::DatabaseRefused,
            Kind::Data => Code::RowsRefused,
            Kind::File => Code::LocalIo,
            Kind::Stopped => Code::Interrupted,
        };
        NodeFailure::new(code, format!("failed to {}", error.message))
    }
}
