//! How warehouses take a version in: scripts beside the data, made of the commit alone.
//!
//! Each replaces the rows of its run date in one transaction, so it may run again.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::commit::Commit;

/// Which table a version is loaded into, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    pub table: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    pub loaders: Vec<Loader>,
}

/// A warehouse, with what it needs to know to read the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loader {
    Duckdb,
    /// `stage`: the external stage whose address is the dataset's.
    Snowflake {
        stage: String,
    },
    /// `address`: the dataset as BigQuery reads it; `connection`: what reads it where that is not Google's storage.
    Bigquery {
        address: Option<String>,
        connection: Option<String>,
    },
    Redshift {
        iam_role: String,
    },
}

/// The files beside the data: name and content. `address`: the dataset's.
pub(super) fn files(commit: &Commit, address: &str) -> Vec<(String, String)> {
    let Some(load) = &commit.load else { return Vec::new() };
    let script = Script { commit, load, address: address.trim_end_matches('/') };
    let of = |loader: &Loader| match loader {
        Loader::Duckdb => vec![("_load.duckdb.sql".to_owned(), script.duckdb())],
        Loader::Snowflake { stage } => vec![("_load.snowflake.sql".to_owned(), script.snowflake(stage))],
        Loader::Bigquery { address, connection } => {
            vec![("_load.bigquery.sql".to_owned(), script.bigquery(address.as_deref(), connection.as_deref()))]
        }
        Loader::Redshift { iam_role } => vec![
            (MANIFEST.to_owned(), script.redshift_manifest()),
            ("_load.redshift.sql".to_owned(), script.redshift(iam_role)),
        ],
    };
    load.loaders.iter().flat_map(of).collect()
}

/// Every name that [`files`] may give.
pub(super) const NAMES: [&str; 5] =
    ["_load.duckdb.sql", "_load.snowflake.sql", "_load.bigquery.sql", "_load.redshift.sql", MANIFEST];

/// What Redshift's COPY reads.
const MANIFEST: &str = "_manifest.redshift.json";

struct Script<'a> {
    commit: &'a Commit,
    load: &'a Load,
    address: &'a str,
}

impl Script<'_> {
    fn duckdb(&self) -> String {
        let files = self.listed(|path| format!("{}/{path}", self.address));
        let (table, date) = (self.table('"'), self.commit.run_date);
        let rows = format!("read_parquet([{files}], hive_partitioning = false)");
        let create = self.create('"', duckdb_type);
        format!(
            "{}{create}BEGIN TRANSACTION;\nDELETE FROM {table} WHERE \"run_date\" = DATE '{date}';\nINSERT INTO {table} BY NAME\n  SELECT * FROM {rows};\nCOMMIT;\n",
            self.head()
        )
    }

    fn snowflake(&self, stage: &str) -> String {
        let files = self.listed(str::to_owned);
        let (table, date) = (self.table('"'), self.commit.run_date);
        let create = self.create('"', snowflake_type);
        // Without FORCE, files that were loaded once are passed over, though their rows are gone.
        format!(
            "{}{create}BEGIN TRANSACTION;\nDELETE FROM {table} WHERE \"run_date\" = DATE '{date}';\nCOPY INTO {table}\n  FROM {stage}\n  FILES = ({files})\n  FILE_FORMAT = (TYPE = PARQUET, USE_LOGICAL_TYPE = TRUE)\n  MATCH_BY_COLUMN_NAME = CASE_SENSITIVE\n  FORCE = TRUE;\nCOMMIT;\n",
            self.head()
        )
    }

    fn bigquery(&self, address: Option<&str>, connection: Option<&str>) -> String {
        let address = address.unwrap_or(self.address).trim_end_matches('/');
        let files = self.listed(|path| format!("{address}/{path}"));
        let connection = connection.map(|name| format!("\n  WITH CONNECTION `{name}`")).unwrap_or_default();
        let (table, date) = (self.table('`'), self.commit.run_date);
        let columns = self.columns('`', |dtype| dtype.to_owned()).into_iter().map(|(name, _)| name);
        let columns = columns.collect::<Vec<_>>().join(", ");
        let create = self.create('`', bigquery_type);
        format!(
            "{}{create}LOAD DATA INTO TEMP TABLE patronage_staged\n  FROM FILES (format = 'PARQUET', uris = [{files}]){connection};\nBEGIN TRANSACTION;\nDELETE FROM {table} WHERE `run_date` = DATE '{date}';\nINSERT INTO {table} ({columns})\n  SELECT {columns} FROM patronage_staged;\nCOMMIT TRANSACTION;\n",
            self.head()
        )
    }

    fn redshift(&self, iam_role: &str) -> String {
        let (table, date) = (self.table('"'), self.commit.run_date);
        let manifest = format!("{}/run_date={date}/{MANIFEST}", self.address);
        let columns = self.columns('"', |dtype| dtype.to_owned()).into_iter().map(|(name, _)| name);
        let columns = columns.collect::<Vec<_>>().join(", ");
        let create = self.create('"', redshift_type);
        let lists = self.columns('"', redshift_type).iter().any(|(_, dtype)| dtype == "SUPER");
        let lists = if lists { " SERIALIZETOJSON" } else { "" };
        format!(
            "{}{create}BEGIN;\nDELETE FROM {table} WHERE \"run_date\" = DATE '{date}';\nCOPY {table} ({columns})\n  FROM '{manifest}'\n  IAM_ROLE '{}'\n  FORMAT AS PARQUET{lists} MANIFEST;\nCOMMIT;\n",
            self.head(),
            iam_role.replace('\'', "''")
        )
    }

    fn redshift_manifest(&self) -> String {
        let entry = |file: &super::commit::CommittedFile| {
            json!({
                "url": format!("{}/{}", self.address, file.path), "mandatory": true,
                "meta": { "content_length": file.bytes },
            })
        };
        let entries: Vec<Value> = self.commit.files.iter().map(entry).collect();
        serde_json::to_string_pretty(&json!({ "entries": entries })).unwrap_or_default() + "\n"
    }

    fn head(&self) -> String {
        let (date, table) = (self.commit.run_date, &self.load.table);
        format!("-- Replaces the rows of {date} in {table}: all or nothing, and as often as it is run.\n")
    }

    fn table(&self, quote: char) -> String {
        let schema = self.load.schema.iter().map(|schema| format!("{}.", quoted(schema, quote)));
        format!("{}{}", schema.collect::<String>(), quoted(&self.load.table, quote))
    }

    fn create(&self, quote: char, dtype: fn(&str) -> String) -> String {
        let columns = self.columns(quote, dtype).into_iter().map(|(name, dtype)| format!("  {name} {dtype}"));
        let columns = columns.collect::<Vec<_>>().join(",\n");
        format!("CREATE TABLE IF NOT EXISTS {} (\n{columns}\n);\n", self.table(quote))
    }

    /// Name, in quotes, and type of each column.
    fn columns(&self, quote: char, dtype: fn(&str) -> String) -> Vec<(String, String)> {
        let text = |column: &Value, key: &str| column.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let of = |column| (quoted(&text(column, "name"), quote), dtype(&text(column, "type")));
        self.commit.schema.iter().map(of).collect()
    }

    fn listed(&self, address: impl Fn(&str) -> String) -> String {
        let paths = self.commit.files.iter().map(|file| format!("'{}'", address(&file.path).replace('\'', "''")));
        paths.collect::<Vec<_>>().join(", ")
    }
}

fn quoted(name: &str, quote: char) -> String {
    format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
}

/// `item` of `list(item)`.
fn item(dtype: &str) -> Option<&str> {
    dtype.strip_prefix("list(")?.strip_suffix(')')
}

fn decimal(dtype: &str, name: &str) -> Option<String> {
    dtype.strip_prefix("decimal").map(|digits| format!("{name}{digits}"))
}

fn duckdb_type(dtype: &str) -> String {
    match dtype {
        "int8" => "TINYINT".to_owned(),
        "int16" => "SMALLINT".to_owned(),
        "int32" => "INTEGER".to_owned(),
        "int64" => "BIGINT".to_owned(),
        "uint8" => "UTINYINT".to_owned(),
        "uint16" => "USMALLINT".to_owned(),
        "uint32" => "UINTEGER".to_owned(),
        "uint64" => "UBIGINT".to_owned(),
        "float32" => "FLOAT".to_owned(),
        "float64" => "DOUBLE".to_owned(),
        "bool" => "BOOLEAN".to_owned(),
        "date" => "DATE".to_owned(),
        "datetime" => "TIMESTAMPTZ".to_owned(),
        other => match (item(other), decimal(other, "DECIMAL")) {
            (Some(item), _) => format!("{}[]", duckdb_type(item)),
            (None, Some(decimal)) => decimal,
            (None, None) => "VARCHAR".to_owned(),
        },
    }
}

fn snowflake_type(dtype: &str) -> String {
    match dtype {
        "float32" | "float64" => "FLOAT".to_owned(),
        "bool" => "BOOLEAN".to_owned(),
        "date" => "DATE".to_owned(),
        "datetime" => "TIMESTAMP_TZ".to_owned(),
        other if other.starts_with("int") || other.starts_with("uint") => "NUMBER(20, 0)".to_owned(),
        other if item(other).is_some() => "ARRAY".to_owned(),
        other => decimal(other, "NUMBER").unwrap_or_else(|| "VARCHAR".to_owned()),
    }
}

fn bigquery_type(dtype: &str) -> String {
    match dtype {
        "float32" | "float64" => "FLOAT64".to_owned(),
        "bool" => "BOOL".to_owned(),
        "date" => "DATE".to_owned(),
        "datetime" => "TIMESTAMP".to_owned(),
        other if other.starts_with("int") || other.starts_with("uint") => "INT64".to_owned(),
        other => match (item(other), decimal(other, "NUMERIC")) {
            (Some(item), _) => format!("ARRAY<{}>", bigquery_type(item)),
            (None, Some(decimal)) => decimal,
            (None, None) => "STRING".to_owned(),
        },
    }
}

fn redshift_type(dtype: &str) -> String {
    match dtype {
        "int8" | "int16" | "uint8" => "SMALLINT".to_owned(),
        "int32" | "uint16" => "INTEGER".to_owned(),
        "int64" | "uint32" => "BIGINT".to_owned(),
        "uint64" => "DECIMAL(20, 0)".to_owned(),
        "float32" => "REAL".to_owned(),
        "float64" => "DOUBLE PRECISION".to_owned(),
        "bool" => "BOOLEAN".to_owned(),
        "date" => "DATE".to_owned(),
        "datetime" => "TIMESTAMPTZ".to_owned(),
        other if item(other).is_some() => "SUPER".to_owned(),
        other => decimal(other, "DECIMAL").unwrap_or_else(|| "VARCHAR(65535)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(loaders: Value) -> Commit {
        let column =
            |name: &str, dtype: &str| json!({"name": name, "type": dtype, "class": "behavioral", "key": false});
        serde_json::from_value(json!({
            "version": 1, "run_id": "a", "run_date": "2024-01-02", "sequence": 1, "key": "k",
            "created_at": "2024-01-02T00:00:00Z", "replaces": [],
            "schema": [column("id", "int64"), column("run_date", "date"), column("vector", "list(float32)"), column("price", "decimal(10,2)")],
            "files": [{"path": "run_date=2024-01-02/part-0.parquet", "bytes": 7, "rows": 1, "sha256": "0"}],
            "load": {"table": "scores", "schema": "marts", "loaders": loaders},
        }))
        .unwrap()
    }

    fn file(loader: Value, name: &str) -> String {
        let files = files(&commit(json!([loader])), "s3://lake/scores/");
        files.into_iter().find(|(found, _)| found == name).unwrap().1
    }

    #[test]
    fn redshift_gets_the_manifest_that_its_copy_reads() {
        let redshift = json!({"redshift": {"iam_role": "arn:aws:iam::1:role/r"}});
        let manifest: Value = serde_json::from_str(&file(redshift.clone(), "_manifest.redshift.json")).unwrap();
        let url = "s3://lake/scores/run_date=2024-01-02/part-0.parquet";
        let entry = json!({"url": url, "mandatory": true, "meta": {"content_length": 7}});
        assert_eq!(manifest, json!({"entries": [entry]}));
        let script = file(redshift, "_load.redshift.sql");
        assert!(script.contains("FROM 's3://lake/scores/run_date=2024-01-02/_manifest.redshift.json'"), "{script}");
        assert!(script.contains("\"vector\" SUPER") && script.contains("PARQUET SERIALIZETOJSON MANIFEST"), "{script}");
    }

    #[test]
    fn each_script_replaces_its_date_in_a_transaction() {
        let snowflake = file(json!({"snowflake": {"stage": "@lake.scores"}}), "_load.snowflake.sql");
        assert!(snowflake.contains("FORCE = TRUE") && snowflake.contains("\"price\" NUMBER(10,2)"), "{snowflake}");
        let bigquery = json!({"bigquery": {"address": "gs://copy/scores", "connection": null}});
        let bigquery = file(bigquery, "_load.bigquery.sql");
        assert!(bigquery.contains("uris = ['gs://copy/scores/run_date=2024-01-02/part-0.parquet']"), "{bigquery}");
        assert!(bigquery.contains("`vector` ARRAY<FLOAT64>"), "{bigquery}");
        for script in [snowflake, bigquery, file(json!("duckdb"), "_load.duckdb.sql")] {
            let place = |word: &str| script.find(word).unwrap_or_else(|| panic!("{word} in {script}"));
            let order = [place("CREATE TABLE IF NOT EXISTS"), place("BEGIN"), place("DELETE FROM"), place("COMMIT")];
            assert!(order.is_sorted() && script.contains("DATE '2024-01-02'"), "{script}");
        }
    }
}
