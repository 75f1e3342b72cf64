//! Cases in a process of their own, so that they measure nothing but themselves: its memory, and its log.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::wait::patience;

const ALONE: &str = "FORMICARY_CONFORMANCE_ALONE";
const LIMIT: Duration = Duration::from_secs(180);
/// What the other process says past the harness, and this one says again.
const FORWARDED: [&str; 2] = ["left out: ", "measured: "];
const PAUSE: Duration = Duration::from_millis(20);

/// Runs `body` in a process that runs nothing else: this program again, with the name of the test.
///
/// # Panics
///
/// When the other process fails, with all that it said; when it does not end in three minutes.
pub(crate) fn run(test: &str, body: impl FnOnce()) {
    run_within(test, LIMIT, body);
}

/// The same within a limit of its own.
pub(crate) fn run_within(test: &str, limit: Duration, body: impl FnOnce()) {
    // The harness knows its tests without the name of their crate.
    let name = test.split_once("::").map_or(test, |(_, name)| name);
    if std::env::var_os(ALONE).is_some_and(|alone| alone == name) {
        return body();
    }
    let program = std::env::current_exe().unwrap_or_else(|error| panic!("{name}: this program is not known: {error}"));
    let (mut stdout, mut stderr) = (scratch(), scratch());
    let mut command = Command::new(program);
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]).env(ALONE, name);
    command.stdin(Stdio::null()).stdout(copy(&stdout)).stderr(copy(&stderr));
    let child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot run alone: {error}"));
    let status = end_of(child, limit * patience());
    let (said, complained) = (text(&mut stdout), text(&mut stderr));
    assert!(status.is_some_and(|status| status.success()), "{name} ended with {status:?}\n{said}\n{complained}");
    assert!(said.contains("1 passed"), "no test is named {name}: {said}");
    for (_, measured) in said.lines().filter_map(|line| line.split_once("measured: ")) {
        println!("measured: {measured}");
    }
    for line in complained.lines().filter(|line| FORWARDED.iter().any(|word| line.starts_with(word))) {
        std::io::stderr().write_all(format!("{line}\n").as_bytes()).ok();
    }
}

/// Its end, or none when it took too long and was killed.
pub(crate) fn end_of(mut child: Child, limit: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) => sleep(PAUSE),
            Err(_) => break,
        }
    }
    child.kill().and_then(|()| child.wait()).ok();
    None
}

/// A pipe would have to be read while the other process runs; a file has room.
pub(crate) fn scratch() -> File {
    tempfile::tempfile().unwrap_or_else(|error| panic!("no temporary file: {error}"))
}

pub(crate) fn copy(file: &File) -> Stdio {
    file.try_clone().unwrap_or_else(|error| panic!("no temporary file: {error}")).into()
}

pub(crate) fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).unwrap_or_else(|error| panic!("its words: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}
