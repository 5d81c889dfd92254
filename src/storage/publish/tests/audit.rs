//! Damage of every sort, planted with a seed: each is found, and told of the right file.

use polars::prelude::{Column, DataFrame, ParquetWriter};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use object_store::PutMode;

const FILES: usize = 3;

/// A table whose rows no other has.
fn table(start: i64) -> Vec<u8> {
    let numbers: Vec<i64> = (start..start + 200).collect();
    let names: Vec<String> = numbers.iter().map(|number| format!("row {}", number * 7919 % 1000)).collect();
    let columns = vec![Column::new("number".into(), numbers), Column::new("name".into(), names)];
    let mut bytes = Vec::new();
    let mut frame = DataFrame::new(200, columns).unwrap();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    bytes
}

async fn publish_tables(to: &Location) -> Commit {
    let (mut request, dir) = request(to, "run-1", &[""; FILES]);
    for (index, file) in request.files.iter_mut().enumerate() {
        std::fs::write(&file.path, table(1000 * index as i64)).unwrap();
        file.rows = 200;
    }
    let commit = publish(&request).await.unwrap().commit;
    drop(dir);
    commit
}

async fn findings(to: &Location) -> Vec<Finding> {
    let inspection = audit(to, None).await.unwrap();
    let found = inspection.dates.into_iter().flat_map(|audit| audit.findings);
    found.chain(inspection.elsewhere).collect()
}

/// Plants the n-th damage; the file that must be named, and what it was.
async fn damage(
    dataset: &Dataset,
    commit: &Commit,
    n: usize,
    random: &mut Xoshiro256PlusPlus,
) -> Vec<(String, Vec<u8>)> {
    let victim = commit.files[random.gen_range(0..FILES)].path.clone();
    let other = commit.files.iter().map(|file| file.path.clone()).find(|path| *path != victim).unwrap();
    let was = dataset.get(&victim).await.unwrap().unwrap();
    let mut bytes = was.clone();
    let place = random.gen_range(0..bytes.len());
    let mut touched = vec![(victim.clone(), was.clone())];
    match n % 8 {
        0 => bytes[place] ^= 1 << random.gen_range(0..8),
        1 => bytes.truncate(place),
        2 => bytes.extend((0..=place % 64).map(|_| random.r#gen::<u8>())),
        3 => {
            let others = dataset.get(&other).await.unwrap().unwrap();
            touched.push((other.clone(), others.clone()));
            dataset.put(&other, was, PutMode::Overwrite).await.unwrap();
            bytes = others;
        }
        4 => {
            dataset.delete(&victim).await.unwrap();
            return touched;
        }
        5 => bytes.rotate_left(place.max(1)),
        6 => {
            let end = (place + 64).min(bytes.len());
            bytes[place..end].iter_mut().for_each(|byte| *byte = !*byte);
        }
        // Whole Parquet, and of the same date, but of other rows.
        _ => bytes = table(-1000 - place as i64),
    }
    dataset.put(&victim, bytes, PutMode::Overwrite).await.unwrap();
    touched
}

async fn every_damage_is_found(to: &Location, rounds: usize) {
    let commit = publish_tables(to).await;
    let dataset = Dataset::open(to).unwrap();
    assert_eq!(findings(to).await, []);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(4);
    for n in 0..rounds {
        let touched = damage(&dataset, &commit, n, &mut random).await;
        let found = findings(to).await;
        for (path, _) in &touched {
            let told = found.iter().any(|finding| finding.path == *path && finding.fault.is_damage());
            assert!(told, "damage {n} of {path} is not among {found:?}");
        }
        assert_eq!(found.len(), touched.len(), "nothing else is blamed: {found:?}");
        assert!(content_damage(to, &commit).await.unwrap(), "damage {n}");
        for (path, was) in touched {
            dataset.put(&path, was, PutMode::Overwrite).await.unwrap();
        }
    }
    assert_eq!(findings(to).await, []);
    assert!(!content_damage(to, &commit).await.unwrap());
}

#[tokio::test]
async fn all_of_a_thousand_damages_are_found_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    every_damage_is_found(&local(&dir), 1000).await;
}

#[tokio::test]
async fn all_of_a_thousand_damages_are_found_in_an_object_store() {
    every_damage_is_found(&memory(), 1000).await;
}

#[tokio::test]
async fn what_lies_about_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    for to in [memory(), local(&dir)] {
        publish_tables(&to).await;
        let dataset = Dataset::open(&to).unwrap();
        let rival = names::part(date(), 0, 2, "run-2", "parquet");
        let dead = names::part(date(), 0, 1, "run-0", "parquet");
        let nobodys = names::part(date().succ_opt().unwrap(), 0, 1, "run-3", "parquet");
        let planted = [
            (rival.as_str(), Fault::Uncommitted),
            (dead.as_str(), Fault::Dead),
            (nobodys.as_str(), Fault::Uncommitted),
            ("run_date=2011-12-10/notes.txt", Fault::Foreign),
            ("run_date=2011-12-10/more.parquet", Fault::Foreign),
            ("elsewhere.parquet", Fault::Foreign),
            ("run_date=2011-12-10/_manifest.json", Fault::Manifest),
        ];
        for (path, _) in &planted {
            dataset.put(path, b"x".to_vec(), PutMode::Overwrite).await.unwrap();
        }
        dataset.delete(&names::success(date())).await.unwrap();
        let mut expected: Vec<(String, Fault)> =
            planted.iter().map(|(path, fault)| ((*path).to_owned(), fault.clone())).collect();
        expected.push((names::success(date()), Fault::NoSuccess));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        let mut found: Vec<(String, Fault)> =
            findings(&to).await.into_iter().map(|finding| (finding.path, finding.fault)).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_commit_that_cannot_be_read_is_damage_and_a_date_without_one_is_nothing() {
    let to = memory();
    publish_tables(&to).await;
    assert!(audit(&to, date().succ_opt()).await.unwrap().dates.is_empty());
    assert!(audit(&memory(), None).await.unwrap().dates.is_empty());
    let dataset = Dataset::open(&to).unwrap();
    dataset.put(&names::commit(date(), 2), b"{".to_vec(), PutMode::Overwrite).await.unwrap();
    let found = findings(&to).await;
    assert!(matches!(found.as_slice(), [Finding { fault: Fault::Commit(_), .. }]), "{found:?}");
}

/// What a living run is writing is no problem, what a dead one left is.
#[tokio::test]
async fn an_upload_under_way_is_left_alone_and_a_dead_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let to = local(&dir);
    let commit = publish_tables(&to).await;
    let dataset = Dataset::open(&to).unwrap();
    let next = dataset.path(&names::part(date(), 0, 2, "run-2", "parquet")).unwrap();
    let upload = object_store::ObjectStoreExt::put_multipart(&dataset.store, &next).await.unwrap();
    assert_eq!(findings(&to).await, []);
    finish::finish(&dataset, &commit).await.unwrap();
    let is_there = || std::fs::read_dir(to.join("run_date=2011-12-10").local_path().unwrap()).unwrap().count() == 6;
    assert!(is_there(), "the upload is not cleaned up");
    // As if its process had died: the file stays, the lock does not.
    std::mem::forget(upload);
    let staged = dataset.list("run_date=2011-12-10").await.unwrap();
    let (staged, _) = staged.iter().find(|(path, _)| names::is_staged(path)).unwrap();
    let staged = to.join(staged).local_path().unwrap();
    std::fs::copy(&staged, staged.with_extension("copy")).unwrap();
    std::fs::rename(staged.with_extension("copy"), &staged).unwrap();
    let found = findings(&to).await;
    assert!(matches!(found.as_slice(), [Finding { fault: Fault::Dead, .. }]), "{found:?}");
    finish::finish(&dataset, &commit).await.unwrap();
    assert_eq!(findings(&to).await, []);
}
