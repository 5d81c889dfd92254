//! Pipelines with random mistakes: each gets its answer in time, at a place, and without a panic.
//!
//! `PATRONAGE_MUTATIONS=10000` makes so many (500 by default); one in ten also goes through the program itself. A
//! case is told by its number; the text of those that fail is kept. `PATRONAGE_NIGHTLY` names a further pipeline.

mod mutate;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use patronage::config::{Located, load};
use patronage::plan::resolve;
use patronage::problem::Exit;

use super::support::{Project, Said, files, program, repository};

const ENVIRONMENT: &str = "lake: data\nwarehouse: out\nrun_date: 2025-01-01\ntransactions: data/x.parquet\n";
/// Far more than any takes; a machine that is busy with other things may take its time.
const SECONDS_MAX: u64 = 20;
/// Address space for one run of the program, most of which it never touches.
const MEMORY_KIB_MAX: u64 = 6 << 20;

fn count() -> u64 {
    std::env::var("PATRONAGE_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(500)
}

/// The pipelines that are mutated: the shipped one, those of the tests, and a larger one where it is at hand.
fn pipelines() -> Vec<Vec<u8>> {
    let mut found = vec![repository().join("pipelines/nightly.yaml")];
    found.extend(files(&repository().join("tests/cases")).into_iter().filter(|path| path.ends_with("pipeline.yaml")));
    found.extend(std::env::var_os("PATRONAGE_NIGHTLY").map(PathBuf::from));
    found.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// The mutated text of a case. Half of them are of the pipelines that say most: the first and the last.
fn case(pipelines: &[Vec<u8>], number: u64) -> Vec<u8> {
    let place = usize::try_from(number).unwrap();
    let base = match number % 4 {
        0 => pipelines.first(),
        1 => pipelines.iter().max_by_key(|text| text.len()),
        _ => pipelines.get(place / 2 % pipelines.len()),
    };
    mutate::mutated(base.unwrap(), number)
}

fn keep(number: u64, text: &[u8]) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mutation-{number}.yaml"));
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// What `validate --offline` does, without showing it.
fn validate(path: &Path, root: &Path) -> Result<(), Vec<Located>> {
    let loaded = load(path, "local", Some(root))?;
    let run_date = NaiveDate::from_ymd_opt(2025, 1, 1).unwrap();
    resolve(&loaded, run_date).map(drop).map_err(|problems| loaded.document.locate_all(problems))
}

/// What is wrong with an answer.
fn wrong_in(answer: &Result<(), Vec<Located>>) -> Option<String> {
    let Err(problems) = answer else { return None };
    if problems.is_empty() {
        return Some("refused without a problem".to_owned());
    }
    let known = [Exit::Configuration, Exit::Usage, Exit::CheckFailed, Exit::InputMissing];
    problems.iter().find_map(|one| {
        let Located { file, line, column, problem, .. } = one;
        let placed = *line > 0 && *column > 0 && file.ends_with("pipeline.yaml");
        let fits = placed && known.contains(&problem.code.exit()) && !problem.message.is_empty();
        (!fits).then(|| format!("{file}:{line}:{column}: {} {}", problem.code.id(), problem.message))
    })
}

#[test]
fn every_mutated_pipeline_is_answered_with_a_place() {
    let pipelines = pipelines();
    let project = Project::new("");
    project.write("configs/local.yaml", ENVIRONMENT);
    let path = project.path("pipeline.yaml");
    let (mut valid, mut refused, mut problems, mut slowest) = (0, 0, 0, (Duration::ZERO, 0));
    let mut wrong = Vec::new();
    for number in 0..count() {
        let text = case(&pipelines, number);
        std::fs::write(&path, &text).unwrap();
        let clock = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| validate(&path, project.root())));
        slowest = slowest.max((clock.elapsed(), number));
        match &answer {
            Ok(Ok(())) => valid += 1,
            Ok(Err(found)) => (refused, problems) = (refused + 1, problems + found.len()),
            Err(_) => {}
        }
        let complaint = answer.map_or(Some("a panic".to_owned()), |answer| wrong_in(&answer));
        if let Some(complaint) = complaint {
            wrong.push(format!("{complaint} ({})", keep(number, &text)));
        }
    }
    let (longest, number) = slowest;
    println!("{} mutations: {valid} valid, {refused} refused with {problems} problems", count());
    println!("the slowest, {number}, took {} ms; the peak was {:?} MiB", longest.as_millis(), peak_mib());
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(longest < Duration::from_secs(SECONDS_MAX), "{}", keep(number, &case(&pipelines, number)));
    assert!(valid > 0 && refused > valid, "mutations that mutate: {valid} valid, {refused} refused");
}

/// The most memory that this process had, where it can be known.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? >> 10)
}

/// `<file>:<line>:<column>: error[<code>]`
fn is_placed(line: &str) -> bool {
    let Some((place, _)) = line.split_once(": error[") else { return false };
    let mut parts = place.rsplitn(3, ':');
    let mut number = || parts.next().is_some_and(|part| part.parse::<u32>().is_ok_and(|number| number > 0));
    number() && number()
}

#[cfg(unix)]
#[test]
fn the_program_answers_mutated_pipelines_in_bounded_memory() {
    let pipelines = pipelines();
    let project = Project::new("");
    project.write("configs/local.yaml", ENVIRONMENT);
    let mut codes = std::collections::BTreeMap::<i32, u32>::new();
    let mut wrong = Vec::new();
    // Others than those of the test above.
    for number in (1 << 32..).take(usize::try_from(count() / 10).unwrap()) {
        let text = case(&pipelines, number);
        std::fs::write(project.path("pipeline.yaml"), &text).unwrap();
        let (code, stderr) = limited(&project);
        *codes.entry(code).or_default() += 1;
        let errors = || stderr.lines().filter(|line| line.contains(": error["));
        let placed = errors().next().is_some() && errors().all(is_placed);
        let fits = matches!(code, 0) || (matches!(code, 78 | 2 | 65 | 66) && placed);
        if !fits || stderr.contains("panicked") {
            wrong.push(format!("exit {code} ({}): {stderr}", keep(number, &text)));
        }
    }
    println!("exit codes of the program: {codes:?}");
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// `validate --offline` in bounded memory and time: its exit code (-1 if it was killed) and stderr.
#[cfg(unix)]
fn limited(project: &Project) -> (i32, String) {
    let exact = program();
    let mut command = Command::new("sh");
    let script =
        format!("ulimit -v {MEMORY_KIB_MAX}; ulimit -t {SECONDS_MAX}; exec \"$0\" validate pipeline.yaml --offline");
    command.args(["-c", &script]).arg(exact.get_program()).current_dir(project.root());
    for (name, value) in exact.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().unwrap();
    if output.status.code().is_none() {
        return (-1, String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let said = Said::of(output);
    (said.code, said.stderr)
}
