//! What cases say beside their outcome: that they are left out, and what they measured.

use std::fmt;
use std::io::Write;

/// A set-up that has every server sets this to `1`: there, a server that is missing fails its cases.
const REQUIRE: &str = "FORMICARY_REQUIRE_SERVERS";

/// Why a case cannot be run on this machine: a program is not installed, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing(pub String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// Why a case is not for this adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut(pub String);

/// What a case comes to, when it does not panic.
pub(crate) type Verdict = Result<(), LeftOut>;

/// A case that the adapter does not promise.
pub(crate) fn left_out(case: &str, why: &LeftOut) {
    say("left out", case, &why.0);
}

/// What a case has measured: duplicates, times.
pub(crate) fn report(case: &str, measured: fmt::Arguments<'_>) {
    say("measured", case, &measured.to_string());
}

/// A case whose server is not here.
pub(crate) fn missing(case: &str, why: &Missing) {
    if std::env::var_os(REQUIRE).is_some_and(|value| value == "1") {
        panic!("{case} needs a server, and {REQUIRE}=1 is set: {why}");
    }
    say("left out", case, &why.0);
}

/// Writes past the capture of the test harness, which keeps what passing tests say through `eprintln!` to itself.
fn say(what: &str, case: &str, why: &str) {
    std::io::stderr().write_all(format!("{what}: {case}: {why}\n").as_bytes()).ok();
}
