use formicary_protocol::Bytes;

/// The keys of a queue, with the queue's name as it stands.
///
/// | key | type | holds |
/// |---|---|---|
/// | `mailer` | list | bodies that wait, as any program pushed them |
/// | `mailer:taken:<consumer>` | hash, id → entry | what one consumer has and has not settled |
/// | `mailer:delayed` | sorted set, due time in ms → entry | what waits for the end of a delay |
/// | `mailer:dead` | list | dead letters, the oldest first |
/// | `mailer:meta` | hash | `format`: the version of what is kept beside the list |
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) list: Bytes,
    pub(super) delayed: Bytes,
    pub(super) dead: Bytes,
    pub(super) meta: Bytes,
}

/// The version of entries, keys and scripts. Another one is refused when a consumer starts.
pub(super) const FORMAT: &str = "1";

impl Keys {
    pub(super) fn of(queue: &str) -> Self {
        let beside = |word: &str| Bytes::from(format!("{queue}:{word}"));
        Self {
            list: Bytes::copy_from_slice(queue.as_bytes()),
            delayed: beside("delayed"),
            dead: beside("dead"),
            meta: beside("meta"),
        }
    }

    /// The place of one consumer. What a consumer that was killed leaves there is reclaimed by leases, which come with
    /// the queues release; until then it stays, and nothing of it is lost.
    pub(super) fn taken(queue: &str, consumer: &str) -> Bytes {
        format!("{queue}:taken:{consumer}").into()
    }
}
