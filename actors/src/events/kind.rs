macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// The kinds of events, each with a counter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum EventKind { $($(#[doc = $doc])+ $name,)+ }

        impl EventKind {
            /// Every kind, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The kind's word in metrics, summaries and logs.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }
        }
    };
}

kinds! {
    /// A signal was published.
    SignalSent = "signals_sent",
    /// A signal entered the inbox of an agent.
    SignalReceived = "signals_received",
    /// A call was made and answered.
    CallAnswered = "calls_answered",
    /// A call was made and brought no usable answer.
    CallFailed = "calls_failed",
    /// A call entered the inbox of an agent.
    RequestReceived = "requests_received",
    /// A message was accepted by a broker.
    Queued = "queued",
    /// A message was acknowledged: handled, or discarded.
    Consumed = "consumed",
    /// A message will come back after a delay.
    Retried = "retried",
    /// A message went to the dead-letter queue.
    DeadLettered = "dead_lettered",
    /// A message went back untouched.
    Returned = "returned",
    /// A message was taken over from a consumer that is dead.
    Reclaimed = "reclaimed",
    /// A message was acknowledged unhandled: another one like it was handled within the window of `dedup`.
    Deduplicated = "deduplicated",
    /// The last attempt of a message failed, and its consumer keeps no dead letters.
    Discarded = "discarded",
    /// A settlement was refused because the message is not ours any more.
    LateSettlement = "late_settlements",
    /// A settlement could not be applied before the stop deadline.
    LostSettlement = "lost_settlements",
    /// A handler ended well.
    Handled = "handled",
    /// A handler returned an error or ran out of time.
    Failed = "failed",
    /// A signal or call was dropped: its inbox was full, or a stop or a crash cut it off.
    Dropped = "dropped",
    /// The filter of a receiver refused a signal or a call.
    Filtered = "filtered",
    /// Something that came in could not be used; each kind below counts its part.
    BadInput = "bad_input",
    /// A channel's name does not parse.
    BadChannel = "bad_channels",
    /// A body does not decode, or does not fit the handler's type.
    BadBody = "bad_bodies",
    /// A body is larger than the limit.
    BadSize = "bad_sizes",
    /// A payload does not fit its declaration (mode `reject`).
    BadPayload = "bad_payloads",
    /// An answer does not decode.
    BadAnswer = "bad_answers",
    /// A body had a bare `NaN` or `Infinity`, which was read as null.
    Repaired = "repaired",
    /// A payload was used although it does not fit its declaration (mode `warn`).
    Mismatched = "mismatched",
    /// An answer came after its call had ended.
    LateAnswer = "late_answers",
    /// A second answer came to a call that wanted one.
    DuplicateAnswer = "duplicate_answers",
    /// A run of a timer was left out, because the one before it still ran.
    TimerSkipped = "timers_skipped",
    /// A repeater's `prepare` or `run` returned an error.
    RepeatFailed = "repeats_failed",
    /// A task of an agent panicked.
    TaskPanicked = "tasks_panicked",
    /// An adapter lost its connection.
    Disconnected = "disconnected",
    /// An adapter is connected again.
    Reconnected = "reconnected",
    /// An agent's instance was dropped after a panic or an abnormal end.
    Crashed = "crashes",
    /// An agent has a new instance.
    Restarted = "restarts",
    /// An agent is running.
    Started = "started",
    /// An agent has stopped.
    Stopped = "stopped",
    /// A handler held its arbiter for more than 100 ms.
    Stalled = "stalls",
    /// A listener of events was too slow and missed some.
    Missed = "events_missed",
}
