//! Databases that a pipeline names and an environment describes.

use crate::config::DatabaseSpecs;
use crate::problem::{Code, Problem};

/// What is wrong with the name of a database; placed at it. `otherwise`: what else an environment may say.
pub fn problem(name: &str, databases: &DatabaseSpecs, otherwise: &str) -> Option<Problem> {
    if !databases.contains_key(name) {
        let problem = Problem::new(Code::UnknownInput, format!("the environment has no database `{name}`"));
        let problem = problem.help(format!("name it under `databases:` in configs/<env>.yaml{otherwise}"));
        return Some(problem.nearest(name, databases.keys().map(String::as_str)));
    }
    let absent = Problem::new(Code::NotYet, "this program was built without databases");
    cfg!(not(feature = "adbc")).then(|| absent.help("build it with the feature `adbc`"))
}
