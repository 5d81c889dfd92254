//! A connection to a database.

use std::path::PathBuf;

use adbc_core::error::{Error, Status};
use adbc_core::options::{
    AdbcVersion, InfoCode, IngestMode, OptionConnection, OptionDatabase, OptionStatement, OptionValue,
};
use adbc_core::{Connection, Database, Driver as _, LOAD_FLAG_DEFAULT, Optionable, Statement};
use adbc_driver_manager::{ManagedConnection, ManagedDriver};
use arrow::array::{Array, AsArray, StringArray, UnionArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatchReader;

use super::dialect::Dialect;
use super::error::lost;
use super::{DatabaseError, Driver, Kind, Settings, Target};

/// A connection, and how its database writes SQL.
pub struct Client {
    pub(super) connection: ManagedConnection,
    pub dialect: Dialect,
}

/// Where rows go that are loaded in bulk.
pub struct Load<'a> {
    pub target: &'a Target,
    pub mode: IngestMode,
    /// The table is this connection's own and ends with it.
    pub temporary: bool,
}

impl Client {
    /// Loads the driver and connects.
    ///
    /// # Errors
    /// [`Kind::Driver`] where there is no such library, otherwise what the driver says.
    pub fn connect(settings: &Settings) -> Result<Client, DatabaseError> {
        let doing = format!("connect to the database `{}`", settings.name);
        let mut driver = load(settings)?;
        let plain = settings.options.iter().map(|(name, text)| (name, text.as_str()));
        let secret = settings.secret_options.iter().map(|(name, secret)| (name, secret.reveal()));
        let options = plain.chain(secret).map(|(name, text)| (OptionDatabase::from(name.as_str()), text.into()));
        let failed = |error: Error| DatabaseError::of(&doing, &error);
        let database = driver.new_database_with_opts(options).map_err(failed)?;
        let connection = database.new_connection().map_err(failed)?;
        let dialect = Dialect::of(&vendor(&connection).unwrap_or_default());
        Ok(Client { connection, dialect })
    }

    /// Begins a transaction; false where the database cannot within a connection.
    pub fn begin(&mut self) -> Result<bool, DatabaseError> {
        let off = OptionValue::from(false);
        match self.connection.set_option(OptionConnection::AutoCommit, off) {
            Ok(()) => Ok(true),
            Err(error) if error.status == Status::NotImplemented => Ok(false),
            Err(error) => Err(DatabaseError::of("begin a transaction", &error)),
        }
    }

    pub fn commit(&mut self) -> Result<(), DatabaseError> {
        self.connection.commit().map_err(|error| DatabaseError::of("commit", &error))
    }

    /// What cannot be rolled back any more is rolled back as the connection ends.
    pub fn roll_back(&mut self) {
        let _ = self.connection.rollback();
    }

    /// Runs a statement whose rows nobody needs. `doing` completes "failed to …".
    pub fn execute(&mut self, sql: &str, doing: &str) -> Result<(), DatabaseError> {
        let failed = |error: Error| DatabaseError::of(doing, &error);
        let mut statement = self.connection.new_statement().map_err(failed)?;
        statement.set_sql_query(sql).map_err(failed)?;
        statement.execute_update().map_err(failed)?;
        Ok(())
    }

    /// The texts of a query's first column; null is left out.
    pub fn texts(&mut self, sql: &str, doing: &str) -> Result<Vec<String>, DatabaseError> {
        let failed = |error: Error| DatabaseError::of(doing, &error);
        let mut statement = self.connection.new_statement().map_err(failed)?;
        statement.set_sql_query(sql).map_err(failed)?;
        let mut texts = Vec::new();
        // The rows end with the statement.
        for batch in statement.execute().map_err(failed)? {
            let batch = batch.map_err(|error| lost(doing, &error))?;
            let Some(column) = batch.columns().first() else { continue };
            let column = cast(column, &DataType::Utf8).map_err(|error| lost(doing, &error))?;
            texts.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        Ok(texts)
    }

    /// Loads rows in bulk.
    pub fn load(&mut self, load: &Load<'_>, rows: Box<dyn RecordBatchReader + Send>) -> Result<(), DatabaseError> {
        let doing = format!("load rows into `{}`", load.target);
        let failed = |error: Error| DatabaseError::of(&doing, &error);
        let mut statement = self.connection.new_statement().map_err(failed)?;
        let mut set = |key, value: OptionValue| statement.set_option(key, value).map_err(failed);
        set(OptionStatement::TargetTable, load.target.table.as_str().into())?;
        if load.temporary {
            set(OptionStatement::Temporary, true.into())?;
        } else if let Some(schema) = &load.target.schema {
            set(OptionStatement::TargetDbSchema, schema.as_str().into())?;
        }
        set(OptionStatement::IngestMode, load.mode.into())?;
        statement.bind_stream(rows).map_err(failed)?;
        statement.execute_update().map_err(failed)?;
        Ok(())
    }
}

/// Whether the driver is there, and is one; connects to nothing.
///
/// # Errors
/// [`Kind::Driver`] where it cannot be loaded.
pub fn loadable(settings: &Settings) -> Result<(), DatabaseError> {
    load(settings).map(|_| ())
}

fn load(settings: &Settings) -> Result<ManagedDriver, DatabaseError> {
    let version = AdbcVersion::default();
    let entrypoint = settings.entrypoint.as_deref().map(str::as_bytes);
    let loaded = match &settings.driver {
        Driver::Library(path) => ManagedDriver::load_dynamic_from_filename(path, entrypoint, version),
        Driver::Name(name) => {
            ManagedDriver::load_from_name(name, entrypoint, version, LOAD_FLAG_DEFAULT, None::<Vec<PathBuf>>)
        }
    };
    loaded.map_err(|error| {
        let what = match &settings.driver {
            Driver::Library(path) => path.display().to_string(),
            Driver::Name(name) => format!("`{name}`"),
        };
        let told = error.message.lines().next().unwrap_or_default();
        let told = told.strip_prefix(&format!("Error with dynamic library: {what}: ")).unwrap_or(told);
        let message = format!("load the driver {what} of the database `{}`: {told}", settings.name);
        DatabaseError::new(Kind::Driver, message)
    })
}

/// What the driver says of its vendor; nothing where it says nothing.
fn vendor(connection: &ManagedConnection) -> Option<String> {
    let wanted = [InfoCode::VendorName].into_iter().collect();
    let batch = connection.get_info(Some(wanted)).ok()?.next()?.ok()?;
    let values = batch.columns().get(1)?.as_any().downcast_ref::<UnionArray>()?;
    if batch.num_rows() == 0 {
        return None;
    }
    let value = values.value(0);
    let text = value.as_any().downcast_ref::<StringArray>()?;
    (!text.is_empty()).then(|| text.value(0).to_owned())
}
