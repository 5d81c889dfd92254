//! What can be wrong, as data: a code, a place, a message, a way to mend it. A leaf: it imports nothing of ours.

mod code;

pub use code::{Code, Exit};

/// One step from a YAML document's root towards a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    Key(String),
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Step::Key(key.to_owned())
    }
}

impl From<String> for Step {
    fn from(key: String) -> Self {
        Step::Key(key)
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Step::Index(index)
    }
}

/// Where in a document a problem sits. The config layer turns it into line and column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The way from the root; a missing tail falls back to the deepest node that exists.
    pub path: Vec<Step>,
    /// The problem is the key itself (an unknown key), not the value behind it.
    pub at_key: bool,
    /// Line and column, both from 1, inside the text of the scalar at `path` (SQL).
    pub within: Option<(usize, usize)>,
}

/// Something wrong with a pipeline or an environment, found before any data is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    pub place: Place,
    /// A lowercase fragment: what was found, and what was expected.
    pub message: String,
    /// How to mend it, such as the nearest right name.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at the root; narrow it with [`Problem::at`].
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, place: Place::default(), message: message.into(), help: None }
    }

    /// Prefixes the place by one step, so that each layer adds what it knows on the way up.
    #[must_use]
    pub fn under(mut self, step: impl Into<Step>) -> Self {
        self.place.path.insert(0, step.into());
        self
    }

    /// Sets the place by its steps from where the caller stands.
    #[must_use]
    pub fn at<S: Into<Step>>(mut self, path: impl IntoIterator<Item = S>) -> Self {
        self.place.path = path.into_iter().map(Into::into).collect();
        self
    }

    #[must_use]
    pub fn at_key(mut self) -> Self {
        self.place.at_key = true;
        self
    }

    #[must_use]
    pub fn within(mut self, line: usize, column: usize) -> Self {
        self.place.within = Some((line, column));
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds "did you mean" for the candidate nearest to `found`, if one is near.
    #[must_use]
    pub fn nearest<'a>(self, found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(found, candidates) {
            Some(name) => self.help(format!("{DID_YOU_MEAN}{name}`?")),
            None => self,
        }
    }

    /// The name that [`Problem::nearest`] has found.
    pub fn meant(&self) -> Option<&str> {
        self.help.as_deref()?.strip_prefix(DID_YOU_MEAN)?.strip_suffix("`?")
    }

    /// What fails only because something else does, which is told where it is. It is never shown.
    pub fn following() -> Self {
        Self::new(Code::Bug, FOLLOWS)
    }

    pub fn is_following(&self) -> bool {
        self.message == FOLLOWS
    }

    /// Whether a variable of the value has none, or is written in a way that it cannot be filled in.
    pub fn is_unfilled(&self) -> bool {
        self.is_following() || matches!(self.code, Code::UnsetVariable | Code::BadInterpolation)
    }

    /// As seen from a step further down, if it is there.
    pub fn below(&self, step: &Step) -> Option<Problem> {
        let mut problem = self.clone();
        (problem.place.path.first() == Some(step)).then(|| {
            problem.place.path.remove(0);
            problem
        })
    }

    /// Whether it is about the same value as the other, or a part of it.
    pub fn is_within(&self, other: &Problem) -> bool {
        self.place.path.starts_with(&other.place.path)
    }

    /// Whether one of the two is within the other.
    pub fn overlaps(&self, other: &Problem) -> bool {
        self.is_within(other) || other.is_within(self)
    }
}

/// Without what follows from another problem: what is marked so, and what is said of a value that could not be filled
/// in.
pub fn without_following(problems: Vec<Problem>) -> Vec<Problem> {
    let (unfilled, others): (Vec<_>, Vec<_>) = problems.into_iter().partition(Problem::is_unfilled);
    // A key is what it is, whatever stands behind it.
    let about_a_value = |one: &Problem| !one.place.at_key;
    let others =
        others.into_iter().filter(|one| !(about_a_value(one) && unfilled.iter().any(|other| one.is_within(other))));
    let mut told: Vec<Problem> = others.collect();
    told.extend(unfilled);
    told.retain(|one| !one.is_following());
    told
}

const DID_YOU_MEAN: &str = "did you mean `";
const FOLLOWS: &str = "(follows)";

/// The candidate most like `found`: at most a third of its letters wrong, or one containing the other.
pub fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = found.to_lowercase();
    candidates
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, name)| {
            let longest = wanted.chars().count().max(name.chars().count());
            *distance * 3 <= longest + 1 || (wanted.len() >= 4 && name.to_lowercase().contains(&wanted))
        })
        .min_by_key(|(distance, name)| (*distance, name.len()))
        .map(|(_, name)| name)
}
