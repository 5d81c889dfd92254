//! How much memory the process may use: what the user allows, and what its container has.

use std::path::Path;

use super::cgroup::Group;
use super::memory::memory_bytes;

/// Of a container's memory this much may be used: who is over the limit is killed without a word, so a run has to
/// stop before, with enough left to say why.
const SHARE: f64 = 0.90;
/// From here on there is no time to wait for anything.
const SHARE_HOPELESS: f64 = 0.95;
/// The same for a limit that nobody but the run itself enforces.
const EXCESS_HOPELESS: f64 = 1.25;

/// The limits that a process has; none by default.
#[derive(Debug, Clone, Default)]
pub struct MemoryLimit {
    /// What `--memory-limit` says.
    given_bytes: Option<u64>,
    group: Option<Group>,
}

/// How near the limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    Fine,
    /// The run has to stop.
    Over,
    /// It has to stop now.
    Hopeless,
}

impl MemoryLimit {
    /// What the user gave, and the limit of the control group that this process is in.
    pub fn of_process(given_bytes: Option<u64>) -> MemoryLimit {
        MemoryLimit { given_bytes, group: Group::tightest(Path::new("/")) }
    }

    /// What may be used, if there is any limit.
    pub fn bytes(&self) -> Option<u64> {
        [self.given_bytes, self.group_bytes()].into_iter().flatten().min()
    }

    /// What is left of it now.
    pub fn left_bytes(&self) -> Option<u64> {
        let of_given = self.given_bytes.map(|limit| limit.saturating_sub(memory_bytes().unwrap_or(0)));
        let used = || self.group.as_ref().and_then(Group::used_bytes).unwrap_or(0);
        let of_group = self.group_bytes().map(|limit| limit.saturating_sub(used()));
        [of_given, of_group].into_iter().flatten().min()
    }

    /// Looks at what is used.
    pub fn pressure(&self) -> Pressure {
        let of_given = || pressure(memory_bytes()?, self.given_bytes?, 1.0, EXCESS_HOPELESS);
        let of_group = || {
            let group = self.group.as_ref()?;
            pressure(group.used_bytes()?, group.limit_bytes, SHARE, SHARE_HOPELESS)
        };
        of_given().max(of_group()).unwrap_or(Pressure::Fine)
    }

    /// Which limit it is: `the 512 MiB that --memory-limit allows`.
    pub fn words(&self) -> String {
        let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
        match (self.given_bytes, self.group_bytes(), &self.group) {
            (given, Some(usable), Some(group)) if given.is_none_or(|given| usable < given) => format!(
                "the {} that may be used of the {} that the container (its control group) has",
                mebibytes(usable),
                mebibytes(group.limit_bytes)
            ),
            (given, ..) => format!("the {} that --memory-limit allows", mebibytes(given.unwrap_or(0))),
        }
    }

    fn group_bytes(&self) -> Option<u64> {
        self.group.as_ref().map(|group| share(group.limit_bytes, SHARE))
    }
}

fn share(bytes: u64, share: f64) -> u64 {
    (bytes as f64 * share) as u64
}

fn pressure(used: u64, limit: u64, over: f64, hopeless: f64) -> Option<Pressure> {
    Some(match used {
        used if used > share(limit, hopeless) => Pressure::Hopeless,
        used if used > share(limit, over) => Pressure::Over,
        _ => Pressure::Fine,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_of_before_it_is_reached() {
        let at = |used: u64| pressure(used, 1000, SHARE, SHARE_HOPELESS);
        assert_eq!([at(900), at(901), at(951)], [Pressure::Fine, Pressure::Over, Pressure::Hopeless].map(Some));
    }

    #[test]
    fn what_is_given_holds_where_there_is_no_container() {
        let limit = MemoryLimit { given_bytes: Some(64 << 20), group: None };
        assert_eq!((limit.bytes(), limit.words().as_str()), (Some(64 << 20), "the 64 MiB that --memory-limit allows"));
        assert!(limit.left_bytes().unwrap() < 64 << 20);
        assert_eq!(MemoryLimit::default().pressure(), Pressure::Fine);
        assert_eq!((MemoryLimit::default().bytes(), MemoryLimit::default().left_bytes()), (None, None));
        let tiny = MemoryLimit { given_bytes: Some(1), group: None };
        assert_eq!(tiny.pressure(), Pressure::Hopeless);
    }
}
