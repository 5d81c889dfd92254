//! The databases that a plan uses, with the secrets that the environment refers to.

use std::collections::HashMap;
use std::path::Path;

use url::Url;

use super::places::read_secret;
use crate::config::{DatabaseSpec, Loaded};
use crate::database::{Driver, Settings, loadable};
use crate::plan::{Plan, Work};
use crate::problem::{Code, Problem};
use crate::storage::Hidden;

/// The databases that publications are delivered into and sources ask, by name. Those that this environment does not
/// have (`driver: none`) are not among them.
pub type Databases = HashMap<String, Settings>;

const DRIVER_HELP: &str =
    "name the file of the driver's library; docs/warehouses.md says where each database's is to be had";

/// Reads what is needed to reach them, and loads their drivers; the message of a problem holds nothing of a secret.
pub fn databases(loaded: &Loaded, plan: &Plan) -> Result<Databases, Problem> {
    let (specs, place) = &loaded.environment.databases;
    let wanted = plan.nodes.iter().filter_map(|node| match &node.work {
        Work::Publish { spec, .. } => spec.deliver.as_ref().map(|deliver| &deliver.database),
        Work::Source { spec, .. } => spec.database.as_ref(),
        Work::Stage(_) | Work::Gate { .. } => None,
    });
    let mut found = Databases::new();
    for name in wanted {
        // The plan has checked that the environment knows it.
        let Some(spec) = specs.get(name).filter(|spec| spec.is_there() && !found.contains_key(name)) else { continue };
        let settings = settings(name, spec, &loaded.project.root)
            .map_err(|message| Problem::new(Code::BadSecret, format!("{place}: `{name}`: {message}")))?;
        // Now, and not once the night is computed.
        loadable(&settings).map_err(|error| {
            Problem::new(Code::DriverMissing, format!("{place}: failed to {}", error.message)).help(DRIVER_HELP)
        })?;
        found.insert(name.clone(), settings);
    }
    Ok(found)
}

fn settings(name: &str, spec: &DatabaseSpec, root: &Path) -> Result<Settings, String> {
    let secret = |(key, reference)| Ok((String::clone(key), read_secret(reference, key, root)?));
    let secret_options: Vec<(String, Hidden)> =
        spec.secret_options.iter().map(secret).collect::<Result<_, String>>()?;
    for (_, secret) in &secret_options {
        hide_password(secret.reveal());
    }
    let driver = match spec.driver.contains('/') {
        true => Driver::Library(root.join(&spec.driver)),
        false => Driver::Name(spec.driver.clone()),
    };
    let options = spec.options.iter().map(|(key, text)| (key.clone(), text.clone())).collect();
    Ok(Settings { name: name.to_owned(), driver, entrypoint: spec.entrypoint.clone(), options, secret_options })
}

/// A driver may quote a part of an address.
fn hide_password(address: &str) {
    let Ok(url) = Url::parse(address) else { return };
    if let Some(password) = url.password() {
        Hidden::new(password.to_owned());
    }
    let is_password = |key: &str| key.eq_ignore_ascii_case("password");
    for value in url.query_pairs().filter_map(|(key, value)| is_password(&key).then_some(value)) {
        Hidden::new(value.into_owned());
    }
}
