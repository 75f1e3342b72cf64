//! A running program.

use std::fs;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{self, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, kill_process};

use super::output::Output;
use super::{Signal, bound};
use crate::wait;

/// Marks what a run of `scripts/test` started, so that it can end what a killed test left behind.
const RUN: &str = "FORMICARY_TEST_RUN";
const CHILD: &str = "FORMICARY_TEST_CHILD";

/// Time for the pipes of an ended program to run dry.
const DRY: Duration = Duration::from_secs(1);

/// A program started by a test: stdout and stderr are gathered, stdin is a pipe. Killed by its id when dropped.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: Mutex<process::Child>,
    stdin: Mutex<Option<ChildStdin>>,
    stdout: Output,
    stderr: Output,
}

impl Child {
    /// Starts a program.
    ///
    /// ```no_run
    /// # use formicary_test_support::process::{Child, Signal, example};
    /// # use std::{process::Command, time::Duration};
    /// # async fn a_test() {
    /// let mut command = Command::new(example("cluster"));
    /// command.args(["--for", "2s", "--summary", "-"]);
    /// let cluster = Child::spawn(command);
    /// cluster.signal(Signal::TERM);
    /// assert_eq!(cluster.wait(Duration::from_secs(10)).await, 0, "{}", cluster.stderr());
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// When it can't be started.
    pub fn spawn(command: Command) -> Child {
        let name = command.get_program().to_string_lossy().into_owned();
        Child::gather(name, command, |mut command| command.spawn())
    }

    /// Starts a program that the system kills when this process ends, even by a signal; for what is never dropped, such as
    /// a server in a `static`.
    ///
    /// # Panics
    ///
    /// When it can't be started.
    pub fn spawn_bound(command: Command) -> Child {
        let name = command.get_program().to_string_lossy().into_owned();
        Child::gather(name, bound::bind(command), bound::spawn)
    }

    fn gather(name: String, mut command: Command, spawn: impl FnOnce(Command) -> io::Result<process::Child>) -> Child {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(run) = std::env::var_os(RUN) {
            command.env(CHILD, run);
        }
        let mut process = spawn(command).unwrap_or_else(|error| panic!("can't start {name}: {error}"));
        Child {
            stdin: Mutex::new(process.stdin.take()),
            stdout: Output::gather(process.stdout.take()),
            stderr: Output::gather(process.stderr.take()),
            process: Mutex::new(process),
            name,
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        lock(&self.process).id()
    }

    /// Sends a signal; does nothing once the program has ended.
    pub fn signal(&self, signal: Signal) {
        // Under the lock and only while it is not reaped: the id can't have passed to another process.
        let mut process = lock(&self.process);
        if let (Ok(None), Some(pid)) = (process.try_wait(), i32::try_from(process.id()).ok().and_then(Pid::from_raw)) {
            kill_process(pid, signal).ok();
        }
    }

    /// The exit code if the program has ended: 128 + the signal's number when a signal ended it, as in a shell.
    pub fn exit_code(&self) -> Option<i32> {
        let status = lock(&self.process).try_wait().ok().flatten()?;
        Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
    }

    /// Waits for the end of the program and of its output, and returns [`Child::exit_code`].
    ///
    /// # Panics
    ///
    /// When it still runs at the deadline; the message holds its stderr.
    #[track_caller]
    pub fn wait(&self, deadline: Duration) -> impl Future<Output = i32> {
        let ended = wait::until(deadline, format!("the end of {}", self.name), async || {
            self.exit_code().ok_or_else(|| self.tail())
        });
        async move {
            let code = ended.await;
            let dry = wait::until(DRY * 2, "its output", async || self.stdout.ended() && self.stderr.ended());
            // A grandchild may hold the pipes open; that is no fault of this program.
            tokio::time::timeout(DRY, dry).await.ok();
            code
        }
    }

    /// Waits up to `deadline` for an end that was asked for, then kills. Returns the exit code.
    pub async fn end(&self, deadline: Duration) -> i32 {
        let ended = wait::until(deadline * 2, "an end", async || self.exit_code());
        if tokio::time::timeout(deadline, ended).await.is_err() {
            self.signal(Signal::KILL);
        }
        self.wait(deadline).await
    }

    /// Writes a line to stdin.
    ///
    /// # Errors
    ///
    /// The pipe's, when the program has closed it or ended.
    pub fn send_line(&self, line: &str) -> io::Result<()> {
        let mut stdin = lock(&self.stdin);
        let stdin = stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(format!("{line}\n").as_bytes())?;
        stdin.flush()
    }

    /// Closes stdin.
    pub fn close_stdin(&self) {
        lock(&self.stdin).take();
    }

    /// What it has printed to stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.lines().join("\n")
    }

    /// What it has printed to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.lines().join("\n")
    }

    /// The lines of stdout so far.
    pub fn stdout_lines(&self) -> Vec<String> {
        self.stdout.lines()
    }

    /// The lines of stderr so far.
    pub fn stderr_lines(&self) -> Vec<String> {
        self.stderr.lines()
    }

    /// Waits for a line of stdout that `wanted` accepts, and returns it. Lines printed before count.
    ///
    /// # Panics
    ///
    /// At the deadline, or when the program has ended without such a line.
    #[track_caller]
    pub fn wait_stdout(&self, wanted: impl Fn(&str) -> bool, deadline: Duration) -> impl Future<Output = String> {
        self.wait_in(&self.stdout, wanted, deadline)
    }

    /// Waits for a line of stderr that `wanted` accepts; like [`Child::wait_stdout`].
    ///
    /// # Panics
    ///
    /// At the deadline, or when the program has ended without such a line.
    #[track_caller]
    pub fn wait_stderr(&self, wanted: impl Fn(&str) -> bool, deadline: Duration) -> impl Future<Output = String> {
        self.wait_in(&self.stderr, wanted, deadline)
    }

    /// The memory that it holds (`VmRSS`), in bytes; `None` once it has ended, and on systems without `/proc`.
    pub fn rss_bytes(&self) -> Option<u64> {
        self.status("VmRSS:")
    }

    /// The most memory that it ever held (`VmHWM`), in bytes; like [`Child::rss_bytes`].
    pub fn peak_rss_bytes(&self) -> Option<u64> {
        self.status("VmHWM:")
    }

    #[track_caller]
    fn wait_in(
        &self,
        output: &Output,
        wanted: impl Fn(&str) -> bool,
        deadline: Duration,
    ) -> impl Future<Output = String> {
        wait::until(deadline, format!("a line of {}", self.name), async move || {
            // Looked at before the lines: what ends after that has printed everything already.
            let ended = self.exit_code().is_some() && output.ended();
            match output.lines().into_iter().find(|line| wanted(line)) {
                Some(line) => Ok(line),
                None if ended => panic!("{} ended without the line waited for\n{}", self.name, self.tail()),
                None => Err(self.tail()),
            }
        })
    }

    fn status(&self, field: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
        Some(kib * 1024)
    }

    /// The end of both outputs, for messages.
    fn tail(&self) -> String {
        let last = |lines: Vec<String>| lines[lines.len().saturating_sub(30)..].join("\n");
        let code = self.exit_code();
        let (out, err) = (last(self.stdout_lines()), last(self.stderr_lines()));
        format!("exit code {code:?}\n--- stdout ---\n{out}\n--- stderr ---\n{err}")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let mut process = lock(&self.process);
        process.kill().ok();
        process.wait().ok();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
