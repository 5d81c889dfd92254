//! One publication: the table of a stage into a dataset's `run_date=` partition.

use std::path::{Path, PathBuf};

use chrono::Utc;
use polars::prelude::{DataType, Expr, LazyFrame, TimeUnit, TimeZone, col, lit};

use super::databases::Databases;
use super::decide::Decision;
use super::deliver::{self, Parcel};
use super::failure::NodeFailure;
use super::state::{State, table_file};
use crate::config::{BigqueryLoad, DeliverSpec, LoadSpec, PublishFormat, PublishSpec, SnapshotChoice};
use crate::plan::{Key, Node, Plan, Work};
use crate::problem::Code;
use crate::report::{DeliveryReport, PublicationReport};
use crate::stages::contract::Cancel;
use crate::storage::export::{self, Text};
use crate::storage::publish::{
    Commit, Load, Loader, NewFile, Published, Request, State as Partition, Stop, content_damage, newest, publish,
    repair, verify,
};
use crate::storage::scan::RowCounter;
use crate::storage::{Kind, Location, Places, StorageError, scan};
use crate::table::{AS_OF, Column, RUN_DATE, TableSchema, type_name};

/// Where a publication happens.
pub struct At<'a> {
    pub places: &'a Places,
    pub databases: &'a Databases,
    pub run_id: &'a str,
    /// For the file until it is published.
    pub scratch: &'a Path,
    /// Counts the rows that are written.
    pub rows: &'a RowCounter,
    /// Once it is set, nothing is published any more.
    pub cancel: &'a Cancel,
    /// Trust nothing that was published before without reading it.
    pub full_refresh: bool,
}

/// Whether the newest commit of the date holds what would be published; says so in the decision.
pub async fn decide(
    node: &Node,
    run_date: chrono::NaiveDate,
    places: &Places,
    databases: &Databases,
    decision: &mut Decision,
) {
    let Work::Publish { spec, .. } = &node.work else { return };
    let found = match places.location(&spec.to) {
        Ok(to) => held(&to, run_date, &decision.key).await,
        Err(error) => Err(error),
    };
    let (done, reason) = match found {
        Ok(Held::Same(Partition::Whole)) => (true, "the partition holds the same already"),
        Ok(Held::Same(Partition::Unfinished)) => (false, "an earlier run did not finish the partition"),
        Ok(Held::Same(Partition::Damaged(_))) => (false, "files of the partition are missing or damaged"),
        Ok(Held::Other) => (false, "the partition holds something else"),
        Ok(Held::Nothing) => (false, "the partition was never published"),
        Err(_) => (false, "the dataset cannot be looked at now"),
    };
    let (done, reason) = match &spec.deliver {
        Some(delivery) if done => match deliver::is_done(delivery, run_date, &decision.key, databases).await {
            Ok(true) => (true, reason),
            Ok(false) => (false, "the table of the database holds something else"),
            Err(_) => (false, "the database cannot be looked at now"),
        },
        _ => (done, reason),
    };
    decision.done = done;
    decision.reason = reason.to_owned();
}

/// What a partition holds.
enum Held {
    /// What would be published, in this state.
    Same(Partition),
    Other,
    Nothing,
}

async fn held(to: &Location, run_date: chrono::NaiveDate, key: &Key) -> Result<Held, StorageError> {
    Ok(match newest(to, Some(run_date)).await? {
        Some(commit) if commit.key == key.0 => Held::Same(verify(to, &commit).await?),
        Some(_) => Held::Other,
        None => Held::Nothing,
    })
}

/// Publishes unless the newest commit of the date holds the same, then delivers unless the database has it.
pub async fn run(
    node: &Node,
    plan: &Plan,
    state: &State,
    decisions: &[Decision],
    own: &Decision,
    at: &At<'_>,
) -> Result<PublicationReport, NodeFailure> {
    let bug = || NodeFailure::new(Code::Bug, format!("the publication `{}` has no table", node.name));
    let Work::Publish { spec, from } = &node.work else { return Err(bug()) };
    let producer = plan.nodes.get(from.node).ok_or_else(bug)?;
    let key = &decisions.get(from.node).ok_or_else(bug)?.key;
    let (port, schema) = producer.outputs.get(from.port).ok_or_else(bug)?;
    let source = table_file(&state.tables(&producer.name, key), port);
    let rows = Rows { node, spec, source, schema, run_date: plan.run_date };
    let report = rows.publish(own, at).await?;
    let Some(delivery) = &spec.deliver else { return Ok(report) };
    let delivery = rows.deliver(delivery, own, at).await.map_err(but_published)?;
    Ok(PublicationReport { delivery: Some(delivery), ..report })
}

/// The summary lists what is published and delivered; of this, the files are there and the rows are not.
fn but_published(failure: NodeFailure) -> NodeFailure {
    match failure.code {
        Code::Interrupted => failure,
        _ => NodeFailure { message: format!("{}; the files are published", failure.message), ..failure },
    }
}

/// The rows of a publication.
struct Rows<'a> {
    node: &'a Node,
    spec: &'a PublishSpec,
    /// The table that the stage made.
    source: PathBuf,
    schema: &'a TableSchema,
    run_date: chrono::NaiveDate,
}

impl Rows<'_> {
    async fn publish(&self, own: &Decision, at: &At<'_>) -> Result<PublicationReport, NodeFailure> {
        let to = at.places.location(&self.spec.to)?;
        let again = match standing(&to, self.run_date, own, at).await? {
            Standing::Same(commit) => return Ok(self.report(&commit, false)),
            Standing::Damaged => true,
            Standing::Other => false,
        };
        let text = text_format(self.spec.format);
        let file = self.copy(at, text.map_or("parquet", Text::extension));
        let rows = self.write(&file, text, at).await?;
        let cancel = at.cancel.clone();
        let request = Request {
            to: to.clone(),
            run_date: self.run_date,
            run_id: at.run_id.to_owned(),
            key: own.key.0.clone(),
            created_at: Utc::now(),
            schema: described(self.schema),
            load: self.spec.load.as_ref().map(load),
            files: vec![NewFile { path: file.clone(), rows }],
            again,
            stop: Stop::when(move || cancel.is_set()),
        };
        let published = publish(&request).await;
        // The copy has served, whether it was published or not.
        let _ = std::fs::remove_file(&file);
        match published {
            Ok(Published { commit, finished }) => {
                Ok(PublicationReport { replaced: !finished, ..self.report(&commit, true) })
            }
            // Who was faster may have published the same.
            Err(error) if error.kind() == Kind::Conflict => match standing(&to, self.run_date, own, at).await? {
                Standing::Same(commit) => Ok(self.report(&commit, false)),
                Standing::Damaged | Standing::Other => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    async fn deliver(&self, spec: &DeliverSpec, own: &Decision, at: &At<'_>) -> Result<DeliveryReport, NodeFailure> {
        if !at.full_refresh && deliver::is_done(spec, self.run_date, &own.key, at.databases).await? {
            return Ok(deliver::not_due(spec, at.databases));
        }
        let file = self.copy(at, "delivered.parquet");
        self.write(&file, None, at).await?;
        let (run_id, key) = (at.run_id, &own.key);
        let parcel = Parcel { spec, run_date: self.run_date, run_id, key, schema: self.schema };
        let delivered = deliver::deliver(&parcel, file.clone(), at.databases, at.cancel).await;
        let _ = std::fs::remove_file(&file);
        delivered
    }

    fn report(&self, commit: &Commit, changed: bool) -> PublicationReport {
        PublicationReport {
            name: self.node.name.clone(),
            to: self.spec.to.clone(),
            rows: commit.rows(),
            files: commit.files.len() as u64,
            bytes: commit.files.iter().map(|file| file.bytes).sum(),
            changed,
            replaced: false,
            delivery: None,
        }
    }

    /// Where a copy lies until it has served.
    fn copy(&self, at: &At<'_>, extension: &str) -> PathBuf {
        at.scratch.join(format!("{}.{extension}", self.node.name))
    }

    /// Writes the rows as they are to go out; returns their number.
    async fn write(&self, file: &Path, text: Option<Text>, at: &At<'_>) -> Result<u64, NodeFailure> {
        let (snapshots, run_date) = (self.spec.snapshots, self.run_date);
        let (source, copy, schema) = (self.source.clone(), file.to_owned(), self.schema.clone());
        let counter = at.rows.clone();
        let write = move || -> Result<u64, NodeFailure> {
            let frame = publishable(scan::read_parquet(&source)?, &schema, snapshots, run_date);
            Ok(match text {
                None => scan::write_parquet_counted(frame, &copy, &counter)?,
                Some(text) => {
                    let columns = frame.clone().collect_schema()?;
                    export::write_text(frame, &columns, &copy, text, &counter)?
                }
            })
        };
        let written = tokio::task::spawn_blocking(write).await;
        let written = written.unwrap_or_else(|_| Err(NodeFailure::lost()));
        if written.is_err() {
            let _ = std::fs::remove_file(file);
        }
        written
    }
}

/// What the newest commit of a date holds.
enum Standing {
    /// What would be published, whole.
    Same(Box<Commit>),
    /// What would be published, but files are missing or damaged.
    Damaged,
    /// Something else, or there is none.
    Other,
}

/// Looks at the newest commit of the date; where it holds what would be published, what a crash left undone is done.
async fn standing(
    to: &Location,
    run_date: chrono::NaiveDate,
    own: &Decision,
    at: &At<'_>,
) -> Result<Standing, NodeFailure> {
    let same = async || -> Result<Option<Commit>, StorageError> {
        Ok(newest(to, Some(run_date)).await?.filter(|commit| commit.key == own.key.0))
    };
    let Some(commit) = same().await? else { return Ok(Standing::Other) };
    let state = verify(to, &commit).await?;
    if matches!(state, Partition::Damaged(_)) || (at.full_refresh && content_damage(to, &commit).await?) {
        return Ok(Standing::Damaged);
    }
    if state == Partition::Whole {
        return Ok(Standing::Same(Box::new(commit)));
    }
    match repair(to, run_date, at.run_id, Utc::now()).await {
        Err(error) if error.kind() == Kind::Conflict => match same().await? {
            Some(commit) => Ok(Standing::Same(Box::new(commit))),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
        Ok(_) => Ok(Standing::Same(Box::new(commit))),
    }
}

/// The text format, where it is one.
pub fn text_format(format: PublishFormat) -> Option<Text> {
    match format {
        PublishFormat::Parquet => None,
        PublishFormat::Ndjson => Some(Text::Ndjson),
        PublishFormat::Csv => Some(Text::Csv),
    }
}

/// The scripts that a publication asks for.
fn load(spec: &LoadSpec) -> Load {
    let bigquery = |bigquery: &BigqueryLoad| Loader::Bigquery {
        address: bigquery.address.clone(),
        connection: bigquery.connection.clone(),
    };
    let loaders = [
        spec.duckdb.as_ref().map(|_| Loader::Duckdb),
        spec.snowflake.as_ref().map(|snowflake| Loader::Snowflake { stage: snowflake.stage.clone() }),
        spec.bigquery.as_ref().map(bigquery),
        spec.redshift.as_ref().map(|redshift| Loader::Redshift { iam_role: redshift.iam_role.clone() }),
    ];
    Load { table: spec.table.clone(), schema: spec.schema.clone(), loaders: loaders.into_iter().flatten().collect() }
}

/// Key first, then `run_date`, then the rest; times in UTC.
fn publishable(
    frame: LazyFrame,
    schema: &TableSchema,
    snapshots: SnapshotChoice,
    run_date: chrono::NaiveDate,
) -> LazyFrame {
    let frame = if schema.snapshots.is_empty() || snapshots == SnapshotChoice::All {
        frame
    } else {
        frame.filter(col(AS_OF).eq(lit(run_date)))
    };
    let of = |column: Option<&Column>| match column {
        Some(column) => published_column(column),
        None => lit(run_date).cast(DataType::Date).alias(RUN_DATE),
    };
    frame.select(in_order(schema).into_iter().map(of).collect::<Vec<_>>())
}

/// The columns of a published file, in its order; none stands for `run_date`.
fn in_order(schema: &TableSchema) -> Vec<Option<&Column>> {
    let key = schema.key.iter().filter(|name| *name != RUN_DATE).filter_map(|name| schema.column(name)).map(Some);
    let rest = schema.columns.iter().filter(|one| !schema.key.contains(&one.name) && one.name != RUN_DATE);
    key.chain([None]).chain(rest.map(Some)).collect()
}

fn published_column(column: &Column) -> Expr {
    let name = column.name.as_str();
    match column.dtype {
        DataType::Datetime(..) => col(name).cast(DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC))),
        _ => col(name),
    }
}

/// The columns as the commit records them, in the order of the file, with their privacy classes.
fn described(schema: &TableSchema) -> Vec<serde_json::Value> {
    let of = |column: Option<&Column>| match column {
        Some(column) => {
            let mut told = serde_json::json!({
                "name": column.name, "type": type_name(&column.dtype), "class": column.class,
                "key": schema.key.contains(&column.name),
            });
            if !column.description.is_empty() {
                told["description"] = column.description.as_str().into();
            }
            told
        }
        None => {
            serde_json::json!({ "name": RUN_DATE, "type": "date", "class": "behavioral", "key": schema.key.iter().any(|name| name == RUN_DATE) })
        }
    };
    in_order(schema).into_iter().map(of).collect()
}
