//! What happens to columns as data enters, by privacy class.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::table::Class;

/// What happens to a column as its source is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryAction {
    /// It is read as it is.
    #[default]
    Keep,
    /// Each value is replaced by its pseudonym, a text; the environment names the key (`pseudonyms`).
    Pseudonymize,
    /// It is never read, and nothing can use it.
    Drop,
}

/// What happens to the columns of each privacy class; what is not said is left to the next wider rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnEntry {
    /// Columns that name one person.
    #[serde(default)]
    pub direct_id: Option<EntryAction>,
    /// Columns that are pseudonyms already.
    #[serde(default)]
    pub pseudonym: Option<EntryAction>,
    /// Columns that need special care.
    #[serde(default)]
    pub sensitive: Option<EntryAction>,
    /// Columns that say little alone.
    #[serde(default)]
    pub quasi_id: Option<EntryAction>,
    /// All other columns.
    #[serde(default)]
    pub behavioral: Option<EntryAction>,
}

impl OnEntry {
    /// What is said of a class, if anything is.
    pub fn of(self, class: Class) -> Option<EntryAction> {
        match class {
            Class::DirectId => self.direct_id,
            Class::Pseudonym => self.pseudonym,
            Class::Sensitive => self.sensitive,
            Class::QuasiId => self.quasi_id,
            Class::Behavioral => self.behavioral,
        }
    }
}
