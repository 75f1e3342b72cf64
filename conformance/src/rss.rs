//! The memory of this process; for cases in a process of their own.

pub(crate) const MIB: u64 = 1 << 20;

/// What it holds now, in bytes. `None` where the system does not tell.
pub(crate) fn now() -> Option<u64> {
    read("VmRSS:")
}

/// The most that it ever held, in bytes.
pub(crate) fn peak() -> Option<u64> {
    read("VmHWM:")
}

fn read(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}
