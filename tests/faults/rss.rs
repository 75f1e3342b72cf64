//! The memory of this process; for tests in a process of their own.

pub const MIB: u64 = 1 << 20;

/// What it holds now, in bytes.
pub fn now() -> u64 {
    read("VmRSS:")
}

/// The most that it ever held, in bytes.
pub fn peak() -> u64 {
    read("VmHWM:")
}

fn read(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
