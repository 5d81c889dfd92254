//! Fills in `${…}`, after parsing and on values only, so that a value can never change the shape
//! of the document.

use std::collections::HashSet;

use super::node::{Mark, Node, Style, Text, Value};
use super::scalar::{Plain, resolve};
use super::template::{Otherwise, Piece, Variable, pieces};
use crate::problem::{Code, Problem, Step};

const FORMS: &str = "the forms are `${name}`, `${env.VAR}`, `${env.VAR:-default}`, \
    `${env.VAR:?message}`; write `$$` for a dollar";

/// Where the values of variables come from.
pub trait Resolver {
    /// The value of `${name}` in the environment file.
    fn variable(&self, name: &str) -> Option<String>;

    /// The value of `${env.NAME}` in the process.
    fn process(&self, name: &str) -> Option<String>;

    /// The names in the environment file, to suggest the nearest.
    fn names(&self) -> Vec<String>;

    /// Whether the environment file has a problem, told elsewhere, for want of which it might give the name.
    fn is_unreadable(&self, name: &str) -> bool;

    /// Whether the environment file has the value from a variable of the process.
    fn is_of_process(&self, name: &str) -> bool;
}

/// Replaces every `${…}` and `$$` in the texts of a tree. An unquoted text that is one `${…}` and
/// nothing else takes the type that its value would have in YAML; all else stays a text. A text
/// with a problem is left as it was. What aliases repeat is reported once.
pub fn interpolate(node: &mut Node, resolver: &dyn Resolver) -> Vec<Problem> {
    let mut run = Run { resolver, path: Vec::new(), seen: HashSet::new(), problems: Vec::new() };
    run.visit(node);
    run.problems
}

struct Run<'r> {
    resolver: &'r dyn Resolver,
    path: Vec<Step>,
    seen: HashSet<Mark>,
    problems: Vec<Problem>,
}

impl Run<'_> {
    fn visit(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::String(text) if text.text.contains('$') => {
                if let Some(value) = self.text(text) {
                    node.value = value;
                }
            }
            Value::Sequence(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.path.push(Step::Index(index));
                    self.visit(item);
                    self.path.pop();
                }
            }
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    self.path.push(Step::Key(key.as_str().unwrap_or_default().to_owned()));
                    self.visit(value);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    /// The new value, unless something is wrong.
    fn text(&mut self, text: &Text) -> Option<Value> {
        let pieces = pieces(&text.text);
        let typed = text.style == Style::Plain && matches!(*pieces, [(0, Piece::Variable(_))]);
        let mut filled = Filled { from_process: text.from_process, ..Filled::default() };
        let mut sound = true;
        let (mut counted, mut first) = (0, 0);
        for (at, piece) in &pieces {
            let before = text.text.get(..*at).unwrap_or_default();
            first += text.text.get(counted..*at).unwrap_or_default().chars().count();
            counted = *at;
            let marks = text.marks.get(first..).unwrap_or(&[]);
            let result = match piece {
                Piece::Literal(literal) => {
                    filled.text.push_str(literal);
                    filled.marks.extend(marks.iter().take(literal.chars().count()));
                    Ok(())
                }
                Piece::Dollar => {
                    filled.push("$", marks);
                    Ok(())
                }
                Piece::Variable(variable) => self.value(variable).map(|value| {
                    filled.push(&value, marks);
                    filled.from_process |= match variable {
                        Variable::Process { .. } => true,
                        Variable::Environment(name) => self.resolver.is_of_process(name),
                    };
                }),
                Piece::Bad(why) => Err(Problem::new(Code::BadInterpolation, *why).help(FORMS)),
            };
            if let Err(problem) = result {
                sound = false;
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                self.report(problem.within(line, column), marks.first().copied());
            }
        }
        sound.then(|| filled.finish(text.style, typed))
    }

    fn report(&mut self, problem: Problem, at: Option<Mark>) {
        if at.is_none_or(|at| self.seen.insert(at)) {
            self.problems.push(problem.at(self.path.iter().cloned()));
        }
    }

    fn value(&self, variable: &Variable<'_>) -> Result<String, Problem> {
        let (name, otherwise) = match variable {
            Variable::Environment(name) => {
                return self.resolver.variable(name).ok_or_else(|| self.unset(name));
            }
            Variable::Process { name, otherwise } => (name, otherwise),
        };
        let value = self.resolver.process(name);
        // As in a shell, `:-` and `:?` take an empty variable for an unset one.
        let full = value.clone().filter(|value| !value.is_empty());
        let unset = |message: String| Problem::new(Code::UnsetVariable, message);
        match otherwise {
            Otherwise::Default(default) => Ok(full.unwrap_or_else(|| (*default).to_owned())),
            Otherwise::FailWith(message) if !message.trim().is_empty() => {
                full.ok_or_else(|| unset(format!("the process has no `{name}`: {}", message.trim())))
            }
            Otherwise::FailWith(_) => full.ok_or_else(|| unset(format!("the process has no `{name}`, or it is empty"))),
            Otherwise::Fail => value.ok_or_else(|| {
                unset(format!("the process has no variable `{name}`"))
                    .help(format!("export it, or give a default: `${{env.{name}:-…}}`"))
            }),
        }
    }

    fn unset(&self, name: &str) -> Problem {
        if self.resolver.is_unreadable(name) {
            return Problem::following();
        }
        let message = format!("the environment file gives no `{name}`");
        let problem = Problem::new(Code::UnsetVariable, message);
        if self.resolver.process(name).is_some() {
            return problem.help(format!("the process has one; did you mean `${{env.{name}}}`?"));
        }
        let names = self.resolver.names();
        let problem = problem.help("add it to the environment file, configs/<env>.yaml");
        problem.nearest(name, names.iter().map(String::as_str))
    }
}

#[derive(Default)]
struct Filled {
    text: String,
    marks: Vec<Mark>,
    from_process: bool,
}

impl Filled {
    /// Appends a value all of which sits where its `$` is.
    fn push(&mut self, value: &str, marks: &[Mark]) {
        let at = marks.first().copied().unwrap_or(Mark::START);
        self.text.push_str(value);
        self.marks.extend(value.chars().map(|_| at));
    }

    fn finish(self, style: Style, typed: bool) -> Value {
        let Self { text, marks, from_process } = self;
        match if typed { resolve(&text) } else { Plain::Text } {
            Plain::Null => Value::Null,
            Plain::Bool(value) => Value::Bool(value),
            Plain::Int(value) => Value::Int(value),
            Plain::Float(value) => Value::Float(value),
            Plain::Huge | Plain::Text => Value::String(Text { text, style, marks: marks.into(), from_process }),
        }
    }
}
