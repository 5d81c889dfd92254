//! From files to specs.

use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;
use std::sync::Arc;

use schemars::schema_for;

use super::environment::Unreadable;
use super::salvage::{Broken, Trust, salvage};
use super::yaml::{self, Mark, Node, Value};
use super::{Environment, PipelineSpec};
use crate::problem::{Code, Problem, Step, nearest, without_following};

/// The directory that relative paths start from.
#[derive(Debug, Clone)]
pub struct Project {
    pub root: PathBuf,
}

impl Project {
    /// `given`, or the nearest directory above the pipeline that has a `configs` folder, or the
    /// current one.
    pub fn find(pipeline: &Path, given: Option<&Path>) -> Project {
        if let Some(root) = given {
            return Project { root: root.to_owned() };
        }
        let pipeline = std::path::absolute(pipeline).unwrap_or_else(|_| pipeline.to_owned());
        let root = pipeline.ancestors().skip(1).find(|folder| folder.join("configs").is_dir());
        Project { root: root.map_or_else(|| PathBuf::from("."), Path::to_owned) }
    }
}

/// A YAML file with the positions of everything in it.
#[derive(Debug, Clone)]
pub struct Document {
    /// As the user would name it.
    pub file: String,
    pub text: Arc<str>,
    pub tree: Node,
}

/// A problem at its place in a file.
#[derive(Debug, Clone)]
pub struct Located {
    pub file: String,
    /// The whole file, to show the line; empty where there is none.
    pub text: Arc<str>,
    pub line: usize,
    pub column: usize,
    pub problem: Problem,
}

impl Document {
    pub fn locate(&self, problem: Problem) -> Located {
        let mark = self.tree.locate(&problem.place);
        self.at(mark, problem)
    }

    /// Sorted by position, the same mistake once.
    pub fn locate_all(&self, problems: Vec<Problem>) -> Vec<Located> {
        let mut located: Vec<Located> = problems.into_iter().map(|problem| self.locate(problem)).collect();
        located.sort_by_key(|one| (one.line, one.column, one.problem.code));
        located.dedup_by(|a, b| (a.line, a.column) == (b.line, b.column) && a.problem.message == b.problem.message);
        located
    }

    fn at(&self, mark: Mark, problem: Problem) -> Located {
        // What stands there may be a key that was written by mistake, so the line is not shown.
        let secret =
            ["pseudonyms", "s3", "databases"].iter().any(|key| problem.place.path.first() == Some(&Step::from(*key)));
        let text = if secret { Arc::default() } else { Arc::clone(&self.text) };
        Located { file: self.file.clone(), text, line: mark.line, column: mark.column, problem }
    }
}

/// A pipeline and its environment, checked as far as their own schemas go.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub project: Project,
    pub environment: Environment,
    pub document: Document,
    pub spec: PipelineSpec,
    /// The pipeline as written, before `${…}` are filled in.
    pub definition: serde_json::Value,
    /// With `${…}` filled in.
    pub rendered: serde_json::Value,
    /// What is wrong with it so far, placed at the document's root.
    pub problems: Vec<Problem>,
    /// What is wrong with the environment, of which the rest is what can be read.
    pub outside: Vec<Located>,
    /// The sources and stages that `spec` has only by name.
    pub broken: Broken,
}

/// Loads a pipeline under an environment (`configs/<environment>.yaml`).
///
/// A document that breaks its schema is read as far as it goes; its problems come with it.
pub fn load(pipeline: &Path, environment: &str, project: Option<&Path>) -> Result<Loaded, Vec<Located>> {
    let project = Project::find(pipeline, project);
    let (environment, outside) = read_environment(&project, environment);
    let mut document = read(pipeline, "pipeline").map_err(|problems| [outside.clone(), problems].concat())?;
    let definition = yaml::to_json(&document.tree);
    let mut problems = yaml::interpolate(&mut document.tree, &environment);
    // The keys that are free for anchors are no part of the language.
    let mut tree = document.tree.clone();
    if let Value::Mapping(entries) = &mut tree.value {
        entries.retain(|(key, _)| !key.as_str().is_some_and(|key| key.starts_with("x-")));
    }
    problems.extend(yaml::validate(&tree, schema_for!(PipelineSpec).as_value()));
    let rendered = yaml::to_json(&tree);
    let read = |(rendered, broken): (serde_json::Value, Broken)| {
        let spec = serde_json::from_value(rendered.clone());
        spec.map(|spec: PipelineSpec| (spec, rendered, broken))
    };
    let found = match problems.is_empty() {
        true => read((rendered, Broken::new())),
        false => read(salvage(rendered.clone(), &problems, Trust::Much))
            .or_else(|_| read(salvage(rendered, &problems, Trust::Little))),
    };
    match found {
        Ok((spec, rendered, broken)) => {
            Ok(Loaded { project, environment, document, spec, definition, rendered, problems, outside, broken })
        }
        Err(error) => {
            // Nothing but what the schema has refused may fail here, and that is told already.
            if problems.is_empty() {
                problems.push(Problem::new(Code::BadValue, error.to_string()));
            }
            Err([outside, document.locate_all(without_following(problems))].concat())
        }
    }
}

impl Loaded {
    /// With the environment's problems, those of the pipeline at their places in its file.
    pub fn locate_all(&self, problems: Vec<Problem>) -> Vec<Located> {
        [self.outside.clone(), self.document.locate_all(problems)].concat()
    }
}

/// Loads an environment file, `configs/<name>.yaml` of the project.
pub fn load_environment(project: &Project, name: &str) -> Result<Environment, Vec<Located>> {
    let (environment, problems) = read_environment(project, name);
    if problems.is_empty() { Ok(environment) } else { Err(problems) }
}

/// What can be read of an environment file, and what is wrong with it.
fn read_environment(project: &Project, name: &str) -> (Environment, Vec<Located>) {
    let unknown = Environment { name: name.to_owned(), unreadable: Unreadable::All, ..Environment::default() };
    let folder = project.root.join("configs");
    let path = folder.join(format!("{name}.yaml"));
    if !path.is_file() {
        let known: Vec<String> = std::fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".yaml").map(str::to_owned))
            .collect();
        let message = format!("there is no environment `{name}`: {} does not exist", path.display());
        let problem = Problem::new(Code::FileMissing, message);
        let problem = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => problem.help(format!("did you mean `--env {near}`?")),
            None => problem.help("environments are configs/<name>.yaml in the project's root (--project)"),
        };
        return (unknown, vec![nowhere(&path, problem)]);
    }
    let mut document = match read(&path, "environment") {
        Ok(document) => document,
        Err(problems) => return (unknown, problems),
    };
    let empty = Environment::default();
    let mut problems = yaml::interpolate(&mut document.tree, &empty);
    let (mut environment, more) = Environment::from_tree(name, &document.tree);
    let place_of = |path: &[&str]| {
        let Located { file, line, column, .. } = document.locate(Problem::new(Code::BadSecret, "").at(path.to_vec()));
        format!("{file}:{line}:{column}")
    };
    if let Some((_, place)) = &mut environment.pseudonyms {
        *place = place_of(&["pseudonyms", "key", "secret"]);
    }
    if let Some((_, place)) = &mut environment.s3 {
        *place = place_of(&["s3"]);
    }
    environment.databases.1 = place_of(&["databases"]);
    problems.extend(more);
    (environment, document.locate_all(problems))
}

fn read(path: &Path, what: &str) -> Result<Document, Vec<Located>> {
    let refused = |message: String| vec![nowhere(path, Problem::new(Code::FileMissing, message))];
    let bytes = std::fs::read(path).map_err(|error| refused(format!("the {what} cannot be read: {error}")))?;
    let file = path.display().to_string();
    let text = String::from_utf8(bytes).map_err(|error| vec![not_text(&file, what, &error)])?;
    match yaml::parse(&text) {
        Ok(tree) => Ok(Document { file, text: text.into(), tree }),
        Err(failures) => Err(failures
            .into_iter()
            .map(|failure| Located {
                file: file.clone(),
                text: text.as_str().into(),
                line: failure.mark.line,
                column: failure.mark.column,
                problem: failure.problem,
            })
            .collect()),
    }
}

/// At the first byte that is part of no character.
fn not_text(file: &str, what: &str, error: &FromUtf8Error) -> Located {
    let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
    let before = String::from_utf8_lossy(before);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    let text = String::from_utf8_lossy(error.as_bytes()).into();
    let problem = Problem::new(Code::YamlSyntax, format!("the {what} is not UTF-8 text"));
    Located { file: file.to_owned(), text, line, column, problem }
}

fn nowhere(path: &Path, problem: Problem) -> Located {
    Located { file: path.display().to_string(), text: Arc::default(), line: 0, column: 0, problem }
}
