//! Waiting for an entry in a list, and a script right behind, on a connection that does nothing else.

use super::{
    CommandError, ConnectError, Connection, Reply, Script,
    error::{Fate, fate},
    link::raw,
};
use crate::connection::{answer_time, overdue};
use bytes::Bytes;
use fred::{
    error::Error as FredError,
    interfaces::ClientLike,
    types::{Resp3Frame, Value},
};
use futures_util::future::join;
use std::time::Duration;
use tokio::time::Instant;

/// What came of a wait, and of the script behind it.
#[derive(Debug)]
pub struct Waited {
    /// The server refused to wait. It ran the script all the same.
    pub refusal: Option<CommandError>,
    /// What the script answered.
    pub ran: Result<Reply, CommandError>,
}

impl Connection {
    /// Waits until the list holds an entry, or `block` is over, and runs a script in the same moment. The wait takes nothing.
    ///
    /// Both go out together, so that nothing lies between them: the server runs the script as soon as it has an entry.
    ///
    /// It blocks the connection: give each consumer one of its own. `block` must be above zero, and should be at most
    /// the heartbeat: an answer that is overdue by four fifths of a heartbeat means a dead connection, which is replaced
    /// (`Unknown`). While the connection is down this waits for it, up to `block`, then `NotSent`. A script that the server
    /// does not know is refused, as `NOSCRIPT`: let another connection [run](Connection::run) it.
    pub async fn wait_and_run(
        &self,
        list: &Bytes,
        block: Duration,
        script: &Script,
        keys: &[Bytes],
        args: &[Bytes],
    ) -> Result<Waited, CommandError> {
        let block = block.max(Duration::from_millis(1));
        let permit = self.shared.gate.enter(Instant::now() + block).await?;
        let _busy = self.shared.begin_blocking();
        let client = &permit.wire.client;
        // From a list to the same end of itself: the one blocking command that looks and does not take.
        let left = || Bytes::from_static(b"LEFT");
        let wait = vec![list.clone(), list.clone(), left(), left(), format!("{:.3}", block.as_secs_f64()).into()];
        // Neither is marked as blocking: the driver would hold the second back until the first is answered.
        let answers = join(
            client.custom_raw(raw("BLMOVE", false), values(wait)),
            client.custom_raw(raw("EVALSHA", false), values(script.by_hash(keys, args))),
        );
        let limit = answer_time(self.shared.settings.heartbeat);
        let (waited, ran) = tokio::select! {
            biased;
            answers = answers => answers,
            () = overdue(block + limit) => {
                let text = format!("no answer to a blocking read within {:?}", block + limit);
                self.shared.break_link(ConnectError::Unreachable(text.clone()));
                return Err(CommandError::Unknown(text));
            }
        };
        self.shared.saw_activity();
        let refusal = read(waited).err().filter(|error| matches!(error, CommandError::Refused { .. }));
        let waited = Waited { refusal, ran: read(ran) };
        waited.refusal.iter().chain(waited.ran.as_ref().err()).for_each(|error| self.shared.break_if_demoted(error));
        Ok(waited)
    }
}

fn values(all: Vec<Bytes>) -> Vec<Value> {
    all.into_iter().map(Value::Bytes).collect()
}

fn read(answer: Result<Resp3Frame, FredError>) -> Result<Reply, CommandError> {
    match answer.map(Reply::from_frame) {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(text)) => Err(CommandError::refused(&text)),
        Err(error) => Err(match fate(&error) {
            Fate::Unwritten => CommandError::NotSent("the connection was lost".to_owned()),
            Fate::Unknown(text) => CommandError::Unknown(text),
            Fate::Refused(text) => CommandError::refused(&text),
        }),
    }
}
