use super::*;
use crate::storage::{Format, Kind, sources};

#[tokio::test]
async fn a_version_replaces_the_one_before_and_leaves_nothing_of_it() {
    let dir = tempfile::tempdir().unwrap();
    for to in [memory(), local(&dir)] {
        assert_eq!(newest(&to, None).await.unwrap(), None);
        let first = put(&to, "run-1", &["a", "b"]).await.unwrap();
        assert_eq!((first.commit.sequence, first.finished), (1, true));
        let second = put(&to, "run-2", &["c"]).await.unwrap();
        assert_eq!(second.commit.sequence, 2);
        assert_eq!(second.commit.replaces.len(), 2);
        assert_eq!(second.commit.rows(), 1);
        assert_eq!(read_newest(&to).await.unwrap(), ["c"]);
        assert_eq!(newest(&to, None).await.unwrap(), Some(second.commit));
        assert_whole(&to).await;
        let dataset = Dataset::open(&to).unwrap();
        let names: Vec<_> = dataset.list("").await.unwrap().into_iter().map(|(name, _)| name).collect();
        let names: BTreeSet<_> = names.iter().map(String::as_str).collect();
        let expected = [
            "_commits/2011-12-10/000001.json",
            "_commits/2011-12-10/000002.json",
            "_commits/_dataset.json",
            "run_date=2011-12-10/_SUCCESS",
            "run_date=2011-12-10/_manifest.json",
            "run_date=2011-12-10/part-00000-000002-run-2.parquet",
        ];
        assert_eq!(names, expected.into());
    }
}

#[tokio::test]
async fn a_large_file_is_uploaded_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let large: String = (0..2_500_000).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    let large = large.repeat(9); // 22.5 MB: three parts, the last one shorter
    for to in [memory(), local(&dir)] {
        put(&to, "run-1", &[&large]).await.unwrap();
        assert_eq!(read_newest(&to).await.unwrap(), [large.as_str()]);
    }
}

#[tokio::test]
async fn dates_are_independent() {
    let to = memory();
    put(&to, "run-1", &["a"]).await.unwrap();
    let (mut earlier, _dir) = request(&to, "run-2", &["b"]);
    earlier.run_date = date().pred_opt().unwrap();
    assert_eq!(publish(&earlier).await.unwrap().commit.sequence, 1);
    assert_eq!(newest(&to, None).await.unwrap().unwrap().run_date, date());
    assert_eq!(newest_of_each_date(&to).await.unwrap().unwrap().len(), 2);
}

#[tokio::test]
async fn sources_read_the_newest_commits_only() {
    let dir = tempfile::tempdir().unwrap();
    for to in [memory(), local(&dir)] {
        let first = put(&to, "run-1", &["a"]).await.unwrap().commit;
        put(&to, "run-2", &["b", "c"]).await.unwrap();
        let dataset = Dataset::open(&to).unwrap();
        // Left by runs that crashed: one with a commit of another date, one of a date that has no commit.
        for stray in [&first.files[0].path, "run_date=2011-12-11/part-00000-000001-x.parquet"] {
            dataset.put(stray, b"stray".to_vec(), object_store::PutMode::Overwrite).await.unwrap();
        }
        for base in [to.clone(), to.join("run_date=2011-12-10"), to.join("run_date=*/*.parquet")] {
            let files = sources::list(&base, &Format::Parquet).await.unwrap();
            let names: Vec<_> = files.iter().map(|file| file.location.url()).collect();
            assert_eq!(files.len(), 2, "{base}: {names:?}");
            assert!(names.iter().all(|name| name.contains("-000002-run-2")), "{names:?}");
            assert!(files[0].identity.starts_with("sha256:"));
        }
        let partitions = &sources::list(&to, &Format::Parquet).await.unwrap()[0].partitions;
        assert_eq!(*partitions, [("run_date".to_owned(), Some("2011-12-10".to_owned()))]);
    }
}

#[tokio::test]
async fn damage_is_seen_and_not_called_success() {
    let to = memory();
    let commit = put(&to, "run-1", &["a", "b"]).await.unwrap().commit;
    let dataset = Dataset::open(&to).unwrap();
    dataset.delete(&commit.files[1].path).await.unwrap();
    let damaged = State::Damaged(vec![commit.files[1].path.clone()]);
    assert_eq!(verify(&to, &commit).await.unwrap(), damaged);
    let error = repair(&to, date(), "run-2", Utc::now()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.to_string().contains("part-00001"), "{error}");
    put(&to, "run-3", &["a", "b"]).await.unwrap();
    assert_whole(&to).await;
}

#[tokio::test]
async fn repair_fences_off_a_run_that_stopped_before_its_commit() {
    let to = memory();
    put(&to, "run-1", &["a"]).await.unwrap();
    let dataset = Dataset::open(&to).unwrap();
    dataset.delete(&names::success(date())).await.unwrap();
    let rival = names::part(date(), 0, 2, "run-2", "parquet");
    dataset.put(&rival, b"x".to_vec(), object_store::PutMode::Overwrite).await.unwrap();
    let before = newest(&to, None).await.unwrap().unwrap();
    assert_eq!(verify(&to, &before).await.unwrap(), State::Unfinished);
    let commit = repair(&to, date(), "run-3", Utc::now()).await.unwrap().unwrap();
    assert_eq!((commit.sequence, commit.key, commit.files), (2, before.key, before.files));
    assert_whole(&to).await;
    assert_eq!(read_newest(&to).await.unwrap(), ["a"]);
}

#[tokio::test]
async fn files_of_others_are_left_alone() {
    let to = memory();
    let dataset = Dataset::open(&to).unwrap();
    let mine = "run_date=2011-12-10/notes.txt";
    dataset.put(mine, b"x".to_vec(), object_store::PutMode::Overwrite).await.unwrap();
    put(&to, "run-1", &["a"]).await.unwrap();
    assert!(dataset.get(mine).await.unwrap().is_some());
    assert_whole(&to).await;
}

#[tokio::test]
async fn run_ids_that_could_leave_the_directory_are_refused() {
    for run_id in ["", "../x", "a/b", "a.b"] {
        assert_eq!(put(&memory(), run_id, &["a"]).await.unwrap_err().kind(), Kind::Invalid);
    }
}

#[tokio::test]
async fn a_commit_from_the_future_or_of_garbage_is_refused() {
    let to = memory();
    put(&to, "run-1", &["a"]).await.unwrap();
    let dataset = Dataset::open(&to).unwrap();
    for text in ["{}", "", "not json"] {
        let name = names::commit(date(), 2);
        dataset.put(&name, text.into(), object_store::PutMode::Overwrite).await.unwrap();
        assert_eq!(newest(&to, None).await.unwrap_err().kind(), Kind::Corrupt);
    }
}
