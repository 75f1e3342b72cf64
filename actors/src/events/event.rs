use std::sync::Arc;
use std::time::Duration;

use super::EventKind;

/// What sort of handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HandlerKind {
    /// A receiver of signals and calls.
    Receiver,
    /// A consumer of a queue.
    Consumer,
    /// A periodic task.
    Periodic,
    /// A cron task.
    Cron,
    /// A hook.
    Hook,
    /// A server.
    Server,
    /// A task that nobody waits for.
    Task,
}

impl HandlerKind {
    /// The kind's word in metrics, spans and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Consumer => "consumer",
            Self::Periodic => "periodic",
            Self::Cron => "cron",
            Self::Hook => "hook",
            Self::Server => "server",
            Self::Task => "task",
        }
    }
}

/// Why a signal or call was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The inbox of the receiver was full.
    InboxFull,
    /// The agent was stopping and its deadline had come.
    Stopped,
    /// The agent crashed in another handler while it was in hand.
    Crashed,
    /// The connection handed over more than our buffer holds.
    Lagged,
}

/// What was wrong with something that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadInput {
    /// The channel's name does not parse.
    Channel,
    /// The body does not decode, or does not fit the handler's type.
    Body,
    /// The body is larger than the limit.
    TooLarge,
    /// The payload does not fit its declaration (mode `reject`).
    Rejected,
    /// An answer does not decode.
    Answer,
}

impl BadInput {
    /// The counter of this kind.
    pub fn counter(self) -> EventKind {
        match self {
            Self::Channel => EventKind::BadChannel,
            Self::Body => EventKind::BadBody,
            Self::TooLarge => EventKind::BadSize,
            Self::Rejected => EventKind::BadPayload,
            Self::Answer => EventKind::BadAnswer,
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are the names of agents, handlers, signals and queues")]
pub enum Event {
    SignalSent { signal: Arc<str>, sender: Arc<str> },
    SignalReceived { agent: Arc<str>, signal: Arc<str> },
    CallAnswered { signal: Arc<str>, took: Duration },
    CallFailed { signal: Arc<str>, error: Arc<str> },
    RequestReceived { agent: Arc<str>, signal: Arc<str> },
    Queued { queue: Arc<str> },
    Consumed { queue: Arc<str>, consumer: Arc<str> },
    Retried { queue: Arc<str>, consumer: Arc<str>, after: Duration },
    DeadLettered { queue: Arc<str>, consumer: Arc<str>, reason: Arc<str> },
    Returned { queue: Arc<str>, consumer: Arc<str> },
    Reclaimed { queue: Arc<str>, consumer: Arc<str>, from: Arc<str> },
    Deduplicated { queue: Arc<str>, consumer: Arc<str> },
    Discarded { queue: Arc<str>, consumer: Arc<str> },
    LateSettlement { queue: Arc<str>, consumer: Arc<str> },
    LostSettlement { queue: Arc<str>, consumer: Arc<str> },
    Handled { agent: Arc<str>, handler: Arc<str>, kind: HandlerKind, took: Duration },
    Failed { agent: Arc<str>, handler: Arc<str>, kind: HandlerKind, took: Duration, error: Arc<str> },
    Dropped { agent: Arc<str>, handler: Arc<str>, signal: Arc<str>, reason: DropReason },
    Filtered { agent: Arc<str>, handler: Arc<str>, signal: Arc<str> },
    BadInput { place: Arc<str>, what: BadInput, reason: Arc<str> },
    Repaired { place: Arc<str> },
    Mismatched { place: Arc<str>, reason: Arc<str> },
    LateAnswer { call: Arc<str> },
    DuplicateAnswer { call: Arc<str> },
    TimerSkipped { agent: Arc<str>, handler: Arc<str> },
    RepeatFailed { agent: Arc<str>, repeater: Arc<str>, error: Arc<str> },
    TaskPanicked { agent: Arc<str>, task: Arc<str>, message: Arc<str> },
    Disconnected { link: Arc<str>, reason: Arc<str> },
    Reconnected { link: Arc<str>, after: Duration },
    Crashed { agent: Arc<str>, instance: Arc<str>, handler: Arc<str>, message: Arc<str> },
    Restarted { agent: Arc<str>, instance: Arc<str>, after: Duration },
    Started { agent: Arc<str>, instance: Arc<str> },
    Stopped { agent: Arc<str>, instance: Arc<str> },
    Stalled { agent: Arc<str>, handler: Arc<str>, arbiter: Arc<str>, took: Duration },
    Missed { events: u64 },
}

impl Event {
    /// The kind, which is also the event's counter.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::SignalSent { .. } => EventKind::SignalSent,
            Self::SignalReceived { .. } => EventKind::SignalReceived,
            Self::CallAnswered { .. } => EventKind::CallAnswered,
            Self::CallFailed { .. } => EventKind::CallFailed,
            Self::RequestReceived { .. } => EventKind::RequestReceived,
            Self::Queued { .. } => EventKind::Queued,
            Self::Consumed { .. } => EventKind::Consumed,
            Self::Retried { .. } => EventKind::Retried,
            Self::DeadLettered { .. } => EventKind::DeadLettered,
            Self::Returned { .. } => EventKind::Returned,
            Self::Reclaimed { .. } => EventKind::Reclaimed,
            Self::Deduplicated { .. } => EventKind::Deduplicated,
            Self::Discarded { .. } => EventKind::Discarded,
            Self::LateSettlement { .. } => EventKind::LateSettlement,
            Self::LostSettlement { .. } => EventKind::LostSettlement,
            Self::Handled { .. } => EventKind::Handled,
            Self::Failed { .. } => EventKind::Failed,
            Self::Dropped { .. } => EventKind::Dropped,
            Self::Filtered { .. } => EventKind::Filtered,
            Self::BadInput { .. } => EventKind::BadInput,
            Self::Repaired { .. } => EventKind::Repaired,
            Self::Mismatched { .. } => EventKind::Mismatched,
            Self::LateAnswer { .. } => EventKind::LateAnswer,
            Self::DuplicateAnswer { .. } => EventKind::DuplicateAnswer,
            Self::TimerSkipped { .. } => EventKind::TimerSkipped,
            Self::RepeatFailed { .. } => EventKind::RepeatFailed,
            Self::TaskPanicked { .. } => EventKind::TaskPanicked,
            Self::Disconnected { .. } => EventKind::Disconnected,
            Self::Reconnected { .. } => EventKind::Reconnected,
            Self::Crashed { .. } => EventKind::Crashed,
            Self::Restarted { .. } => EventKind::Restarted,
            Self::Started { .. } => EventKind::Started,
            Self::Stopped { .. } => EventKind::Stopped,
            Self::Stalled { .. } => EventKind::Stalled,
            Self::Missed { .. } => EventKind::Missed,
        }
    }
}
