//! Databases that a pipeline names and an environment describes.

use crate::config::DatabaseSpecs;
use crate::problem::{Code, Problem};

/// What is wrong with a database that rows are delivered into; placed at its name.
pub fn to_deliver(name: &str, databases: &DatabaseSpecs) -> Option<Problem> {
    let help = "name it under `databases:` in configs/<env>.yaml; `driver: none` where nothing is to be delivered";
    missing(name, databases, help)
}

/// What is wrong with a database that rows are read from; placed at its name.
pub fn to_read(name: &str, databases: &DatabaseSpecs) -> Option<Problem> {
    let problem = missing(name, databases, "name it under `databases:` in configs/<env>.yaml");
    let none = || {
        let there = databases.get(name).is_some_and(|spec| !spec.is_there());
        let message = format!("this environment has no `{name}` (`driver: none`), so nothing can be read from it");
        there.then(|| Problem::new(Code::UnknownInput, message))
    };
    problem.or_else(none)
}

fn missing(name: &str, databases: &DatabaseSpecs, help: &str) -> Option<Problem> {
    if !databases.contains_key(name) {
        let problem = Problem::new(Code::UnknownInput, format!("the environment has no database `{name}`")).help(help);
        return Some(problem.nearest(name, databases.keys().map(String::as_str)));
    }
    let absent = Problem::new(Code::NotYet, "this program was built without databases");
    cfg!(not(feature = "adbc")).then(|| absent.help("build it with the feature `adbc`"))
}
