//! Commands: each waits for the connection within its deadline, goes out once, and says what became of it.

use super::{
    CommandError, Connection, Reply,
    error::{Fate, fate},
    link::raw,
};
use bytes::Bytes;
use fred::{
    clients::{Client, WithOptions},
    error::Error as FredError,
    interfaces::ClientLike,
    types::{Value, config::Options},
};
use std::time::Duration;
use tokio::time::Instant;

type Timed = WithOptions<Client>;

impl Connection {
    /// A command that does not block: its name, then its arguments. Hold this future to its end: a dropped one is not
    /// called back if it waits in the driver's queue at that moment.
    ///
    /// The driver sends each of these in a packet of its own; publishes and pushes belong into a [`Line`](super::Line).
    /// A list whose first item is `message`, `pmessage`, `psubscribe` or the like it takes for a push of the server:
    /// never ask for a bare list whose first item others choose (`LRANGE`, `LPOP count`); use a script that nests it.
    pub async fn request(&self, name: &'static str, args: Vec<Bytes>, within: Duration) -> Result<Reply, CommandError> {
        let args: Vec<Value> = args.into_iter().map(Value::Bytes).collect();
        let send = async |client: Timed| client.custom_raw(raw(name, false), args.clone()).await;
        let frame = self.call(within, send).await?;
        Reply::from_frame(frame).map_err(|text| {
            let error = CommandError::refused(&text);
            self.shared.break_if_demoted(&error);
            error
        })
    }

    pub(super) async fn call<T>(
        &self,
        within: Duration,
        send: impl AsyncFn(Timed) -> Result<T, FredError>,
    ) -> Result<T, CommandError> {
        let deadline = Instant::now() + within;
        loop {
            let permit = self.shared.gate.enter(deadline).await?;
            // The driver's own timeout, and not one around it: only that one marks the command, so that the driver
            // does not write it any more.
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let options = Options { timeout: Some(left), max_attempts: Some(1), ..Options::default() };
            let result = send(permit.wire.client.with_options(&options)).await;
            let error = match result {
                Ok(value) => {
                    self.shared.saw_activity();
                    return Ok(value);
                }
                Err(error) => error,
            };
            match fate(&error) {
                Fate::Unwritten => {}
                Fate::Unknown(text) => return Err(CommandError::Unknown(text)),
                Fate::Refused(text) => {
                    self.shared.saw_activity();
                    let error = CommandError::refused(&text);
                    self.shared.break_if_demoted(&error);
                    return Err(error);
                }
            }
        }
    }
}
