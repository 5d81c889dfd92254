//! Every diagnostic code, with what it means and the exit code it leads to.

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    StageFailed = 1,
    Usage = 2,
    CheckFailed = 65,
    InputMissing = 66,
    Bug = 70,
    LocalIo = 74,
    Transient = 75,
    Configuration = 78,
    Interrupted = 130,
    Terminated = 143,
}

macro_rules! codes {
    ($($variant:ident = $id:literal, $exit:ident, $title:literal, $text:literal;)*) => {
        /// A diagnostic code; `patronage explain CODE` prints its page.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $title] $variant),* }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            /// The stable name, such as `P101`.
            pub fn id(self) -> &'static str { match self { $(Code::$variant => $id),* } }

            /// One line: what is wrong.
            pub fn title(self) -> &'static str { match self { $(Code::$variant => $title),* } }

            /// Why it is wrong and how to mend it.
            pub fn explanation(self) -> &'static str { match self { $(Code::$variant => $text),* } }

            /// The exit code of a process that ends because of it.
            pub fn exit(self) -> Exit { match self { $(Code::$variant => Exit::$exit),* } }
        }
    };
}

codes! {
    YamlSyntax = "P100", Configuration, "the file is not valid YAML",
        "The text could not be parsed as YAML 1.2. The position is where the parser gave up; the mistake is often on the line above: a missing colon, a tab, an unclosed quote or bracket.";
    UnknownKey = "P101", Configuration, "a key that does not belong here",
        "Unknown keys are errors, so that a misspelt option is never ignored. The message names the keys that are allowed. Top-level keys starting with `x-` are free for YAML anchors.";
    MissingKey = "P102", Configuration, "a required key is missing",
        "The mapping lacks a key without which it has no meaning. Add it.";
    WrongType = "P103", Configuration, "a value of the wrong type",
        "The value is, for instance, a string where a number is expected. Quotes make strings: `\"4\"` is text, `4` is a number.";
    BadValue = "P104", Configuration, "a value outside what is allowed",
        "The type is right but the value is not: below a minimum, not one of the allowed words, a share above one, an empty list. The message says what is allowed.";
    BadDuration = "P105", Configuration, "not a duration or a date",
        "Durations are a positive whole number and a unit: `90d`, `12w`. Dates are written `YYYY-MM-DD`.";
    UnsetVariable = "P106", Configuration, "a variable has no value",
        "`${name}` comes from the environment file (configs/<env>.yaml), `${env.NAME}` from the process. Set it, or give a default: `${env.NAME:-default}`. `$$` is a dollar sign.";
    DuplicateKey = "P107", Configuration, "a key is given twice",
        "YAML would silently keep one of the two. Remove or rename one.";
    BadInterpolation = "P108", Configuration, "a `${…}` that cannot be read",
        "The forms are `${name}`, `${env.VAR}`, `${env.VAR:-default}`, `${env.VAR:?message}`; write `$$` for a literal dollar.";
    FileMissing = "P109", Configuration, "a configuration file is missing",
        "The pipeline or environment file does not exist or cannot be read. Environments are configs/<name>.yaml under the project's root, the nearest folder above the pipeline that has a `configs` folder (or --project).";
    UnknownKind = "P110", Configuration, "no such stage kind",
        "`stage:` names the kind of the stage. `patronage list` prints every kind with its documentation.";
    DuplicateId = "P111", Configuration, "two things share one name",
        "Sources and stages live in one namespace, since inputs name either. Rename one. Two publications must not write to the same place either.";
    UnknownInput = "P112", Configuration, "an input that nothing provides",
        "An input names a source, a stage, or a port of a stage (`stage.port`). Nothing of that name exists in this pipeline.";
    UnknownPort = "P113", Configuration, "no such port",
        "The stage exists, but has no input or output of that name. The message lists its ports.";
    Cycle = "P114", Configuration, "stages wait for each other",
        "The inputs form a circle, so no stage in it could start. Break it by removing one of the inputs named in the message.";
    MissingInput = "P115", Configuration, "a stage lacks a required input",
        "The stage kind needs this input port. Add it under `inputs:`.";
    BadName = "P116", Configuration, "not a usable name",
        "Names of pipelines, sources, stages, columns made by features, and publications are snake_case: a lowercase letter, then lowercase letters, digits and underscores.";
    UnknownColumn = "P120", Configuration, "no input has that column",
        "The columns of every table are known before anything runs, from the source contracts and the stages' declarations. The message suggests the nearest name.";
    WrongColumnType = "P121", Configuration, "a column of the wrong type",
        "The column exists, but its type cannot be used here, such as text where a number is needed.";
    SqlSyntax = "P122", Configuration, "SQL that cannot be parsed",
        "The position points into the SQL text. Patronage reads one SELECT statement per query, and one expression per feature.";
    SqlUnsupported = "P123", Configuration, "SQL that Patronage does not run",
        "The statement or function parses but is not part of the dialect; see docs/reference/sql.md for what is.";
    SqlInvalid = "P124", Configuration, "SQL that means nothing",
        "The SQL parses, but cannot be planned: an aggregate inside an aggregate, a column outside of one in a feature, types that cannot be combined.";
    Leak = "P130", Configuration, "the evaluation would be fooled",
        "The plan would let a model see the future that it is judged on, so the report would be too good. See docs/evaluation.md for the rules; a table that does not change over time may be declared `static: true`.";
    NoEvaluation = "P131", Configuration, "no snapshot can evaluate the model",
        "A model is judged on the newest snapshot whose labels are known, and trained on snapshots whose label windows end before that moment. With these snapshots there is none of one of the two. Add snapshots (`count`) or shorten the label's window.";
    NoSnapshots = "P132", Configuration, "a table without the snapshots that are needed",
        "The stage reads a table keyed by (entity, as_of), as a `features` stage makes it. Feed it such a table.";
    NotYet = "P140", Configuration, "an option that is not available yet",
        "The option is part of the language but this version does not do it. It is refused rather than ignored.";
    BadSecret = "P160", Configuration, "a secret that cannot be used",
        "A pipeline that makes pseudonyms needs a key of at least 32 random bytes. The environment says where it is, in a file or an environment variable, and never what it is: `pseudonyms: {version: 1, key: {secret: {file: …}}}`. See docs/privacy.md.";
    BadSelection = "P150", Usage, "a selection that selects nothing or cannot be read",
        "--select and --exclude use dbt's grammar: `id`, `+id`, `id+`, `2+id+1`, `stage:kmeans`, `tag:x`, `state:modified`, `result:error`. An empty selection is an error, so that a typing mistake does not look like a success.";
    BadArgument = "P151", Usage, "an argument that cannot be used",
        "A flag or its PATRONAGE_ variable has a value that makes no sense. `--help` says what is expected.";
    SourceMissing = "R200", InputMissing, "a source has no files",
        "Nothing matches the source's path. Check the path, the environment (--env) and that the upstream job has run.";
    SourceStale = "R201", InputMissing, "a table is stale",
        "The newest value of a `freshness` check's column is further before the run date than its `max_age`. Nothing was published. Check that the upstream job has run, then run again.";
    ContractBroken = "R202", CheckFailed, "a source breaks its contract",
        "The files' columns are not those that the pipeline declares: one is missing, there twice or of another type, further or reordered ones are not allowed, or values are not of their column's type. Nothing was published. Change the files or the contract; docs/bad-input.md says what is read as what.";
    CheckFailed = "R203", CheckFailed, "a check failed",
        "A check of severity `error` fails. Nothing was published, whatever it is published from. Mend the data, or choose another severity: `warn`, or `quarantine` to go on without the rows.";
    GateFailed = "R207", CheckFailed, "a gate does not hold",
        "Something that the pipeline's `gates` ask of a stage's table or model does not hold tonight; the message says what. Nothing was published: what was there stays. Look at the report; if what changed is as it should be, run once with --accept-gates: nothing is stopped, and later nights are compared with this one. See docs/operations.md.";
    TestFailed = "R208", CheckFailed, "a test of the pipeline failed",
        "The stage made other rows than the test expects, or none. The rows are shown side by side: `-` was expected, `+` came out. Mend the stage or the test; see docs/testing.md.";
    CorruptFile = "R204", CheckFailed, "a file cannot be read",
        "The file is not of its format, is cut off, encrypted or damaged. Write it again; docs/bad-input.md lists what is found. Of a model: its files are not those that its version names, so it scores nobody. Fit it again for its run date with --full-refresh, or remove its directory.";
    RunMissing = "R205", InputMissing, "no such run",
        "A run is named by its directory, its id or the start of it, its run date (the newest finished run of it), or `last`, `last~1` and so on. Runs are looked for in the environment's `artifacts`, target/patronage by default.";
    ModelMissing = "R206", InputMissing, "no such model",
        "`patronage models` found no version of that name, or none to go back to. Without --promote and --rollback it lists the versions that there are.";
    StageFailed = "R210", StageFailed, "a stage failed",
        "The stage could not do its work on this data; the message says why. Stages that do not depend on it went on. Run again to do only what is missing.";
    StagePanicked = "R211", Bug, "a stage crashed",
        "This is a fault in Patronage or a library, not in your pipeline. Please report it with run_results.json.";
    EarlierModelMissing = "R212", InputMissing, "no earlier model",
        "`mode: apply` scores with the newest model of a run date strictly before this one, and there is none. Run once with `mode: fit_apply` or `fit` for an earlier date.";
    Interrupted = "R213", Interrupted, "the run was interrupted",
        "SIGINT or SIGTERM stopped the run; its artifacts are complete. Run again to do only what is missing.";
    MemoryLimit = "R214", StageFailed, "the memory limit would be exceeded",
        "The run would need, or needed, more memory than --memory-limit or the container allows. The message says which. Nothing was published after it. Do not retry as it is: raise the limit, use fewer --threads, or reduce the data. See docs/reliability.md.";
    LocalIo = "R220", LocalIo, "the local disk refuses",
        "A local file could not be read or written: the disk is full, read-only or the path is not permitted.";
    TransientStorage = "R221", Transient, "storage failed for the moment",
        "The object store did not answer properly even after retries. Run again later.";
    PublishConflict = "R222", Transient, "another run published first",
        "Two runs published the same run date at once, and not the same rows. The other one won; nothing of this run was published or left behind. Run again if yours should replace it. Had both published the same, this run would have ended well.";
    StorageDenied = "R226", Configuration, "S3 denies access",
        "No credentials were found, they are wrong, or they do not permit the request. Credentials come from the `AWS_*` variables, a profile, a role, or `s3: {credentials: …}` in the environment file. Reading needs s3:GetObject and s3:ListBucket; publishing s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload as well. See docs/s3.md.";
    BucketMissing = "R227", Configuration, "there is no such bucket",
        "The server that was asked has no bucket of that name. Check the address, and the endpoint and region of the environment.";
    StorageRefused = "R228", Configuration, "S3 refuses the request",
        "The server understood the request and will not take it, now or later: it is for another region, the certificate is not trusted, or the server lacks something that is needed. The message says what the server said. See docs/s3.md.";
    DriverMissing = "R250", Configuration, "the driver of a database cannot be loaded",
        "A database is reached through an ADBC driver, a shared library that is installed beside Patronage: by the path of the file, or by name (a manifest that the driver manager finds), in the environment's `databases`. PostgreSQL's comes with `pip install adbc-driver-postgresql`, which brings no manifest: name its file. DuckDB's library needs `entrypoint: duckdb_adbc_init`. See docs/warehouses.md.";
    DatabaseTransient = "R251", Transient, "a database failed for the moment",
        "The server could not be reached, ended the connection, or gave way to another transaction. Its table is as it was before; what was published stays published. Run again later: only what is missing is delivered.";
    DatabaseDenied = "R252", Configuration, "a database denies access",
        "User or password are wrong, or the user may not do this. Delivering needs to create, read and write the table, `patronage_deliveries` beside it and temporary tables. See docs/warehouses.md.";
    DatabaseRefused = "R253", Configuration, "a database refuses what is asked",
        "The server understood and will not do it, now or later: there is no such schema, a column is missing or of another type, or the driver lacks something that is needed. The table is as it was before. The message says what the server said.";
    RowsRefused = "R254", CheckFailed, "a database refuses rows",
        "Rows are against a rule of the table: a constraint, or a type that cannot hold a value. The table is as it was before. What the server says of the value is not repeated here, since it may be a customer's; its own log has it.";
    Bug = "R230", Bug, "an internal error",
        "Something that should be impossible happened. Please report it.";
    PublishedDamaged = "R240", CheckFailed, "published data is not what was published",
        "`patronage verify` read a published dataset back and found files that are missing, damaged or do not belong there; the message names each, and how to mend it. Missing files, manifests and markers are mended by running the pipeline for that date again; damaged bytes by running it with --full-refresh, which compares checksums; files of others are yours to move. See docs/reliability.md.";
    NotPublished = "R241", InputMissing, "nothing was published",
        "`patronage verify` found no version of this publication for this run date, or no dataset at all. Check the path, the environment (--env) and the run date, and that the run has ended.";
}

impl Code {
    /// The code with this id, in any case of letters.
    pub fn parse(id: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.id().eq_ignore_ascii_case(id))
    }
}
