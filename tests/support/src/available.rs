//! What this machine has, and leaving tests out aloud where something is missing.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::{python, rabbitmq, redis};

/// A set-up that `scripts/test` makes sure of, with `FORMICARY_REQUIRE_SERVERS=1`: there, nothing is left out.
const REQUIRE: &str = "FORMICARY_REQUIRE_SERVERS";

/// A program that some tests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// `redis-server` 7 or later, from `FORMICARY_REDIS_SERVER` or the `PATH`.
    Redis,
    /// RabbitMQ 3.10 or later: its `rabbitmq-server` from `FORMICARY_RABBITMQ_SERVER`, Debian's package or the `PATH`.
    RabbitMq,
    /// A Python with `microagent` 1.9.0, from `FORMICARY_PYTHON` or `.venv/bin/python` of the workspace.
    Python,
    /// The program `openssl`, from the `PATH`.
    OpenSsl,
}

/// Why a program that a test needs can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// Whether this machine has `need`; looked up once for each process.
///
/// # Errors
///
/// [`Missing`] says what was looked for and what was found instead.
pub fn available(need: Need) -> Result<(), Missing> {
    static REDIS: OnceLock<Result<(), Missing>> = OnceLock::new();
    static RABBITMQ: OnceLock<Result<(), Missing>> = OnceLock::new();
    static PYTHON: OnceLock<Result<(), Missing>> = OnceLock::new();
    static OPENSSL: OnceLock<Result<(), Missing>> = OnceLock::new();
    match need {
        Need::Redis => REDIS.get_or_init(look_for_redis).clone(),
        Need::RabbitMq => RABBITMQ.get_or_init(look_for_rabbitmq).clone(),
        Need::Python => PYTHON.get_or_init(look_for_python).clone(),
        Need::OpenSsl => OPENSSL.get_or_init(look_for_openssl).clone(),
    }
}

/// Whether the test `test` can have a Redis. If not, says on stderr that it is left out; the test returns at once.
///
/// ```no_run
/// # use formicary_test_support::{redis, require_redis};
/// # async fn a_test() {
/// if !require_redis("signals_cross_processes") {
///     return;
/// }
/// let server = redis::Server::start().await;
/// # }
/// ```
///
/// # Panics
///
/// When it is missing although `FORMICARY_REQUIRE_SERVERS=1` is set, as `scripts/test` does.
pub fn require_redis(test: &str) -> bool {
    require(Need::Redis, test)
}

/// Whether the test `test` can have a RabbitMQ; like [`require_redis`].
///
/// # Panics
///
/// When it is missing although `FORMICARY_REQUIRE_SERVERS=1` is set.
pub fn require_rabbitmq(test: &str) -> bool {
    require(Need::RabbitMq, test)
}

/// Whether the test `test` can have a Python peer; like [`require_redis`].
///
/// # Panics
///
/// When it is missing although `FORMICARY_REQUIRE_SERVERS=1` is set.
pub fn require_python(test: &str) -> bool {
    require(Need::Python, test)
}

/// Whether the test `test` can run `openssl`; like [`require_redis`].
///
/// # Panics
///
/// When it is missing although `FORMICARY_REQUIRE_SERVERS=1` is set.
pub fn require_openssl(test: &str) -> bool {
    require(Need::OpenSsl, test)
}

fn require(need: Need, test: &str) -> bool {
    let Err(missing) = available(need) else {
        return true;
    };
    if std::env::var_os(REQUIRE).is_some_and(|value| value == "1") {
        panic!("{test} needs a program, and {REQUIRE}=1 is set: {missing}");
    }
    // Written past the capture of the test harness, which keeps what passing tests say through `eprintln!` to itself.
    let line = format!("left out: {test}: {missing} (run scripts/test)\n");
    std::io::stderr().write_all(line.as_bytes()).ok();
    false
}

fn look_for_redis() -> Result<(), Missing> {
    let Some(program) = redis::program() else {
        return Err(Missing("redis-server is not installed".into()));
    };
    let text = output_of(&program, &["--version"])?;
    let major = text.split("v=").nth(1).and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    match major {
        Some(7..) => Ok(()),
        Some(old) => Err(Missing(format!("{} is version {old}, older than 7", program.display()))),
        None => Err(Missing(format!("{} told no version: {}", program.display(), text.trim()))),
    }
}

fn look_for_rabbitmq() -> Result<(), Missing> {
    let Some(program) = rabbitmq::program() else {
        return Err(Missing("RabbitMQ is not installed".into()));
    };
    match program.version() {
        Some(version) if version >= (3, 10) => Ok(()),
        Some((major, minor)) => Err(Missing(format!("RabbitMQ is version {major}.{minor}, older than 3.10"))),
        None => Err(Missing("the version of RabbitMQ can't be read from the names of its plugins".into())),
    }
}

fn look_for_python() -> Result<(), Missing> {
    let program = python::program();
    if !program.exists() {
        return Err(Missing(format!("there is no Python at {}", program.display())));
    }
    let version = output_of(&program, &["-c", "import microagent, redis, aiormq; print(microagent.__version__)"])?;
    match version.trim() {
        "1.9.0" => Ok(()),
        other => Err(Missing(format!("{} has microagent {other:?}, not 1.9.0", program.display()))),
    }
}

fn look_for_openssl() -> Result<(), Missing> {
    output_of(&PathBuf::from("openssl"), &["version"]).map(drop)
}

fn output_of(program: &PathBuf, args: &[&str]) -> Result<String, Missing> {
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|error| Missing(format!("{} can't be run: {error}", program.display())))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.trim().lines().last().unwrap_or_default();
        return Err(Missing(format!("{} failed: {last}", program.display())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
