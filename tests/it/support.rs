//! Projects in temporary directories, and the program run in them.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use polars::prelude::{
    Column, DataFrame, DataType, IntoColumn, NamedFrom, ParquetReader, ParquetWriter, SerReader, Series, TimeUnit,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// The environment of projects that do not say otherwise.
pub const ENVIRONMENT: &str = "lake: data\nwarehouse: target/warehouse\nrun_date: 2025-01-01\n";

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program without any variable that it or its caller's shell could have set for it.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patronage"));
    let others = ["PATRONAGE_", "OTEL_", "TRACEPARENT", "TRACESTATE"];
    for (name, _) in std::env::vars().filter(|(name, _)| others.iter().any(|start| name.starts_with(start))) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1");
    command
}

/// How the program ended, and what it said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    pub fn of(output: Output) -> Said {
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        Said {
            code: output.status.code().expect("the program was not killed"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Itself, if it ended with this code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Said {
        assert_eq!(self.code, code, "\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// Runs the program outside of any project.
pub fn patronage(arguments: &[&str]) -> Said {
    Said::of(program().args(arguments).output().expect("the program starts"))
}

/// A project that is gone after the test.
pub struct Project {
    directory: TempDir,
}

impl Project {
    /// A project with this pipeline as `pipeline.yaml` and the default environment.
    pub fn new(pipeline: &str) -> Project {
        let project = Project { directory: tempfile::tempdir().expect("a temporary directory") };
        project.write("pipeline.yaml", pipeline);
        project.write("configs/local.yaml", ENVIRONMENT);
        project
    }

    /// The project of the repository: its pipeline, its environment, its data.
    pub fn shipped() -> Project {
        let read = |path: &str| std::fs::read_to_string(repository().join(path)).expect(path);
        let project = Project::new(&read("pipelines/nightly.yaml"));
        project.write("configs/local.yaml", &read("configs/local.yaml"));
        std::fs::create_dir_all(project.path("data")).expect("a directory");
        for table in ["transactions", "products", "consents"] {
            let file = format!("data/{table}.parquet");
            std::fs::copy(repository().join(&file), project.path(&file)).expect("the data");
        }
        project
    }

    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }

    /// Replaces a part of the pipeline; it must be there once.
    #[track_caller]
    pub fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path("pipeline.yaml")).expect("the pipeline");
        assert_eq!(text.matches(from).count(), 1, "`{from}` in\n{text}");
        self.write("pipeline.yaml", &text.replace(from, to));
    }

    pub fn write_parquet(&self, name: &str, columns: Vec<Column>) {
        let height = columns.first().map_or(0, Column::len);
        let mut frame = DataFrame::new(height, columns).expect("columns of one length");
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        ParquetWriter::new(File::create(path).expect("a file")).finish(&mut frame).expect("a Parquet file");
    }

    /// Runs the program in the project's directory.
    pub fn patronage(&self, arguments: &[&str]) -> Said {
        Said::of(program().args(arguments).current_dir(self.root()).output().expect("the program starts"))
    }

    /// `patronage <command> pipeline.yaml <arguments>`
    pub fn on_pipeline(&self, command: &str, arguments: &[&str]) -> Said {
        self.patronage(&[&[command, "pipeline.yaml"], arguments].concat())
    }

    /// Runs the pipeline; what became of each node, by id, and the run's directory.
    #[track_caller]
    pub fn run(&self, code: i32, arguments: &[&str]) -> Ran {
        let before = self.runs();
        let said = self.on_pipeline("run", arguments).ends(code);
        let new: Vec<PathBuf> = self.runs().into_iter().filter(|run| !before.contains(run)).collect();
        let [directory] = new.as_slice() else { panic!("one new run, not {new:?}") };
        Ran { said, directory: directory.clone() }
    }

    /// The directories of runs: those with a `run_results.json`.
    fn runs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path("target/patronage")).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.join("run_results.json").is_file()).collect()
    }

    /// The table of a stage's port. The stage must have run once only.
    #[track_caller]
    pub fn table(&self, pipeline: &str, stage: &str, port: &str) -> DataFrame {
        let executions = files(&self.path("target/patronage/tables").join(pipeline).join(stage));
        let found: Vec<&PathBuf> = executions.iter().filter(|path| path.ends_with(format!("{port}.parquet"))).collect();
        let [file] = found.as_slice() else { panic!("one table {stage}.{port}, not {found:?}") };
        read_parquet(file)
    }
}

/// What a run left.
pub struct Ran {
    pub said: Said,
    pub directory: PathBuf,
}

impl Ran {
    pub fn json(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.directory.join(name)).expect(name);
        serde_json::from_str(&text).expect(name)
    }

    /// Status by id of each node, as `run_results.json` has it; checks are beside them.
    pub fn statuses(&self) -> BTreeMap<String, String> {
        let results = self.json("run_results.json");
        let text = |entry: &Value, key: &str| entry[key].as_str().expect(key).to_owned();
        let entries = results["results"].as_array().expect("a list of results");
        let nodes = entries.iter().filter(|entry| !text(entry, "unique_id").starts_with("test."));
        nodes.map(|entry| (text(entry, "unique_id"), text(entry, "status"))).collect()
    }

    /// The ids of the nodes with a status, ascending.
    pub fn with_status(&self, status: &str) -> Vec<String> {
        self.statuses().into_iter().filter(|(_, one)| one == status).map(|(id, _)| id).collect()
    }
}

/// The transactions of the Online Retail set of the UCI repository, which is not part of this one: `PATRONAGE_RETAIL`
/// says where they are, or they lie in `data/external`. Where they are not, the test says that it is skipped. That a
/// file which is named is not there is a mistake.
#[track_caller]
pub fn retail() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("PATRONAGE_RETAIL").map(PathBuf::from) {
        assert!(named.is_file(), "PATRONAGE_RETAIL names {}, which does not exist", named.display());
        return named.canonicalize().ok();
    }
    let usual = repository().join("data/external/online_retail/transactions.parquet");
    if !usual.is_file() {
        eprintln!("skipped: neither PATRONAGE_RETAIL is set nor does {} exist", usual.display());
    }
    usual.canonicalize().ok()
}

pub fn read_parquet(path: &Path) -> DataFrame {
    ParquetReader::new(File::open(path).expect("a file")).finish().expect("a Parquet file")
}

/// Every file below a directory, ascending.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// SHA-256 of every file below a directory, by its path there.
pub fn digests(directory: &Path) -> BTreeMap<String, String> {
    let digest = |path: PathBuf| {
        let name = path.strip_prefix(directory).expect("a file below").display().to_string();
        let bytes = std::fs::read(path).expect("a file");
        (name, Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    };
    files(directory).into_iter().map(digest).collect()
}

/// A datetime column (microseconds, no zone) from hours since the start of 2024.
pub fn hours_of_2024(name: &str, hours: &[i64]) -> Column {
    const START_US: i64 = 1_704_067_200_000_000;
    let moments: Vec<i64> = hours.iter().map(|hour| START_US + hour * 3_600_000_000).collect();
    let series = Series::new(name.into(), moments);
    series.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).expect("a datetime").into_column()
}

pub fn integers(name: &str, values: &[i64]) -> Column {
    Series::new(name.into(), values).into_column()
}

pub fn floats(name: &str, values: &[f64]) -> Column {
    Series::new(name.into(), values).into_column()
}

pub fn texts(name: &str, values: &[&str]) -> Column {
    Series::new(name.into(), values).into_column()
}

/// A small shop: two queries, features, a join, and one publication.
pub const SHOP: &str = include_str!("../cases/shop/pipeline.yaml");

impl Project {
    /// [`SHOP`] with 40 sales of 7 customers in `data/sales.parquet`; run dates up to 2024-06-01 suit it.
    pub fn shop() -> Project {
        let project = Project::new(SHOP);
        project.write("configs/local.yaml", "lake: data\nwarehouse: out\nrun_date: 2024-06-01\n");
        project.write_sales(40);
        project
    }

    /// Sales every 90 hours from 2024-01-01.
    pub fn write_sales(&self, count: i64) {
        let rows = || 0..count;
        let customers: Vec<i64> = rows().map(|row| 100 + row * row % 7).collect();
        let items: Vec<&str> = rows().map(|row| ["tea", "cup", "pot"][(row % 3) as usize]).collect();
        let amounts: Vec<f64> = rows().map(|row| (row * 37 % 100) as f64 / 4.0 - 2.0).collect();
        let hours: Vec<i64> = rows().map(|row| row * 90).collect();
        let columns = vec![
            integers("customer", &customers),
            texts("item", &items),
            hours_of_2024("at", &hours),
            floats("amount", &amounts),
        ];
        self.write_parquet("data/sales.parquet", columns);
    }
}
