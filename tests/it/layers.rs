//! Who may use whom in `src`: nothing imports what stands above it.
//!
//! The rules are read off the text of the sources, so a path that is spelt out in full counts as
//! well as a `use`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;

use super::support::{files, repository};

/// Module to the modules that it may import. All that are in `src` are here.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // Leaves.
    ("algorithms", &[]),
    ("crash", &[]),
    ("events", &[]),
    ("format", &[]),
    ("metrics", &[]),
    ("privacy", &[]),
    ("problem", &[]),
    ("synthesize", &[]),
    ("table", &[]),
    ("vector", &[]),
    // One step above them.
    ("config", &["problem", "table"]),
    ("report", &["format", "metrics"]),
    ("sql", &["problem"]),
    ("storage", &["table"]),
    // No secret of it may be shown either.
    ("database", &["storage"]),
    ("observe", &["events", "report"]),
    // What a stage may know: no path, no storage, no plan, no clock.
    ("stages", &["algorithms", "config", "format", "metrics", "problem", "sql", "table"]),
    ("checks", &["config", "problem", "sql", "table"]),
    ("plan", &["checks", "config", "privacy", "problem", "sql", "stages", "table"]),
    (
        "run",
        &[
            "checks", "config", "crash", "database", "events", "format", "metrics", "observe", "plan", "privacy",
            "problem", "report", "stages", "storage", "table",
        ],
    ),
    (
        "cli",
        &[
            "config",
            "crash",
            "events",
            "format",
            "observe",
            "plan",
            "problem",
            "report",
            "run",
            "stages",
            "storage",
            "synthesize",
            "table",
        ],
    ),
];

/// Modules that stay pure, with what must not be in them.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "algorithms",
        &[
            "polars",
            "serde_yaml",
            "serde_json",
            "std::fs",
            "std::env",
            "std::time",
            "chrono",
            "thread_rng",
            "println!",
            "tokio",
        ],
    ),
    ("metrics", &["polars", "serde_yaml", "std::fs", "std::env", "std::time", "thread_rng", "println!", "tokio"]),
    (
        "stages",
        &[
            "std::fs",
            "std::env",
            "std::time",
            "std::path",
            "Utc::now",
            "object_store",
            "tokio",
            "thread_rng",
            "println!",
        ],
    ),
    ("table", &["std::fs", "std::path", "object_store", "tokio"]),
    ("sql", &["std::fs", "std::path", "object_store", "tokio"]),
    ("plan", &["std::fs", "object_store", "tokio", "println!", "Utc::now"]),
    ("run", &["println!", "print!", "eprintln!", "object_store"]),
    ("checks", &["std::fs", "std::path", "object_store", "tokio", "println!", "Utc::now"]),
    ("config", &["polars", "object_store", "tokio", "println!"]),
];

#[test]
fn nothing_imports_what_stands_above_it() {
    let own = Regex::new(r"\bcrate::(?:\{([^}]*)\}|([a-z_]+))").unwrap();
    let mut broken = Vec::new();
    for (module, file, text) in sources() {
        let allowed = MAY_IMPORT.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, allowed)| allowed);
        for found in own.captures_iter(&text) {
            let group = found.get(1).or(found.get(2)).map_or("", |names| names.as_str());
            for name in group.split(',').map(|path| path.trim().split("::").next().unwrap_or_default()) {
                if !name.is_empty() && name != module && !allowed.contains(&name) {
                    broken.push(format!("{}: {module} imports {name}", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_module_has_its_rule_and_every_rule_is_used() {
    let library = std::fs::read_to_string(repository().join("src/lib.rs")).unwrap();
    let declared = Regex::new(r"(?m)^(?:pub )?mod ([a-z_]+);").unwrap();
    let modules: BTreeSet<&str> =
        declared.captures_iter(&library).map(|found| found.get(1).unwrap().as_str()).collect();
    let ruled: BTreeSet<&str> = MAY_IMPORT.iter().map(|(name, _)| *name).collect();
    assert_eq!(modules, ruled);

    let own = Regex::new(r"\bcrate::([a-z_]+)").unwrap();
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, _, text) in sources() {
        used.entry(module).or_default().extend(own.captures_iter(&text).map(|found| found[1].to_owned()));
    }
    let idle: Vec<String> = MAY_IMPORT
        .iter()
        .flat_map(|(module, allowed)| allowed.iter().map(move |name| (*module, *name)))
        .filter(|(module, name)| !used.get(*module).is_some_and(|used| used.contains(*name)))
        .map(|(module, name)| format!("{module} -> {name}"))
        .collect();
    assert!(idle.is_empty(), "allowed and not needed, so forbid it: {}", idle.join(", "));
}

#[test]
fn no_rule_points_back_up() {
    for (place, (module, allowed)) in MAY_IMPORT.iter().enumerate() {
        for name in *allowed {
            let below = MAY_IMPORT.iter().position(|(other, _)| other == name).expect("a known module");
            assert!(below < place, "{module} may import {name}, which stands above it");
        }
    }
}

#[test]
fn pure_modules_stay_pure() {
    let mut broken = Vec::new();
    let is_test = |file: &Path| file.iter().any(|part| part == "tests" || part == "tests.rs");
    for (module, file, text) in sources().into_iter().filter(|(_, file, _)| !is_test(file)) {
        let forbidden = FORBIDDEN.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, words)| words);
        for (number, line) in code_lines(&text) {
            for word in forbidden.iter().filter(|word| line.contains(**word)) {
                broken.push(format!("{}:{number}: {module} has `{word}`: {}", file.display(), line.trim()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn of_config_a_stage_knows_only_the_span() {
    for (module, file, text) in sources() {
        for (_, line) in code_lines(&text).filter(|(_, line)| module == "stages" && line.contains("crate::config")) {
            assert_eq!(line.trim(), "use crate::config::Span;", "{}", file.display());
        }
    }
}

/// A new kind is one new file (or folder) and its two lines in `stages/mod.rs`.
#[test]
fn every_stage_kind_is_one_file_and_two_lines() {
    let registry = std::fs::read_to_string(repository().join("src/stages/mod.rs")).unwrap();
    let declaration = Regex::new(r"const KIND: &'static str = \x22([a-z_]+)\x22").unwrap();
    let mut kinds = 0;
    for (module, file, text) in sources() {
        let Some(kind) = declaration.captures(&text) else {
            continue;
        };
        assert_eq!(module, "stages", "{}", file.display());
        kinds += 1;
        let path: Vec<String> = file.iter().map(|part| part.display().to_string()).collect();
        let [_, _, family, name, ..] = path.as_slice() else { panic!("{} is in no family", file.display()) };
        let name = name.trim_end_matches(".rs");
        assert_eq!(name, &kind[1], "{}: the file is named as the kind", file.display());
        assert!(text.contains(&format!("const FAMILY: &'static str = \"{family}\"")), "{}", file.display());
        let line = format!("    pub mod {name};\n");
        assert!(registry.contains(&line), "{}: no `pub mod {name};` in stages/mod.rs", file.display());
        let row = Regex::new(&format!(r"Kind::of::<{family}::{name}::[A-Za-z]+>\(\),")).unwrap();
        assert_eq!(row.find_iter(&registry).count(), 1, "{}: no row in KINDS", file.display());
    }
    assert_eq!(registry.matches("Kind::of::<").count(), kinds, "a row of KINDS without a file");
}

/// Top-level module, path from the repository and text of every source below `src`.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = repository().join("src");
    let of = |path: PathBuf| {
        let inside = path.strip_prefix(&root).expect("a file below src");
        let first = inside.iter().next()?.to_str()?.trim_end_matches(".rs").to_owned();
        let known = !matches!(first.as_str(), "lib" | "main") && path.extension()? == "rs";
        let text = std::fs::read_to_string(&path).expect("a source");
        known.then(|| (first, Path::new("src").join(inside), text))
    };
    let found: Vec<_> = files(&root).into_iter().filter_map(of).collect();
    assert!(found.len() > 100, "the sources were not found");
    found
}

/// Lines with their numbers, without comments and unit tests in the same file.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text.get(..end).unwrap_or(text).lines().enumerate();
    lines.map(|(index, line)| (index + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}
