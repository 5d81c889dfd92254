//! Which past run a word means: a directory, an id, a run date, `last`.

use std::path::Path;

use chrono::NaiveDate;

use super::history::PastRun;
use crate::problem::nearest;

/// Letters of an id from which on its start may stand for it.
const PREFIX_MIN: usize = 4;
/// Runs that an error message lists.
const LISTED_MAX: usize = 5;

/// Why a word means no run, or not one. The help says what there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhichError {
    #[error("{message}")]
    Missing { message: String, help: String },
    #[error("{message}")]
    Unclear { message: String, help: String },
}

/// Finds the run that `word` means among `runs`, the newest start first. A directory may be any.
///
/// `last` is the newest run that finished, whatever its outcome, `last~2` the second before it; a run
/// date stands for the newest finished run of it.
pub fn which(word: &str, runs: &[PastRun]) -> Result<PastRun, WhichError> {
    let finished: Vec<&PastRun> = runs.iter().filter(|run| run.finished).collect();
    if let Some(back) = steps_back(word) {
        one_pipeline(word, &finished)?;
        let missing = || match finished.len() {
            0 => missing("no run has finished yet".to_owned(), word, runs),
            1 => missing(format!("there is no `{word}`: only one run has finished"), word, runs),
            count => missing(format!("there is no `{word}`: only {count} runs have finished"), word, runs),
        };
        return finished.get(back).map(|run| (*run).clone()).ok_or_else(missing);
    }
    if let Some(date) = date(word) {
        let of_date: Vec<&PastRun> = finished.iter().filter(|run| run.run_date == date).copied().collect();
        one_pipeline(word, &of_date)?;
        let found = of_date.first().map(|run| (*run).clone());
        return found.ok_or_else(|| missing(format!("no run of {date} has finished"), word, runs));
    }
    let path = Path::new(word);
    if word.contains(std::path::MAIN_SEPARATOR) || path.join("manifest.json").is_file() {
        let no_run = || missing(format!("`{word}` is not the directory of a run"), word, runs);
        return PastRun::read(path).ok_or_else(no_run);
    }
    let wanted = word.to_ascii_lowercase();
    let named: Vec<&PastRun> = runs.iter().filter(|run| run.run_id.starts_with(&wanted)).collect();
    match named.as_slice() {
        [only] if word.len() >= PREFIX_MIN => Ok((*only).clone()),
        [_, _, ..] if word.len() >= PREFIX_MIN => Err(WhichError::Unclear {
            message: format!("the ids of {} runs start with `{word}`", named.len()),
            help: list(named.into_iter()),
        }),
        _ => Err(missing(format!("there is no run `{word}`"), word, runs)),
    }
}

/// `last`, `last~0`, `last~12`
fn steps_back(word: &str) -> Option<usize> {
    match word.strip_prefix("last")? {
        "" => Some(0),
        rest => rest.strip_prefix('~')?.parse().ok(),
    }
}

/// Dates are written out: chrono would also take 2011-1-5.
fn date(word: &str) -> Option<NaiveDate> {
    word.parse().ok().filter(|_| word.len() == 10)
}

/// Several pipelines may share a directory of artifacts; a word must not mean a run of any.
fn one_pipeline(word: &str, runs: &[&PastRun]) -> Result<(), WhichError> {
    let mut pipelines: Vec<&str> = runs.iter().map(|run| run.pipeline.as_str()).collect();
    pipelines.sort_unstable();
    pipelines.dedup();
    match pipelines.as_slice() {
        [] | [_] => Ok(()),
        several => Err(WhichError::Unclear {
            message: format!("`{word}` could be a run of {}", several.join(" or ")),
            help: "name the pipeline with --pipeline".to_owned(),
        }),
    }
}

fn missing(message: String, word: &str, runs: &[PastRun]) -> WhichError {
    if runs.is_empty() {
        let help = "no run has left artifacts there; --project, --env and --pipeline say where to look".to_owned();
        return WhichError::Missing { message, help };
    }
    // A mistyped date is nearest to a date, a mistyped id to an id; the rest sees what there is.
    let dates: Vec<String> = runs.iter().map(|run| run.run_date.to_string()).collect();
    let names = runs.iter().map(|run| run.run_id.as_str()).chain(dates.iter().map(String::as_str)).chain(["last"]);
    let near = nearest(word, names).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    WhichError::Missing { message, help: format!("{near}the newest runs are {}", list(runs.iter())) }
}

/// `01a20b91-… (nightly 2011-12-10), …`
fn list<'a>(runs: impl Iterator<Item = &'a PastRun>) -> String {
    let unfinished = |run: &PastRun| if run.finished { "" } else { ", not finished" };
    let name = |run: &PastRun| format!("{} ({} {}{})", run.run_id, run.pipeline, run.run_date, unfinished(run));
    runs.take(LISTED_MAX).map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(run_id: &str, pipeline: &str, run_date: &str, finished: bool) -> PastRun {
        PastRun {
            directory: run_id.into(),
            run_id: run_id.to_owned(),
            pipeline: pipeline.to_owned(),
            run_date: run_date.parse().unwrap(),
            environment: "local".to_owned(),
            started: chrono::DateTime::UNIX_EPOCH,
            finished,
        }
    }

    fn runs() -> Vec<PastRun> {
        vec![
            run("0f40", "shop", "2024-06-04", false),
            run("0ee3", "shop", "2024-06-03", true),
            run("0ed2", "shop", "2024-06-01", true),
            run("0ed1", "shop", "2024-06-01", true),
        ]
    }

    fn found(word: &str) -> Result<String, WhichError> {
        which(word, &runs()).map(|run| run.run_id)
    }

    #[test]
    fn words_mean_runs() {
        for (word, run) in [
            ("last", "0ee3"),
            ("last~0", "0ee3"),
            ("last~2", "0ed1"),
            ("2024-06-01", "0ed2"),
            ("0ED1", "0ed1"),
            ("0f40", "0f40"),
        ] {
            assert_eq!(found(word).as_deref(), Ok(run), "{word}");
        }
    }

    #[test]
    fn what_means_no_run_is_told_what_there_is() {
        let told = |word: &str| match found(word) {
            Err(WhichError::Missing { message, help }) => format!("{message}: {help}"),
            other => panic!("{other:?}"),
        };
        assert!(told("last~3").starts_with("there is no `last~3`: only 3 runs have finished"));
        assert!(told("2024-06-02").starts_with("no run of 2024-06-02 has finished: did you mean `2024-06-0"));
        assert!(told("2024-06-04").contains("0f40 (shop 2024-06-04, not finished)"), "{}", told("2024-06-04"));
        assert!(told("lats").contains("did you mean `last`?"));
        assert!(told("0e").starts_with("there is no run `0e`"), "too short to stand for an id");
        assert!(told("some/where").starts_with("`some/where` is not the directory of a run"));
        assert!(matches!(which("last", &[]), Err(WhichError::Missing { help, .. }) if help.contains("--project")));
    }

    #[test]
    fn an_unclear_word_is_refused() {
        let mut runs = runs();
        runs.push(run("0ed20", "shop", "2024-05-01", true));
        runs.push(run("0aaa", "other", "2024-06-03", true));
        let told = |word: &str| match which(word, &runs) {
            Err(WhichError::Unclear { message, help }) => format!("{message}: {help}"),
            other => panic!("{other:?}"),
        };
        assert!(told("0ed2").starts_with("the ids of 2 runs start with `0ed2`: 0ed2 (shop"));
        assert_eq!(told("last"), "`last` could be a run of other or shop: name the pipeline with --pipeline");
        assert!(told("2024-06-03").contains("--pipeline"));
        assert_eq!(which("2024-06-01", &runs).unwrap().run_id, "0ed2", "only one pipeline has runs of it");
    }
}
