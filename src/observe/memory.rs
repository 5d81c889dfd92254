//! The process's own resident memory, where the system tells.

/// The largest resident set so far, in bytes.
pub fn peak_memory_bytes() -> Option<u64> {
    status("VmHWM:")
}

/// The resident set now, in bytes, without pages of files, which the system takes back when it needs them.
pub fn memory_bytes() -> Option<u64> {
    let own = status("RssAnon:").map(|anonymous| anonymous.saturating_add(status("RssShmem:").unwrap_or(0)));
    own.or_else(|| status("VmRSS:"))
}

/// A line of Linux's account of the process; other systems have none.
fn status(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
