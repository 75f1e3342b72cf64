//! Programs under test.

use std::panic::AssertUnwindSafe;
use std::process::Command;
use std::time::Duration;

use formicary_test_support::process::{Child, Signal};
use formicary_test_support::wait;

use crate::SOON;

/// Set for a process of this test program that shall start a bound program and wait.
const BINDS: &str = "FORMICARY_TEST_BINDS";

fn shell(script: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Child::spawn(command)
}

#[tokio::test]
async fn output_and_exit_code_are_gathered() {
    let child = shell("echo one; echo two >&2; printf three; exit 3");
    assert_eq!(child.wait(SOON).await, 3);
    assert_eq!(child.stdout_lines(), ["one", "three"]);
    assert_eq!(child.stderr(), "two");
}

#[tokio::test]
async fn more_output_than_a_pipe_holds_does_not_block() {
    let child = shell("i=0; while [ $i -lt 20000 ]; do echo line-$i; i=$((i+1)); done");
    assert_eq!(child.wait(SOON).await, 0);
    assert_eq!(child.stdout_lines().len(), 20_000);
}

#[tokio::test]
async fn a_signal_reaches_it() {
    let child = shell("trap 'echo caught; exit 7' TERM; echo up; while :; do read -r line || :; done");
    child.wait_stdout(|line| line == "up", SOON).await;
    child.signal(Signal::TERM);
    child.close_stdin();
    assert_eq!(child.wait(SOON).await, 7);
    assert_eq!(child.stdout_lines(), ["up", "caught"]);
    child.signal(Signal::TERM);
}

#[tokio::test]
async fn the_end_by_a_signal_is_its_number_and_128() {
    let child = shell("read -r line");
    child.signal(Signal::KILL);
    assert_eq!(child.wait(SOON).await, 137);
}

#[tokio::test]
async fn lines_go_in() {
    let child = shell("read -r line; echo got $line");
    child.send_line("it").expect("a line");
    assert_eq!(child.wait_stdout(|line| line.starts_with("got"), SOON).await, "got it");
}

#[tokio::test]
async fn memory_is_told() {
    let child = shell("read -r line");
    let rss = wait::until(SOON, "a size", async || child.rss_bytes().filter(|bytes| *bytes > 0)).await;
    assert!(rss < 100 << 20, "{rss}");
    assert!(child.peak_rss_bytes() >= Some(rss));
}

#[test]
fn a_line_that_never_comes_ends_with_the_output() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let panic = std::panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let child = shell("echo reason >&2; exit 1");
            child.wait_stdout(|line| line == "ready", SOON).await
        })
    }));
    let panic = panic.expect_err("a panic");
    let said = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(said.contains("reason") && said.contains("exit code Some(1)"), "{said}");
}

#[tokio::test]
async fn a_drop_kills() {
    let child = shell("read -r line");
    let process = format!("/proc/{}", child.pid());
    drop(child);
    assert!(!std::path::Path::new(&process).exists());
}

#[tokio::test]
async fn a_bound_program_ends_with_a_test_process_that_is_killed() {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "processes::starts_a_bound_program", "--nocapture"]).env(BINDS, "1");
    let test = Child::spawn(command);
    let line = test.wait_stdout(|line| line.starts_with("bound: "), SOON).await;
    let process = format!("/proc/{}", line.trim_start_matches("bound: "));
    assert!(std::path::Path::new(&process).exists());
    test.signal(Signal::KILL);
    test.wait(SOON).await;
    wait::until(SOON, "the end of the bound program", async || {
        // Without a father who asks for its exit code, a dead process may stay in the list.
        std::fs::read_to_string(format!("{process}/status")).map_or(true, |status| status.contains("State:\tZ"))
    })
    .await;
}

/// Does something only in the process that the test above starts.
#[tokio::test]
async fn starts_a_bound_program() {
    if std::env::var_os(BINDS).is_none() {
        return;
    }
    let mut command = Command::new("sleep");
    command.arg("60");
    let bound = std::thread::spawn(|| Child::spawn_bound(command)).join().expect("a program");
    println!("\nbound: {}", bound.pid());
    bound.wait(Duration::from_secs(120)).await;
}
