//! The memory limit that a container or a scheduler's job has: Linux control groups, version 2 or 1.

use std::fs;
use std::path::{Path, PathBuf};

/// What version 1 says in place of "no limit" is somewhere above this.
const UNLIMITED: u64 = 1 << 60;

/// A control group with a memory limit, and what it uses of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    directory: PathBuf,
    version: Version,
    pub limit_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    fn limit_file(self) -> &'static str {
        match self {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        }
    }

    fn usage_file(self) -> &'static str {
        match self {
            Version::One => "memory.usage_in_bytes",
            Version::Two => "memory.current",
        }
    }
}

impl Group {
    /// The group with the least limit among this process's own and those above it. `root` is `/`, but for tests.
    pub fn tightest(root: &Path) -> Option<Group> {
        let own = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
        let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
        let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
        let groups = own.lines().filter_map(member).flat_map(|(version, path)| {
            let mounts = mounts.iter().filter(move |mount| mount.version == version);
            mounts.flat_map(move |mount| mount.groups(root, path))
        });
        groups.min_by_key(|group| group.limit_bytes)
    }

    /// What counts against the limit and cannot be dropped: caches of files can.
    pub fn used_bytes(&self) -> Option<u64> {
        let usage: u64 =
            fs::read_to_string(self.directory.join(self.version.usage_file())).ok()?.trim().parse().ok()?;
        let account = fs::read_to_string(self.directory.join("memory.stat")).ok()?;
        // Version 1 has the sums over groups below under names of their own.
        let prefix = if self.version == Version::One { "total_" } else { "" };
        let cached = |name: &str| {
            let name = format!("{prefix}{name} ");
            let line = account.lines().find_map(|line| line.strip_prefix(&name));
            line.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0)
        };
        Some(usage.saturating_sub(cached("inactive_file") + cached("active_file")))
    }
}

/// A line of `/proc/self/cgroup`: the version of its hierarchy, if that may limit memory, and the path in it.
fn member(line: &str) -> Option<(Version, &str)> {
    let mut parts = line.splitn(3, ':');
    let (hierarchy, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    if hierarchy == "0" && controllers.is_empty() {
        return Some((Version::Two, path));
    }
    controllers.split(',').any(|controller| controller == "memory").then_some((Version::One, path))
}

/// Where a hierarchy can be seen.
struct Mount {
    version: Version,
    /// The group that the mount point shows.
    shown: String,
    point: String,
}

impl Mount {
    /// A line of `/proc/self/mountinfo`, if it is of a hierarchy that may limit memory.
    fn parse(line: &str) -> Option<Mount> {
        let (own, system) = line.split_once(" - ")?;
        let mut own = own.split(' ').skip(3);
        let (shown, point) = (own.next()?.to_owned(), own.next()?.to_owned());
        let mut system = system.split(' ');
        let (kind, options) = (system.next()?, system.nth(1)?);
        let version = match kind {
            "cgroup2" => Version::Two,
            "cgroup" if options.split(',').any(|option| option == "memory") => Version::One,
            _ => return None,
        };
        Some(Mount { version, shown, point })
    }

    /// The group of this path and those above it, as far as they can be seen and have a limit.
    fn groups(&self, root: &Path, path: &str) -> Vec<Group> {
        let point = root.join(self.point.trim_start_matches('/'));
        // Where the mount shows another part of the tree than the path is in, what it shows is what holds.
        let below = Path::new(path).strip_prefix(&self.shown).unwrap_or(Path::new(""));
        let below = if below.iter().any(|part| part == "..") { Path::new("") } else { below };
        let directories = below.ancestors().map(|part| point.join(part));
        directories.filter_map(|directory| self.limited(directory)).collect()
    }

    fn limited(&self, directory: PathBuf) -> Option<Group> {
        let text = fs::read_to_string(directory.join(self.version.limit_file())).ok()?;
        let limit_bytes: u64 = text.trim().parse().ok()?; // "max" is none
        (limit_bytes < UNLIMITED).then_some(Group { directory, version: self.version, limit_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup rw,nsdelegate\n";
    const ONE: &str = "31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
        35 31 0:32 /docker/ab12 /sys/fs/cgroup/memory ro,relatime master:15 - cgroup cgroup rw,memory
        36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct ro,relatime master:16 - cgroup cgroup rw,cpu,cpuacct\n";

    /// A tree of files, each with its text.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            fs::write(path, lines.join("\n") + "\n").unwrap();
        }
        root
    }

    #[test]
    fn a_container_of_version_two_sees_its_own_group_as_the_root() {
        let root = tree(&[
            ("proc/self/cgroup", "0::/"),
            ("proc/self/mountinfo", TWO),
            ("sys/fs/cgroup/memory.max", "536870912"),
            ("sys/fs/cgroup/memory.current", "400000000"),
            ("sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 250000000\nactive_file 50000000\nshmem 7"),
        ]);
        let group = Group::tightest(root.path()).unwrap();
        assert_eq!((group.limit_bytes, group.used_bytes()), (512 << 20, Some(100_000_000)));
    }

    #[test]
    fn of_a_group_and_those_above_it_the_least_limit_holds() {
        let below = "sys/fs/cgroup/system.slice/job.service";
        let files = |own: &'static str, slice: &'static str| {
            tree(&[
                ("proc/self/cgroup", "0::/system.slice/job.service/child"),
                ("proc/self/mountinfo", TWO),
                ("sys/fs/cgroup/system.slice/memory.max", slice),
                (&format!("{below}/memory.max"), own),
                (&format!("{below}/child/memory.max"), "max"),
            ])
        };
        let limit = |root: &tempfile::TempDir| Group::tightest(root.path()).map(|group| group.limit_bytes);
        assert_eq!(limit(&files("1000000", "max")), Some(1_000_000));
        assert_eq!(limit(&files("2000000", "1500000")), Some(1_500_000));
        assert_eq!(limit(&files("max", "max")), None);
    }

    #[test]
    fn a_container_of_version_one_sees_its_own_group_where_it_is_mounted() {
        let files = |limit: &'static str| {
            tree(&[
                ("proc/self/cgroup", "9:name=systemd:/docker/ab12\n4:memory:/docker/ab12\n1:cpu,cpuacct:/docker/ab12"),
                ("proc/self/mountinfo", ONE),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", limit),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "3000"),
                ("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 500\ntotal_active_file 500"),
            ])
        };
        let root = files("268435456");
        let group = Group::tightest(root.path()).unwrap();
        assert_eq!((group.limit_bytes, group.used_bytes()), (256 << 20, Some(2000)));
        assert_eq!(Group::tightest(files("9223372036854771712").path()), None);
    }

    #[test]
    fn both_versions_at_once_and_neither() {
        let mounts = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
             41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let root = tree(&[
            ("proc/self/cgroup", "4:memory:/jobs/a\n0::/"),
            ("proc/self/mountinfo", mounts),
            ("sys/fs/cgroup/memory/jobs/memory.limit_in_bytes", "7000"),
            ("sys/fs/cgroup/memory/jobs/a/memory.limit_in_bytes", "9000"),
        ]);
        assert_eq!(Group::tightest(root.path()).unwrap().limit_bytes, 7000);
        assert_eq!(Group::tightest(tree(&[]).path()), None);
        // A namespace can show a path that leads out of what is mounted.
        let outside = tree(&[
            ("proc/self/cgroup", "0::/../../other"),
            ("proc/self/mountinfo", TWO),
            ("sys/fs/cgroup/memory.max", "5000"),
        ]);
        assert_eq!(Group::tightest(outside.path()).unwrap().limit_bytes, 5000);
    }
}
