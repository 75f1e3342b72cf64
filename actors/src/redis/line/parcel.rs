//! Commands that go out together: one command to the server, whose answer is shared out.

use crate::redis::{CommandError, Reply, Settings, link::raw};
use bytes::Bytes;
use fred::{
    clients::{Client, WithOptions},
    error::Error as FredError,
    interfaces::{ClientLike, ListInterface, PubsubInterface},
    types::{Resp3Frame, Value},
};

/// Publishes each pair of channel and body, and returns for each what `PUBLISH` would have answered, an error included.
///
/// The driver takes some 2 µs for a command and its answer; the server takes no longer for a pair in here than for a
/// `PUBLISH`. It has no `#!lua` line, so that the server judges it by what it does: a publish is allowed on a
/// replica and to a full server.
pub(in crate::redis) const PUBLISH_ALL: &str = "local answers = {}
for i = 1, #ARGV, 2 do answers[(i + 1) / 2] = redis.pcall('PUBLISH', ARGV[i], ARGV[i + 1]) end
return answers";

/// A command that may share a parcel with its neighbours. Each is answered with a number, or an error.
#[derive(Debug)]
pub enum Command {
    /// Publishes; the answer says how many subscribers of this server received it.
    Publish {
        /// The channel.
        channel: String,
        /// What is published.
        body: Bytes,
    },
    /// Appends to a list; the answer is the length of the list after that, or after a neighbour's push.
    Push {
        /// The key of the list.
        list: Bytes,
        /// What is appended, in order.
        entries: Vec<Bytes>,
    },
}

/// One command of the server for one or more commands of ours, in their order.
pub(super) struct Parcel {
    what: What,
    bytes: usize,
    commands: usize,
}

enum What {
    Publish(Vec<(String, Bytes)>),
    Push(Bytes, Vec<Value>),
}

/// What the server answers to a parcel.
pub(super) enum Answer {
    /// To each of its commands.
    Each(Vec<Result<u64, CommandError>>),
    /// The same to all.
    All(Result<u64, CommandError>),
}

impl Command {
    fn bytes(&self) -> usize {
        match self {
            Self::Publish { channel, body } => channel.len() + body.len(),
            Self::Push { entries, .. } => entries.iter().map(Bytes::len).sum(),
        }
    }
}

impl Parcel {
    pub(super) fn new(command: Command) -> Self {
        let bytes = command.bytes();
        let what = match command {
            Command::Publish { channel, body } => What::Publish(vec![(channel, body)]),
            Command::Push { list, entries } => What::Push(list, entries.into_iter().map(Value::Bytes).collect()),
        };
        Self { what, bytes, commands: 1 }
    }

    /// Whether such a command must not go out before this parcel: they have the same order to keep.
    pub(super) fn is_for(&self, command: &Command) -> bool {
        match (&self.what, command) {
            (What::Publish(_), Command::Publish { .. }) => true,
            (What::Push(of, _), Command::Push { list, .. }) => of == list,
            _ => false,
        }
    }

    /// Whether a command [for it](Self::is_for) fits. Only who may run scripts can publish several at once.
    pub(super) fn has_room(&self, command: &Command, settings: &Settings, runs_scripts: bool) -> bool {
        (runs_scripts || matches!(command, Command::Push { .. }))
            && self.commands < settings.parcel_commands.get()
            && self.bytes.saturating_add(command.bytes()) <= settings.parcel_bytes.get()
    }

    /// Adds a command [for it](Self::is_for).
    pub(super) fn add(&mut self, command: Command) {
        self.bytes += command.bytes();
        self.commands += 1;
        match (&mut self.what, command) {
            (What::Publish(all), Command::Publish { channel, body }) => all.push((channel, body)),
            (What::Push(_, all), Command::Push { entries, .. }) => all.extend(entries.into_iter().map(Value::Bytes)),
            _ => debug_assert!(false, "asked by `is_for`"),
        }
    }

    pub(super) async fn send(self, client: WithOptions<Client>) -> Result<Answer, FredError> {
        match self.what {
            What::Publish(mut all) => match (all.pop(), all.is_empty()) {
                (Some((channel, body)), true) => {
                    client.publish(channel, Value::Bytes(body)).await.map(|count| Answer::All(Ok(count)))
                }
                (last, _) => {
                    let pairs = all.into_iter().chain(last).flat_map(|(channel, body)| [channel.into(), body]);
                    let head = [Bytes::from_static(PUBLISH_ALL.as_bytes()), Bytes::from_static(b"0")];
                    let args: Vec<_> = head.into_iter().chain(pairs).map(Value::Bytes).collect();
                    client.custom_raw(raw("EVAL", false), args).await.map(answers)
                }
            },
            What::Push(list, entries) => client.rpush(list, entries).await.map(|length| Answer::All(Ok(length))),
        }
    }
}

fn answers(frame: Resp3Frame) -> Answer {
    let one = |frame| match Reply::from_frame(frame) {
        Ok(Reply::Int(count)) => Ok(u64::try_from(count).unwrap_or_default()),
        Ok(_) => Err(CommandError::Unknown("the server's answer to a publish is no number".to_owned())),
        Err(text) => Err(CommandError::refused(&text)),
    };
    match frame {
        Resp3Frame::Array { data, .. } => Answer::Each(data.into_iter().map(one).collect()),
        // A script that was killed half-way has no code but this; every refusal to run it at all has one of its own.
        other => Answer::All(one(other).map_err(|error| match error {
            CommandError::Refused { message, .. } if message.starts_with("ERR ") => CommandError::Unknown(message),
            error => error,
        })),
    }
}
