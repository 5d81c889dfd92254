//! How an environment says that a database is reached. Secrets are referred to and never written.

use indexmap::IndexMap;
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use url::Url;

use super::secret::{SecretRef, without_what_was_found, written_out};
use super::yaml::{self, Node, Value};
use crate::problem::{Code, Problem};

/// The databases of an environment, by name.
pub type DatabaseSpecs = IndexMap<String, DatabaseSpec>;

/// The driver that stands for no database: what is delivered there is left out in this environment.
const NONE: &str = "none";

/// A database, reached through an ADBC driver.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSpec {
    /// The driver: the name of its manifest, such as `postgresql`, or, with a `/` in it, the file of its library,
    /// relative to the project. `none`: in this environment nothing is delivered there.
    #[schemars(length(min = 1))]
    pub driver: String,
    /// The function of the library that makes the driver; `duckdb_adbc_init` for DuckDB, nothing for most.
    #[serde(default)]
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub entrypoint: Option<String>,
    /// What the driver is told, such as `uri` for PostgreSQL or `path` for DuckDB. No passwords.
    #[serde(default)]
    pub options: IndexMap<String, String>,
    /// What the driver is told and nobody else: options by reference.
    #[serde(default)]
    pub secret_options: IndexMap<String, SecretRef>,
}

impl DatabaseSpec {
    /// Whether there is one in this environment.
    pub fn is_there(&self) -> bool {
        self.driver != NONE
    }
}

/// Reads the `databases` of an environment; problems are placed below it and repeat no text that could be a secret.
pub fn read(node: &Node) -> Result<DatabaseSpecs, Vec<Problem>> {
    let named = || node.entries().iter().filter_map(|(name, database)| Some((name.as_str()?, database)));
    let secrets: Vec<Problem> =
        named().flat_map(|(name, one)| secrets(one).into_iter().map(move |problem| problem.under(name))).collect();
    if !secrets.is_empty() {
        return Err(secrets);
    }
    let problems = yaml::validate(node, schema_for!(DatabaseSpecs).as_value());
    if !problems.is_empty() {
        return Err(problems.into_iter().map(without_what_was_found).collect());
    }
    let specs: DatabaseSpecs = serde_json::from_value(yaml::to_json(node))
        .map_err(|_| vec![Problem::new(Code::BadValue, "databases are not described in a way that can be read")])?;
    let twice = |(name, spec): (&String, &DatabaseSpec)| -> Vec<Problem> {
        let both = spec.secret_options.keys().filter(|key| spec.options.contains_key(*key));
        let said = |key: &String| {
            Problem::new(Code::DuplicateKey, format!("`{key}` is among `options` already")).at([
                name,
                "secret_options",
                key,
            ])
        };
        both.map(said).collect()
    };
    let twice: Vec<Problem> = specs.iter().flat_map(twice).collect();
    if twice.is_empty() { Ok(specs) } else { Err(twice) }
}

/// Secrets that are written out.
fn secrets(database: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(options) = database.get("secret_options") {
        let keys = options.entries().iter().filter_map(|(key, _)| key.as_str());
        problems
            .extend(keys.filter_map(|key| written_out(options, key)).map(|problem| problem.under("secret_options")));
    }
    if let Some(options) = database.get("options") {
        let texts = options.entries().iter().filter_map(|(key, node)| match &node.value {
            Value::String(text) => Some((key.as_str()?, text.text.as_str())),
            _ => None,
        });
        for (key, _) in texts.filter(|(key, text)| is_secret(key, text)) {
            let problem = Problem::new(Code::BadSecret, "a password or token in `options`");
            let help = format!("refer to it: `secret_options: {{{key}: {{secret: {{file: …}}}}}}`, or `{{env: …}}`");
            problems.push(problem.help(help).at(["options", key]));
        }
    }
    problems
}

/// Whether an option is one that holds a secret, by its name or because it is an address with a password.
fn is_secret(key: &str, text: &str) -> bool {
    let key = key.to_lowercase();
    let named =
        ["password", "token", "secret", "private_key", "credentials_string"].iter().any(|word| key.ends_with(word));
    let url = Url::parse(text).ok();
    let told =
        |url: &Url| url.password().is_some() || url.query_pairs().any(|(key, _)| key.eq_ignore_ascii_case("password"));
    named || url.is_some_and(|url| told(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        let tree = yaml::parse(text).unwrap();
        let problems = read(&tree).unwrap_err();
        problems
            .iter()
            .map(|one| format!("{} {} {}", tree.locate(&one.place).line, one.code.id(), one.message))
            .collect()
    }

    #[test]
    fn every_setting_is_read() {
        let text = "wh:\n  driver: drivers/libduckdb.so\n  entrypoint: duckdb_adbc_init\n  options: {path: a.db}\n\
                    pg:\n  driver: postgresql\n  secret_options: {uri: {secret: {env: PG_URI}}}\nout: {driver: none}\n";
        let specs = read(&yaml::parse(text).unwrap()).unwrap();
        assert_eq!(specs["wh"].options["path"], "a.db");
        assert!(specs["pg"].is_there() && !specs["out"].is_there());
    }

    #[test]
    fn secrets_are_neither_taken_nor_repeated() {
        for text in [
            "wh:\n  driver: postgresql\n  options: {uri: \"postgresql://me:topsecret@host/db\"}\n",
            "wh:\n  driver: postgresql\n  options: {uri: \"postgresql://host/db?password=topsecret\"}\n",
            "wh:\n  driver: snowflake\n  options: {adbc.snowflake.sql.auth_token: topsecret}\n",
            "wh:\n  driver: postgresql\n  secret_options: {uri: topsecret}\n",
        ] {
            let said = said(text);
            assert!(said[0].starts_with("3 P160"), "{said:?}");
            assert!(!format!("{said:?}").contains("topsecret"), "{said:?}");
        }
        assert!(said("wh:\n  drivr: x\n")[0].contains("P101"));
        let twice = "wh:\n  driver: x\n  options: {uri: a}\n  secret_options: {uri: {secret: {env: A}}}\n";
        assert!(said(twice)[0].contains("P107"));
    }
}
