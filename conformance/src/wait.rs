//! Waiting for a condition, with a deadline. Tests never sleep: they say what they wait for.

use std::fmt::{Debug, Display};
use std::panic::Location;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// Time between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(10);

/// What a check may return: `bool`, `Option<T>` or `Result<T, E>`.
pub trait Condition {
    /// What the condition yields once it holds.
    type Value;

    /// The value when the condition holds, else a word on why it does not (may be empty).
    fn met(self) -> Result<Self::Value, String>;
}

impl Condition for bool {
    type Value = ();

    fn met(self) -> Result<(), String> {
        if self { Ok(()) } else { Err(String::new()) }
    }
}

impl<T> Condition for Option<T> {
    type Value = T;

    fn met(self) -> Result<T, String> {
        self.ok_or_else(String::new)
    }
}

impl<T, E: Debug> Condition for Result<T, E> {
    type Value = T;

    fn met(self) -> Result<T, String> {
        self.map_err(|error| format!("; the last error: {error:?}"))
    }
}

/// How much longer than usual everybody waits: `FORMICARY_PATIENCE`, a whole number, for a machine that does much else beside.
/// Default 1.
pub fn patience() -> u32 {
    static PATIENCE: LazyLock<u32> = LazyLock::new(|| match std::env::var("FORMICARY_PATIENCE") {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("FORMICARY_PATIENCE={text} is no whole number")),
        Err(_) => 1,
    });
    *PATIENCE
}

/// Looks every 10 ms until `check` holds, and returns what it yields.
///
/// The deadline is as often as long as [`patience`] says. A check that hangs is cut off at it too. The time is tokio's: with a paused clock the deadline is virtual.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// use formicary_conformance::wait;
/// use std::time::Duration;
///
/// let mut looks = 0;
/// let seen = wait::until(Duration::from_secs(1), "three looks", async || {
///     looks += 1;
///     (looks == 3).then_some(looks)
/// })
/// .await;
/// assert_eq!(seen, 3);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// When the deadline passes first: the message holds `what`, the caller's line and the check's last error.
#[track_caller]
pub fn until<C, F>(deadline: Duration, what: impl Display, mut check: F) -> impl Future<Output = C::Value>
where
    C: Condition,
    F: AsyncFnMut() -> C,
{
    let caller = Location::caller();
    async move {
        let deadline = deadline * patience();
        let end = Instant::now() + deadline;
        let mut why = String::new();
        loop {
            match timeout_at(end, check()).await {
                Ok(outcome) => match outcome.met() {
                    Ok(value) => return value,
                    Err(last) => why = last,
                },
                Err(_) => why.push_str("; the check itself did not return"),
            }
            if Instant::now() >= end {
                panic!("waited {deadline:?} in vain for {what}{why} (at {caller})");
            }
            sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::AssertUnwindSafe;

    fn run<T>(body: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(body)
    }

    fn panic_of(body: impl Future<Output = ()>) -> String {
        let caught = std::panic::catch_unwind(AssertUnwindSafe(|| run(body)));
        let panic = caught.expect_err("it should have panicked");
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    }

    #[test]
    fn what_was_waited_for_is_in_the_panic() {
        let said = panic_of(until(Duration::from_millis(30), "rain", async || false));
        assert!(said.starts_with("waited 30ms in vain for rain (at "), "{said}");
        assert!(said.contains("wait.rs:"), "{said}");
    }

    #[test]
    fn the_last_error_is_in_the_panic() {
        let said = panic_of(until(Duration::from_millis(30), "rain", async || Err::<(), _>("dry")));
        assert!(said.contains("the last error: \"dry\""), "{said}");
    }

    #[test]
    fn a_check_that_hangs_is_cut_off() {
        let said = panic_of(until(Duration::from_millis(30), "rain", async || std::future::pending::<bool>().await));
        assert!(said.contains("did not return"), "{said}");
    }

    #[test]
    fn a_value_is_handed_out() {
        let mut looks = 0;
        let seen = run(until(Duration::from_secs(5), "a look", async || {
            looks += 1;
            (looks > 2).then_some(looks)
        }));
        assert_eq!(seen, 3);
    }
}
