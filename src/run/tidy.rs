//! What dead runs left behind, and what has been kept for long enough.
//!
//! Runs of a pipeline share a lock for as long as they live, and the operating system lets go of it however they end.
//! A run that finds itself alone as it starts therefore knows that whatever is unfinished is nobody's, and that nobody
//! reads the tables of earlier runs. Where others are running nothing is touched; the next run tries again.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::history::{self, read};
use super::schedule::SCRATCH;
use super::state::{META, Meta, State};
use crate::config::Loaded;
use crate::storage::local::{self, Others, Presence, is_old};

/// Tables of this many executions are kept for each node.
const EXECUTIONS_KEPT: usize = 3;

/// Makes the run known to others, and cleans up if it is the only one. None if that is not possible; the run then
/// says why as it writes its artifacts.
pub fn enter(loaded: &Loaded, pipeline: &str) -> Option<Presence> {
    let state = State { root: super::artifacts_root(loaded), pipeline: pipeline.to_owned() };
    let keep_runs = loaded.environment.keep_runs();
    let joined = Presence::join(&state.lock_file(), |others| tidy(&state, keep_runs, others));
    joined.inspect_err(|error| tracing::warn!("failed to {error}")).ok()
}

/// Leaves nothing that only the run itself needed.
pub fn leave(directory: &Path) {
    let _ = fs::remove_dir_all(directory.join(SCRATCH));
}

/// Removes litter and what is more than is to be kept. What cannot be removed now is tried again next time.
fn tidy(state: &State, keep_runs: usize, others: Others) {
    let may_go: fn(&Path) -> bool = match others {
        Others::None => |_| true,
        // Another run may still be writing it.
        Others::Unknown => is_old,
        Others::Some => return,
    };
    for directory in entries(&state.all_models()).iter().chain(&entries(&state.all_tables())) {
        entries(directory)
            .iter()
            .filter(|path| is_staged_directory(path) && may_go(path))
            .for_each(|path| remove(path));
    }
    let mut in_use = HashSet::new();
    for node in entries(&state.all_tables()) {
        in_use.extend(prune_executions(&node, may_go));
    }
    prune_runs(state, keep_runs, &in_use, may_go);
    for node in entries(&state.all_counts()).iter().chain(&entries(&state.all_gates())) {
        remove_abandoned(node);
        // Named by date.
        let mut days = entries(node);
        days.sort_unstable_by(|a, b| b.cmp(a));
        days.iter().skip(keep_runs).filter(|path| may_go(path)).for_each(|path| remove(path));
    }
    // Other pipelines write here too.
    remove_abandoned(&state.root.join("state"));
}

/// Removes staged files that nobody holds.
fn remove_abandoned(directory: &Path) {
    for path in entries(directory).iter().filter(|path| is_staged_file(path)) {
        if let Err(error) = local::remove_abandoned(path) {
            tracing::debug!("failed to remove {}: {error}", path.display());
        }
    }
}

/// Removes all but the newest executions of a node; the runs that hold rows that the others set aside.
fn prune_executions(node: &Path, may_go: fn(&Path) -> bool) -> HashSet<String> {
    let modified = |path: PathBuf| Some((fs::metadata(&path).and_then(|found| found.modified()).ok()?, path));
    let mut executions: Vec<(SystemTime, PathBuf)> = entries(node).into_iter().filter_map(modified).collect();
    executions.sort_unstable_by(|a, b| b.cmp(a));
    let mut in_use = HashSet::new();
    for (place, (_, path)) in executions.iter().enumerate() {
        if place >= EXECUTIONS_KEPT && may_go(path) {
            remove(path);
            continue;
        }
        let aside = read::<Meta>(&path.join(META)).map(|meta| meta.aside).unwrap_or_default();
        let runs = aside.iter().filter_map(|aside| aside.file.iter().next()?.to_str());
        in_use.extend(runs.map(str::to_owned));
    }
    in_use
}

/// Removes the directories of all but the newest runs, and what killed ones left in the others.
fn prune_runs(state: &State, keep: usize, in_use: &HashSet<String>, may_go: fn(&Path) -> bool) {
    for (place, run) in history::newest_first(&state.root, Some(&state.pipeline)).enumerate() {
        if place >= keep && !in_use.contains(&run.run_id) && may_go(&run.directory) {
            remove(&run.directory);
        } else if may_go(&run.directory) {
            let _ = fs::remove_dir_all(run.directory.join(SCRATCH));
            entries(&run.directory).iter().filter(|path| is_staged_file(path)).for_each(|path| remove(path));
        }
    }
    // Those of runs that were killed before they could say whose they are.
    let nameless = entries(&state.root).into_iter().filter(|path| is_run(path) && !path.join("manifest.json").exists());
    nameless.filter(|path| is_old(path)).for_each(|path| remove(&path));
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default()
}

/// `<key>.tmp-<random>`, as directories are called until they are whole.
fn is_staged_directory(path: &Path) -> bool {
    name(path).contains(".tmp-") && path.is_dir()
}

/// `.<name>.<random>.tmp`, as files are called until they are whole.
fn is_staged_file(path: &Path) -> bool {
    name(path).starts_with('.') && name(path).ends_with(".tmp")
}

fn is_run(path: &Path) -> bool {
    uuid::Uuid::parse_str(name(path)).is_ok()
}

fn remove(path: &Path) {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    if let Err(error) = removed {
        tracing::debug!("failed to remove {}: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(root: &Path) -> State {
        State { root: root.to_owned(), pipeline: "shop".to_owned() }
    }

    fn litter(root: &Path) -> Vec<PathBuf> {
        let dead = ["tables/shop/sales/ab12.tmp-0193", "models/shop/will_buy/2024-06-01-ab.tmp-0193", "run/scratch"];
        let files = [
            "state/.shop.json.0193.tmp",
            "state/rows/shop/sales/.2024-06-01.json.0193.tmp",
            "run/.report.json.0193.tmp",
        ];
        for path in dead {
            fs::create_dir_all(root.join(path)).unwrap();
            fs::write(root.join(path).join("table.parquet"), "half").unwrap();
        }
        let manifest = serde_json::json!({ "metadata": {
            "run_id": "run", "started_at": "2024-06-01T00:00:00Z", "pipeline": "shop", "run_date": "2024-06-01",
            "environment": "local",
        }});
        fs::write(root.join("run/manifest.json"), manifest.to_string()).unwrap();
        fs::create_dir_all(root.join("state/rows/shop/sales")).unwrap();
        for path in files {
            fs::write(root.join(path), "half").unwrap();
        }
        dead.iter().chain(&files).map(|path| root.join(path)).collect()
    }

    #[test]
    fn litter_goes_if_nobody_else_runs_and_stays_if_somebody_does() {
        let root = tempfile::tempdir().unwrap();
        let litter = litter(root.path());
        tidy(&state(root.path()), 30, Others::Some);
        assert!(litter.iter().all(|path| path.exists()));
        tidy(&state(root.path()), 30, Others::Unknown);
        let left: Vec<&PathBuf> = litter.iter().filter(|path| path.exists()).collect();
        assert_eq!(left.len(), litter.len() - 2, "what is young stays, but for files that nobody holds: {left:?}");
        tidy(&state(root.path()), 30, Others::None);
        let left: Vec<&PathBuf> = litter.iter().filter(|path| path.exists()).collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(root.path().join("run/manifest.json").is_file());
    }
}
