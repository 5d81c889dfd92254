use std::fs;
use std::path::Path;

use super::*;

fn tree(names: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in names {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    dir
}

async fn names(dir: &Path, text: &str) -> Result<Vec<String>, Kind> {
    let location = Location::parse(text, dir).map_err(|error| error.kind())?;
    let files = list(&location, &Format::Parquet).await.map_err(|error| error.kind())?;
    let root = format!("{}/", dir.display());
    let relative = |file: &SourceFile| file.location.url().strip_prefix(&root).unwrap().to_owned();
    Ok(files.iter().map(relative).collect())
}

#[tokio::test]
async fn a_directory_gives_its_parquet_files_in_order() {
    let dir = tree(&[
        "lake/b.parquet",
        "lake/a/é 1.parquet",
        "lake/readme.txt",
        "lake/_tmp/x.parquet",
        "lake/.hidden.parquet",
        "lake/_SUCCESS",
    ]);
    assert_eq!(names(dir.path(), "lake").await.unwrap(), ["lake/a/é 1.parquet", "lake/b.parquet"]);
    assert_eq!(names(dir.path(), "lake/b.parquet").await.unwrap(), ["lake/b.parquet"]);
}

#[tokio::test]
async fn globs_match_files_and_directories() {
    let dir = tree(&["l/y=1/a.parquet", "l/y=1/b.parquet", "l/y=2/a.parquet", "l/z/q/c.parquet"]);
    let cases: [(&str, &[&str]); 7] = [
        ("l/*/a.parquet", &["l/y=1/a.parquet", "l/y=2/a.parquet"]),
        ("l/**/*.parquet", &["l/y=1/a.parquet", "l/y=1/b.parquet", "l/y=2/a.parquet", "l/z/q/c.parquet"]),
        ("l/y=*", &["l/y=1/a.parquet", "l/y=1/b.parquet", "l/y=2/a.parquet"]),
        ("l/y=[2-9]/?.parquet", &["l/y=2/a.parquet"]),
        ("l/{y=2,z/q}/*.parquet", &["l/y=2/a.parquet", "l/z/q/c.parquet"]),
        ("l/y=1/[!a].parquet", &["l/y=1/b.parquet"]),
        ("?/z/**/c.parquet", &["l/z/q/c.parquet"]),
    ];
    for (glob, expected) in cases {
        assert_eq!(names(dir.path(), glob).await.unwrap(), expected, "{glob}");
    }
    assert_eq!(names(dir.path(), "l/*.csv").await, Err(Kind::NotFound));
    assert_eq!(names(dir.path(), "l/[a").await, Err(Kind::Invalid));
}

#[tokio::test]
async fn a_name_with_glob_characters_is_taken_literally_if_it_exists() {
    let dir = tree(&["[2011] lake/a.parquet", "[2011] lake/a*.parquet"]);
    assert_eq!(names(dir.path(), "[2011] lake").await.unwrap().len(), 2);
    assert_eq!(names(dir.path(), "[2011] lake/a*.parquet").await.unwrap(), ["[2011] lake/a*.parquet"]);
}

#[tokio::test]
async fn hive_keys_are_read_below_the_base() {
    let dir = tree(&["k=0/lake/country=Köln/day=1/a.parquet"]);
    let location = Location::parse("k=0/lake", dir.path()).unwrap();
    let files = list(&location, &Format::Parquet).await.unwrap();
    let expected = [("country", "Köln"), ("day", "1")];
    let expected = expected.map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
    assert_eq!(files[0].partitions, expected);
    assert_eq!(files[0].location.to_string(), "k=0/lake/country=Köln/day=1/a.parquet");
}

#[tokio::test]
async fn what_is_missing_or_empty_is_not_found() {
    let dir = tree(&["lake/readme.txt"]);
    for text in ["nowhere", "nowhere/x.parquet", "lake", "lake/readme.txt/x", "nowhere/*.parquet"] {
        assert_eq!(names(dir.path(), text).await, Err(Kind::NotFound), "{text}");
    }
}

#[tokio::test]
async fn identity_follows_the_content() {
    let dir = tree(&["a.parquet"]);
    let location = Location::parse("a.parquet", dir.path()).unwrap();
    let before = list(&location, &Format::Parquet).await.unwrap()[0].identity.clone();
    assert_eq!(list(&location, &Format::Parquet).await.unwrap()[0].identity, before);
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::write(dir.path().join("a.parquet"), "other").unwrap();
    assert_ne!(list(&location, &Format::Parquet).await.unwrap()[0].identity, before);
}

#[tokio::test]
async fn a_file_that_was_replaced_or_removed_is_told() {
    let dir = tree(&["a.parquet", "b.parquet"]);
    let location = Location::parse("*.parquet", dir.path()).unwrap();
    let files = list(&location, &Format::Parquet).await.unwrap();
    for file in &files {
        unchanged(file).await.unwrap();
    }
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::write(dir.path().join("new"), "a.parquet").unwrap();
    fs::rename(dir.path().join("new"), dir.path().join("a.parquet")).unwrap();
    fs::remove_file(dir.path().join("b.parquet")).unwrap();
    for (file, said) in files.iter().zip(["it changed while it was read", "it was there when it was listed"]) {
        let error = unchanged(file).await.unwrap_err();
        assert_eq!((error.kind(), error.detail.as_str()), (Kind::Transient, said));
    }
}
