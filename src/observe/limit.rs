//! How much memory the process may use: what the user allows, and what its container has.

use std::path::Path;

use super::cgroup::Group;
use super::memory::memory_bytes;

const MEBIBYTE: u64 = 1 << 20;
/// A limit that nobody but the run itself enforces may be exceeded by a quarter before nothing is waited for.
const EXCESS: u64 = 4;

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
    /// It has to stop now, without waiting for what is under way.
    Hopeless,
    /// The process is about to be killed.
    Lost,
}

/// From how many bytes on there is which pressure.
struct Marks {
    over: u64,
    hopeless: u64,
    lost: u64,
}

impl Marks {
    /// Of a container: who exceeds its limit is killed without a word, so a run has to stop before, with enough left
    /// for what a query takes while the run says why. That does not shrink with the container, if it is not tiny.
    fn of_group(limit: u64) -> Marks {
        let below = |part: u64, mebibytes: u64, part_max: u64| {
            limit.saturating_sub((limit / part).max((mebibytes * MEBIBYTE).min(limit / part_max)))
        };
        Marks { over: below(10, 96, 4), hopeless: below(20, 64, 6), lost: below(50, 40, 10) }
    }

    fn given(limit: u64) -> Marks {
        Marks { over: limit, hopeless: limit.saturating_add(limit / EXCESS), lost: u64::MAX }
    }

    fn pressure(&self, used: u64) -> Pressure {
        match used {
            used if used > self.lost => Pressure::Lost,
            used if used > self.hopeless => Pressure::Hopeless,
            used if used > self.over => Pressure::Over,
            _ => Pressure::Fine,
        }
    }
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
        let of_given = || Some(Marks::given(self.given_bytes?).pressure(memory_bytes()?));
        let of_group = || {
            let group = self.group.as_ref()?;
            Some(Marks::of_group(group.limit_bytes).pressure(group.used_bytes()?))
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
        self.group.as_ref().map(|group| Marks::of_group(group.limit_bytes).over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_of_before_it_is_reached() {
        for (limit, over, hopeless, lost) in [(400, 304, 336, 360), (10_000, 9_000, 9_500, 9_800), (100, 75, 84, 90)] {
            let marks = Marks::of_group(limit * MEBIBYTE);
            let at = |mebibytes: u64| marks.pressure(mebibytes * MEBIBYTE);
            assert_eq!([at(over - 1), at(over + 1)], [Pressure::Fine, Pressure::Over], "{limit}");
            assert_eq!([at(hopeless - 1), at(hopeless + 1)], [Pressure::Over, Pressure::Hopeless], "{limit}");
            assert_eq!([at(lost - 1), at(lost + 1)], [Pressure::Hopeless, Pressure::Lost], "{limit}");
        }
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
