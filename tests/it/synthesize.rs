//! `patronage synthesize` from outside: what it says, what it refuses, what it leaves.

use super::support::{Said, files, program};

fn synthesize(out: &std::path::Path, flags: &[&str]) -> Said {
    let mut command = program();
    command.args(["synthesize", "--customers", "50", "--to", "2023-03-31"]).args(flags).arg("--out").arg(out);
    Said::of(command.output().unwrap())
}

#[test]
fn it_tells_what_it_made_and_where_the_bad_rows_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("lake");
    let said = synthesize(&out, &["--threads", "1"]).ends(0);
    assert!(said.stdout.contains("transactions of 50 customers and 96 products, 2023-01-01 to 2023-03-31"), "{said:?}");
    assert!(said.stdout.contains("truth/bad_rows.parquet"), "{said:?}");
    assert_eq!(files(&out).len(), 11);
}

#[test]
fn a_folder_that_is_not_empty_is_left_alone_unless_forced() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.txt"), "mine").unwrap();
    let said = synthesize(folder.path(), &[]).ends(2);
    assert!(said.stderr.contains("it is not empty") && said.stderr.contains("--force"), "{said:?}");
    assert_eq!(files(folder.path()).len(), 1);
    synthesize(folder.path(), &["--force"]).ends(0);
    assert_eq!(std::fs::read_to_string(folder.path().join("mine.txt")).unwrap(), "mine");
}

#[test]
fn options_that_make_no_sense_are_usage_errors() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("lake");
    for (flags, words) in [
        (["--customers", "0"], "no customers"),
        (["--from", "2023-04-01"], "ends on 2023-03-31, before it begins on 2023-04-01"),
        (["--bad-rows", "11"], "use 11 for bad-rows: it must be from 0 to 10"),
        (["--threads", "0"], "--threads"),
        (["--seasonality", "NaN"], "seasonality"),
    ] {
        let mut command = program();
        command.args(["synthesize", "--to", "2023-03-31"]).args(flags).arg("--out").arg(&out);
        let said = Said::of(command.output().unwrap()).ends(2);
        assert!(said.stderr.contains(words), "{flags:?}: {said:?}");
    }
    assert!(!out.exists());
}

#[test]
fn a_place_that_cannot_be_written_ends_with_74() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let said = synthesize(&file.join("lake"), &[]).ends(74);
    assert!(said.stderr.contains("file/lake"), "{said:?}");
}

/// A limit on the size of files stands in for a full disk: writes fail half way.
#[cfg(unix)]
#[test]
fn a_full_disk_ends_with_74_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("lake");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" synthesize --out \"$1\""]);
    command.arg(program().get_program()).arg(&out);
    let said = Said::of(command.output().unwrap()).ends(74);
    assert!(said.stderr.contains("failed to write"), "{said:?}");
    assert_eq!(files(&out).len(), 0, "{said:?}");
}
