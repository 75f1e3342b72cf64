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
    interfaces::{ClientLike, ListInterface, PubsubInterface},
    types::{Value, config::Options},
};
use std::time::Duration;
use tokio::time::Instant;

type Timed = WithOptions<Client>;

impl Connection {
    /// Publishes, and returns how many subscribers of this server received it.
    ///
    /// When its turn comes, right before it goes out, `ready` is asked whether it still shall, and told whether it had to
    /// wait in line. It may be asked again if the connection dies in that moment.
    ///
    /// Hold this future, as that of every command, to its end: a dropped one is not called back if it waits in the
    /// driver's queue at that moment.
    pub async fn publish(
        &self,
        channel: &str,
        body: Bytes,
        within: Duration,
        ready: impl FnMut(bool) -> bool,
    ) -> Result<u64, CommandError> {
        self.call(within, ready, async |client| client.publish(channel, Value::Bytes(body.clone())).await).await
    }

    /// Appends entries to a list, and returns its new length.
    pub async fn push(&self, list: &str, entries: Vec<Bytes>, within: Duration) -> Result<u64, CommandError> {
        let entries: Vec<Value> = entries.into_iter().map(Value::Bytes).collect();
        self.call(within, |_| true, async |client| client.rpush(list, entries.clone()).await).await
    }

    /// Any other command that does not block: its name, then its arguments.
    ///
    /// The driver sends each of these in a packet of its own; `publish` and `push` it batches. A list whose first item
    /// is `message`, `pmessage`, `psubscribe` or the like it takes for a push of the server: never ask for a bare list
    /// whose first item others choose (`LRANGE`, `LPOP count`); use a script that nests it.
    pub async fn request(&self, name: &'static str, args: Vec<Bytes>, within: Duration) -> Result<Reply, CommandError> {
        let args: Vec<Value> = args.into_iter().map(Value::Bytes).collect();
        let send = async |client: Timed| client.custom_raw(raw(name, false), args.clone()).await;
        let frame = self.call(within, |_| true, send).await?;
        Reply::from_frame(frame).map_err(|text| CommandError::refused(&text))
    }

    pub(super) async fn call<T>(
        &self,
        within: Duration,
        mut ready: impl FnMut(bool) -> bool,
        send: impl AsyncFn(Timed) -> Result<T, FredError>,
    ) -> Result<T, CommandError> {
        let deadline = Instant::now() + within;
        loop {
            let permit = self.shared.gate.enter(deadline).await?;
            if !ready(permit.waited) {
                return Err(CommandError::NotSent("its sender has given it up".to_owned()));
            }
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
                    return Err(CommandError::refused(&text));
                }
            }
        }
    }
}
