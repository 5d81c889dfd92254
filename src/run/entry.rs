//! What becomes of a source's columns as its rows enter a run.

use polars::prelude::{Expr, LazyFrame, col};

use crate::config::{Loaded, Secret};
use crate::plan::{Entry, Plan};
use crate::privacy::{Pseudonyms, from_environment, from_file};
use crate::problem::{Code, Problem};

/// The columns of a table that are replaced by pseudonyms; none of a stage's table, or where nothing is replaced.
#[derive(Debug, Clone, Default)]
pub struct Entering {
    columns: Vec<String>,
    pseudonyms: Option<Pseudonyms>,
}

impl Entering {
    /// Of a source; none where a column is to be replaced and there is no key to do it with.
    pub fn of(entry: &Entry, pseudonyms: Option<&Pseudonyms>) -> Option<Entering> {
        if entry.pseudonymized.is_empty() {
            return Some(Entering::default());
        }
        Some(Entering { columns: entry.pseudonymized.clone(), pseudonyms: Some(pseudonyms?.clone()) })
    }

    /// A column of the files as stages see it.
    pub fn column(&self, name: &str) -> Expr {
        match &self.pseudonyms {
            Some(pseudonyms) if self.columns.iter().any(|column| column == name) => pseudonyms.expression(name),
            _ => col(name),
        }
    }

    /// Rows of the files as stages see them. Columns that nobody asks for are neither read nor replaced.
    pub fn rows(&self, frame: LazyFrame) -> LazyFrame {
        if self.columns.is_empty() {
            return frame;
        }
        frame.with_columns(self.columns.iter().map(|name| self.column(name)).collect::<Vec<_>>())
    }

    /// Whether stages see the columns as the files have them.
    pub fn changes_nothing(&self) -> bool {
        self.columns.is_empty()
    }

    /// What tells a text from others to those who have the key, where there is one; else the text.
    pub fn keyed(&self, text: &str) -> String {
        let Some(pseudonyms) = &self.pseudonyms else { return text.to_owned() };
        let mut keyed = String::new();
        pseudonyms.write(text.as_bytes(), &mut keyed);
        keyed
    }

    /// What tells the key from others, for the cache key; none where nothing is replaced.
    pub fn digest(&self) -> Option<String> {
        self.pseudonyms.as_ref().map(Pseudonyms::digest)
    }
}

/// The key that the environment refers to, if any source of the plan needs it. The message names the place of the
/// reference and nothing of the key.
pub fn pseudonyms(loaded: &Loaded, plan: &Plan) -> Result<Option<Pseudonyms>, Problem> {
    let Some((spec, place)) = &loaded.environment.pseudonyms else { return Ok(None) };
    if plan.entries().all(|(_, entry)| entry.pseudonymized.is_empty()) {
        return Ok(None);
    }
    let read = match &spec.key.secret {
        Secret::File(file) => from_file(&loaded.project.root.join(file)),
        Secret::Env(name) => from_environment(name),
    };
    let refused = |message: String| {
        let problem = Problem::new(Code::BadSecret, format!("{place}: {message}"));
        problem.help("`head -c 32 /dev/urandom > key` makes a key; keep it as you keep a password")
    };
    let key = read.map_err(|error| refused(format!("failed to {error}")))?;
    match Pseudonyms::new(spec.version, &key) {
        Some(pseudonyms) => Ok(Some(pseudonyms)),
        None => Err(refused("failed to use the key of pseudonyms".to_owned())),
    }
}
