//! Several commands that have to be done by a deadline together.

use super::CommandError;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The outcome of all that `run` does, `what` for short, by `deadline`.
///
/// Each command has a bound of its own, in [`Link::answered`](super::Link::answered), after which the connection is taken
/// for dead. It is no one's deadline: there may be many commands, and a server that is short of memory may take its time.
///
/// # Errors
/// As `run`; [`CommandError::Unknown`] at the deadline. Then `run` is dropped, and with it the channels that it opened.
pub(crate) async fn done_by<T>(
    deadline: Instant,
    what: &str,
    run: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    let limit = whole_millis(deadline.saturating_duration_since(Instant::now()));
    let late = |_| Err(CommandError::Unknown(format!("{what}: the server did not answer within {limit:?}")));
    // What `run` says at the same moment says more, and is asked first.
    timeout_at(deadline, run).await.unwrap_or_else(late)
}

/// As it was set, and not by some microseconds less.
fn whole_millis(limit: Duration) -> Duration {
    Duration::from_millis(u64::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_told_with_its_limit_and_what_has_a_reason_tells_that() {
        let deadline = Instant::now() + Duration::from_millis(500);
        let late = done_by(deadline, "the queue", std::future::pending::<Result<(), _>>()).await.unwrap_err();
        assert_eq!(late.to_string(), "outcome unknown: the queue: the server did not answer within 500ms");
        let deadline = Instant::now() + Duration::from_millis(500);
        let reasoned = async {
            tokio::time::sleep_until(deadline).await;
            Err::<(), _>(CommandError::NotSent("no connection".to_owned()))
        };
        let told = done_by(deadline, "the queue", reasoned).await.unwrap_err();
        assert_eq!(told, CommandError::NotSent("no connection".to_owned()));
    }
}
