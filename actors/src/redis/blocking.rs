//! Waiting for an entry in a list, on a connection that does nothing else.

use super::{
    CommandError, ConnectError, Connection, Reply,
    error::{Fate, fate},
    heartbeat::{answer_time, overdue},
    link::raw,
};
use fred::interfaces::ClientLike;
use std::time::Duration;
use tokio::time::Instant;

impl Connection {
    /// Waits until the list holds an entry (`true`) or `block` is over (`false`), and takes nothing.
    ///
    /// It blocks the connection: give each consumer one of its own. `block` must be above zero, and should be at most
    /// the heartbeat: an answer that is overdue by four fifths of a heartbeat means a dead connection, which is replaced
    /// (`Unknown`: simply wait again). While the connection is down this waits for it, up to `block`, then `NotSent`.
    pub async fn wait_for_entry(&self, list: &str, block: Duration) -> Result<bool, CommandError> {
        let block = block.max(Duration::from_millis(1));
        let permit = self.shared.gate.enter(Instant::now() + block).await?;
        let _busy = self.shared.begin_blocking();
        let seconds = format!("{:.3}", block.as_secs_f64());
        // From a list to the same end of itself: the one blocking command that looks and does not take.
        let args = vec![list.to_owned(), list.to_owned(), "LEFT".to_owned(), "LEFT".to_owned(), seconds];
        let answer = permit.wire.client.custom_raw(raw("BLMOVE", true), args);
        let limit = answer_time(self.shared.settings.heartbeat);
        let result = tokio::select! {
            biased;
            result = answer => result,
            () = overdue(block + limit) => {
                let text = format!("no answer to a blocking read within {:?}", block + limit);
                self.shared.break_link(ConnectError::Unreachable(text.clone()));
                return Err(CommandError::Unknown(text));
            }
        };
        self.shared.saw_activity();
        match result.map(Reply::from_frame) {
            Ok(Ok(Reply::Nil)) => Ok(false),
            Ok(Ok(_)) => Ok(true),
            Ok(Err(text)) => Err(CommandError::refused(&text)),
            Err(error) => Err(match fate(&error) {
                Fate::Unwritten => CommandError::NotSent("the connection was lost".to_owned()),
                Fate::Unknown(text) => CommandError::Unknown(text),
                Fate::Refused(text) => CommandError::refused(&text),
            }),
        }
    }
}
