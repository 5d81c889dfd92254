use super::*;
use crate::storage::Kind;

const ROUNDS: usize = 60;

/// Several runs publish one date at once, again and again: every commit has exactly one winner.
async fn race(to: &Location, runs: usize) {
    let mut won = 0;
    for round in 0..ROUNDS {
        let tasks: Vec<_> = (0..runs)
            .map(|run| {
                let to = to.clone();
                tokio::spawn(async move {
                    let content = format!("round {round} run {run}");
                    let id = format!("run-{round}-{run}");
                    (content.clone(), put(&to, &id, &[&content, &content]).await)
                })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            let (content, result) = task.await.unwrap();
            match result {
                Ok(published) => winners.push((published.commit.sequence, content)),
                Err(error) => assert_eq!(error.kind(), Kind::Conflict, "{error}"),
            }
        }
        winners.sort();
        let expected: Vec<u64> = (won + 1..).take(winners.len()).collect();
        assert_eq!(winners.iter().map(|winner| winner.0).collect::<Vec<_>>(), expected);
        won += winners.len() as u64;
        let (_, last) = winners.last().expect("someone wins");
        assert_eq!(read_newest(to).await.unwrap(), [last.as_str(), last.as_str()]);
        assert_success_is_honest(to).await;
    }
    let commits = Dataset::open(to).unwrap().list(&names::commits(date())).await.unwrap();
    let commits = commits.iter().filter(|(name, _)| names::parse_commit(name).is_some());
    assert_eq!(commits.count() as u64, won);
    repair(to, date(), "repair", Utc::now()).await.unwrap();
    assert_whole(to).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_runs_race_in_memory() {
    race(&memory(), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_runs_race_in_memory() {
    race(&memory(), 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_runs_race_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    race(&local(&dir), 2).await;
}
