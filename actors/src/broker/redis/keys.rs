use std::sync::Arc;

use formicary_protocol::Bytes;
use fred::util::redis_keyslot as slot;

/// The keys of a queue, with the queue's name as it stands.
///
/// | key | type | holds |
/// |---|---|---|
/// | `mailer` | list | bodies that wait, as any program pushed them |
/// | `mailer:taken:<consumer>` | hash, [field](super::field::Field) → body or entry | what one consumer has and has not settled |
/// | `mailer:leases` | hash, consumer → counter | the consumers; each raises its counter as long as it lives |
/// | `mailer:delayed` | sorted set, due time in ms → entry | what waits for the end of a delay |
/// | `mailer:dead` | list | dead letters, the oldest first |
/// | `mailer:seen` | sorted set, end in ms → key | keys that `dedup` remembers; times are the server's |
/// | `mailer:meta` | hash | `format`: the version of what is kept beside the list; `dead:<reason>`: dead letters of that reason |
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) list: Bytes,
    pub(super) delayed: Bytes,
    pub(super) dead: Bytes,
    pub(super) meta: Bytes,
    pub(super) leases: Bytes,
    pub(super) seen: Bytes,
}

/// The version of entries, keys and scripts. Another one is refused when a consumer starts.
///
/// Format 1 had no leases. A queue in it is taken over: places that its consumers left are watched as all others are.
pub(super) const FORMAT: &str = "2";
/// The format that is taken over.
pub(super) const FORMAT_BEFORE: &str = "1";

impl Keys {
    pub(super) fn of(queue: &str) -> Self {
        let beside = |word: &str| Bytes::from(format!("{queue}:{word}"));
        Self {
            list: Bytes::copy_from_slice(queue.as_bytes()),
            delayed: beside("delayed"),
            dead: beside("dead"),
            meta: beside("meta"),
            leases: beside("leases"),
            seen: beside("seen"),
        }
    }

    /// The place of one consumer.
    pub(super) fn taken(queue: &str, consumer: &[u8]) -> Bytes {
        [queue.as_bytes(), b":taken:", consumer].concat().into()
    }
}

/// Why a Redis Cluster cannot do it: a script's keys must lie in one slot.
pub(super) fn apart(queue: &str, outbox: &[Arc<str>]) -> Option<String> {
    let home = slot(queue.as_bytes());
    if slot(&Keys::of(queue).dead) != home {
        return Some(format!(
            "on a Redis Cluster the name of a queue holds a hash tag, so that all its keys lie in one slot: call it `{{{queue}}}`"
        ));
    }
    let other = outbox.iter().find(|other| slot(other.as_bytes()) != home || slot(&Keys::of(other).delayed) != home)?;
    Some(format!(
        "the queue `{other}` of its outbox lies in another slot of the Redis Cluster: give both names the same hash tag"
    ))
}

#[cfg(test)]
mod tests {
    use super::apart;

    #[test]
    fn a_cluster_needs_hash_tags() {
        assert!(apart("mailer", &[]).unwrap().ends_with("call it `{mailer}`"));
        assert_eq!(apart("{mail}er", &["{mail}s".into()]), None);
        assert!(apart("{mail}er", &["{other}".into()]).unwrap().contains("the queue `{other}` of its outbox"));
    }
}
