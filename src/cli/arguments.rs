//! The flags, their variables and defaults.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

/// Customer intelligence as one nightly batch job.
#[derive(Debug, Parser)]
#[command(name = "patronage", version, about, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "Start: `patronage init DIR`, then `patronage run DIR/pipelines/nightly.yaml`.
Exit codes: 0 done; 1 a stage failed; 2 usage; 65 a check or contract failed; 66 input missing or
stale; 70 a bug; 74 local I/O; 75 transient storage failure (retry); 78 bad configuration; 130 and
143 interrupted. `patronage explain CODE` explains a diagnostic code.";

/// Flags of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// The directory that relative paths start from [default: the nearest above the pipeline with a `configs` folder]
    #[arg(long, global = true, env = "PATRONAGE_PROJECT", value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// How much to say on stderr
    #[arg(long, global = true, env = "PATRONAGE_LOG_LEVEL", value_enum, default_value_t = Level::Info)]
    pub log_level: Level,
    /// One line a message, or one JSON object
    #[arg(long, global = true, env = "PATRONAGE_LOG_FORMAT", value_enum, default_value_t = Format::Text)]
    pub log_format: Format,
    /// Whether a run shows a live line per running stage
    #[arg(long, global = true, env = "PATRONAGE_PROGRESS", value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// On a terminal, with a log for people
    Auto,
    Never,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run what has changed, and publish
    Run(Box<Run>),
    /// Show what would run, and why
    Plan(Plan),
    /// Check a pipeline before anything runs
    Validate(Validate),
    /// Run the pipeline's own tests
    Test(Test),
    /// List the last runs: outcomes, durations, rows, drift
    Runs(Runs),
    /// List the versions of models; promote one, or roll back
    Models(Models),
    /// Make the files with which Airflow or Kubernetes runs a pipeline
    Export(Export),
    /// Say what changed between two runs
    Diff(Diff),
    /// Read published data back and compare it with its checksums
    Verify(Verify),
    /// Print the DAG
    Graph(Graph),
    /// Print the first rows of a stage's output
    Show(Show),
    /// List the stage kinds, or print the documentation of one
    List(List),
    /// Print the JSON Schema of pipelines or environments, for editors
    Schema(Schema),
    /// Make a commented project that runs
    Init(Init),
    /// Make up a retailer's purchase history
    Synthesize(Synthesize),
    /// Explain a diagnostic code
    Explain(Explain),
}

/// Which pipeline, where and when.
#[derive(Debug, Args)]
pub struct Target {
    /// The pipeline file
    #[arg(value_name = "PIPELINE")]
    pub pipeline: PathBuf,
    /// The environment: configs/<ENV>.yaml
    #[arg(long, env = "PATRONAGE_ENV", default_value = "local")]
    pub env: String,
    /// YYYY-MM-DD, `today` or `yesterday` [default: the environment's `run_date`, else today in UTC]
    #[arg(long, env = "PATRONAGE_RUN_DATE", value_name = "DATE")]
    pub run_date: Option<String>,
}

/// Which stages.
#[derive(Debug, Args)]
pub struct Selection {
    /// Only these: `id`, `+id`, `id+`, `2+id+1`, `stage:kmeans`, `tag:x`, `state:modified`, `result:error`
    #[arg(long, env = "PATRONAGE_SELECT", value_name = "EXPR", action = ArgAction::Append)]
    pub select: Vec<String>,
    /// All but these
    #[arg(long, env = "PATRONAGE_EXCLUDE", value_name = "EXPR", action = ArgAction::Append)]
    pub exclude: Vec<String>,
    /// Run also what has not changed
    #[arg(long, env = "PATRONAGE_FULL_REFRESH", value_parser = BoolishValueParser::new())]
    pub full_refresh: bool,
}

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub selection: Selection,
    /// Threads [default: as many as the machine has]
    #[arg(long, env = "PATRONAGE_THREADS", value_name = "N")]
    pub threads: Option<usize>,
    /// Refuse to grow beyond this, such as `4GiB`
    #[arg(long, env = "PATRONAGE_MEMORY_LIMIT", value_name = "SIZE")]
    pub memory_limit: Option<String>,
    /// Stop at the first failure instead of finishing what does not depend on it
    #[arg(long, env = "PATRONAGE_FAIL_FAST")]
    pub fail_fast: bool,
    /// Publish though gates do not hold; later nights are compared with this one
    #[arg(long, env = "PATRONAGE_ACCEPT_GATES", value_parser = BoolishValueParser::new())]
    pub accept_gates: bool,
    /// Write steps and checks as JUnit XML into this file
    #[arg(long, env = "PATRONAGE_JUNIT", value_name = "FILE")]
    pub junit: Option<PathBuf>,
    #[command(flatten)]
    pub tell: Tell,
    #[command(flatten)]
    pub backfill: Option<Backfill>,
}

/// Who is told at the end.
#[derive(Debug, Args)]
pub struct Tell {
    /// Write Prometheus metrics into this file, for the node exporter's textfile collector
    #[arg(long, env = "PATRONAGE_METRICS_FILE", value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// Push Prometheus metrics to this gateway
    #[arg(long, env = "PATRONAGE_PUSHGATEWAY", value_name = "URL", hide_env_values = true)]
    pub pushgateway: Option<String>,
    /// Where to post a message if the run fails
    #[arg(long, env = "PATRONAGE_WEBHOOK", value_name = "URL", hide_env_values = true)]
    pub webhook: Option<String>,
    /// The file that holds the address of the webhook
    #[arg(long, env = "PATRONAGE_WEBHOOK_FILE", value_name = "FILE", conflicts_with = "webhook")]
    pub webhook_file: Option<PathBuf>,
}

/// Many run dates, one run each.
#[derive(Debug, Args)]
#[group(required = false, multiple = true, requires_all = ["from", "to"])]
pub struct Backfill {
    /// Backfill: the first run date, YYYY-MM-DD
    #[arg(long, value_name = "DATE", required = false, requires = "to", conflicts_with = "run_date")]
    pub from: String,
    /// Backfill: the last run date
    #[arg(long, value_name = "DATE", required = false, requires = "from")]
    pub to: String,
    /// Backfill: how far apart the run dates are: `1d`, `1w`, `1M`
    #[arg(long, value_name = "STEP", default_value = "1d", requires = "from")]
    pub every: String,
    /// Backfill: so many run dates at once, where no stage depends on the night before [default: 1]
    #[arg(long, value_name = "N", requires = "from")]
    pub parallel: Option<usize>,
}

#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub selection: Selection,
}

#[derive(Debug, Args)]
pub struct Validate {
    #[command(flatten)]
    pub target: Target,
    /// Look at no storage, only at the contracts
    #[arg(long, env = "PATRONAGE_OFFLINE")]
    pub offline: bool,
    /// Print the pipeline as it would run, in YAML: variables filled in, anchors expanded
    #[arg(long, env = "PATRONAGE_RENDERED")]
    pub rendered: bool,
}

#[derive(Debug, Args)]
pub struct Test {
    #[command(flatten)]
    pub target: Target,
    /// Only tests of these stages (as for `run`), or `test:NAME`
    #[arg(long, env = "PATRONAGE_SELECT", value_name = "EXPR", action = ArgAction::Append)]
    pub select: Vec<String>,
    /// Write the results as JUnit XML too
    #[arg(long, env = "PATRONAGE_JUNIT", value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Runs {
    /// Only runs of this pipeline: its name or its file
    #[arg(long, env = "PATRONAGE_PIPELINE", value_name = "PIPELINE")]
    pub pipeline: Option<String>,
    /// The environment, which says where artifacts are: configs/<ENV>.yaml
    #[arg(long, env = "PATRONAGE_ENV", default_value = "local")]
    pub env: String,
    /// So many, the newest first
    #[arg(long, env = "PATRONAGE_LAST", value_name = "N", default_value_t = 10)]
    pub last: usize,
    /// How to say it: `json` is one object a line
    #[arg(long, env = "PATRONAGE_RUNS_FORMAT", value_enum, default_value_t = RunsFormat::Text)]
    pub format: RunsFormat,
}

/// How runs are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RunsFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub struct Models {
    #[command(flatten)]
    pub target: Target,
    /// List only those of this stage
    #[arg(long, env = "PATRONAGE_STAGE", value_name = "STAGE")]
    pub stage: Option<String>,
    /// Let later runs apply this version, whatever is fitted after it; the version may be cut short, to its date for
    /// instance
    #[arg(long, value_name = "STAGE=VERSION", action = ArgAction::Append)]
    pub promote: Vec<String>,
    /// Let later runs apply what was served before
    #[arg(long, value_name = "STAGE", action = ArgAction::Append)]
    pub rollback: Vec<String>,
    /// Let later runs apply the newest version again
    #[arg(long, value_name = "STAGE", action = ArgAction::Append)]
    pub follow: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Export {
    /// For whom
    #[arg(value_enum)]
    pub kind: ExportKind,
    #[command(flatten)]
    pub target: Target,
    /// Write into this file (cronjob) or directory (airflow) instead of printing
    #[arg(long, env = "PATRONAGE_EXPORT_OUT", value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// When, in the words of cron
    #[arg(long, env = "PATRONAGE_SCHEDULE", value_name = "CRON", default_value = "0 2 * * *")]
    pub schedule: String,
    /// Of the schedule; run dates are days in UTC
    #[arg(long, env = "PATRONAGE_TIME_ZONE", value_name = "ZONE", default_value = "Etc/UTC")]
    pub time_zone: String,
    /// The container's image (cronjob)
    #[arg(long, env = "PATRONAGE_IMAGE", value_name = "IMAGE", default_value = concat!("patronage:", env!("CARGO_PKG_VERSION")))]
    pub image: String,
}

/// Which scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportKind {
    /// A DAG for Airflow 3
    Airflow,
    /// A CronJob for Kubernetes
    Cronjob,
}

#[derive(Debug, Args)]
pub struct Diff {
    /// The earlier run: its directory, its id or the start of it, a run date, `last`, `last~2`
    #[arg(value_name = "BEFORE", default_value = "last~1")]
    pub before: String,
    /// The later run
    #[arg(value_name = "NOW", default_value = "last")]
    pub now: String,
    /// How to say it [default: by the ending of --out, else text]
    #[arg(long, env = "PATRONAGE_DIFF_FORMAT", value_enum)]
    pub format: Option<DiffFormat>,
    /// Write into this file instead of printing
    #[arg(long, env = "PATRONAGE_DIFF_OUT", value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Only runs of this pipeline: its name or its file
    #[arg(long, env = "PATRONAGE_PIPELINE", value_name = "PIPELINE")]
    pub pipeline: Option<String>,
    /// The environment, which says where artifacts are: configs/<ENV>.yaml
    #[arg(long, env = "PATRONAGE_ENV", default_value = "local")]
    pub env: String,
    /// Tell counts from 1 to 4 and rare levels, too
    #[arg(long, env = "PATRONAGE_UNMASK")]
    pub unmask: bool,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// The pipeline file, whose publications are checked; or a published dataset: a directory, or `s3://…`
    #[arg(value_name = "PIPELINE|DATASET")]
    pub what: String,
    /// The environment: configs/<ENV>.yaml
    #[arg(long, env = "PATRONAGE_ENV", default_value = "local")]
    pub env: String,
    /// YYYY-MM-DD, `today` or `yesterday` [default: of a pipeline as for `run`, of a dataset every date]
    #[arg(long, env = "PATRONAGE_RUN_DATE", value_name = "DATE")]
    pub run_date: Option<String>,
    /// Every date that was published, and what lies beside them, whatever --run-date says
    #[arg(long, env = "PATRONAGE_ALL_DATES", value_parser = BoolishValueParser::new())]
    pub all_dates: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum DiffFormat {
    Text,
    Markdown,
    Html,
    Json,
}

#[derive(Debug, Args)]
pub struct Graph {
    #[command(flatten)]
    pub target: Target,
    /// The language of the drawing
    #[arg(long, env = "PATRONAGE_FORMAT", value_enum, default_value_t = GraphFormat::Mermaid)]
    pub format: GraphFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum GraphFormat {
    Mermaid,
    Dot,
}

#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    pub target: Target,
    /// The stage, or `stage.port`
    pub stage: String,
    /// How many rows
    #[arg(long, short = 'n', env = "PATRONAGE_ROWS", default_value_t = 10)]
    pub rows: usize,
    /// Show columns of class `direct_id` instead of masking them
    #[arg(long, env = "PATRONAGE_UNMASK")]
    pub unmask: bool,
}

#[derive(Debug, Args)]
pub struct List {
    /// The kind to document; all kinds, a line each, without it
    pub kind: Option<String>,
    /// Print the reference pages as Markdown into this directory
    #[arg(long, value_name = "DIR", hide = true)]
    pub pages: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Schema {
    /// What the schema is of
    #[arg(value_enum, default_value_t = SchemaOf::Pipeline)]
    pub of: SchemaOf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SchemaOf {
    Pipeline,
    Environment,
}

#[derive(Debug, Args)]
pub struct Init {
    /// The directory to make; it must not exist or be empty
    pub directory: PathBuf,
}

#[derive(Debug, Args)]
pub struct Synthesize {
    /// Customers who ever buy
    #[arg(long, env = "PATRONAGE_CUSTOMERS", default_value_t = 1500)]
    pub customers: u32,
    /// The same seed gives the same bytes
    #[arg(long, env = "PATRONAGE_SEED", default_value_t = 42)]
    pub seed: u64,
    /// The first day
    #[arg(long, env = "PATRONAGE_FROM", default_value = "2023-01-01", value_name = "DATE")]
    pub from: chrono::NaiveDate,
    /// The last day
    #[arg(long, env = "PATRONAGE_TO", default_value = "2024-12-31", value_name = "DATE")]
    pub to: chrono::NaiveDate,
    /// The directory to write into; it must not exist or be empty
    #[arg(long, env = "PATRONAGE_OUT", value_name = "DIR")]
    pub out: PathBuf,
    /// Replace the tables in a directory that is not empty; other files stay
    #[arg(long, env = "PATRONAGE_FORCE")]
    pub force: bool,
    /// Threads [default: as many as the machine has]
    #[arg(long, env = "PATRONAGE_THREADS", value_name = "N")]
    pub threads: Option<usize>,
    /// How strong the seasons are: 1 as documented, 0 for none, up to 10
    #[arg(long, env = "PATRONAGE_SEASONALITY", default_value_t = 1.0, value_name = "FACTOR")]
    pub seasonality: f64,
    /// How many buy only once: 1 as documented, 0 for none, up to 10
    #[arg(long, env = "PATRONAGE_ONE_TIME", default_value_t = 1.0, value_name = "FACTOR")]
    pub one_time: f64,
    /// How much comes back: 1 as documented, 0 for nothing, up to 10
    #[arg(long, env = "PATRONAGE_RETURNS", default_value_t = 1.0, value_name = "FACTOR")]
    pub returns: f64,
    /// How many rows are bad: 1 as documented, 0 for none, up to 10
    #[arg(long, env = "PATRONAGE_BAD_ROWS", default_value_t = 1.0, value_name = "FACTOR")]
    pub bad_rows: f64,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// Such as P101; all codes, a line each, without it
    pub code: Option<String>,
}
