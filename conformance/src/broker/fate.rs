//! What a send was told.

use std::collections::{BTreeMap, BTreeSet};

use formicary_actors::broker::Broker;
use formicary_actors::{Error, SendError};
use serde_json::json;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Sent,
    NotSent,
    Unknown,
}

/// What each number was told.
pub(crate) type Fates = BTreeMap<u64, Fate>;

/// Sends a number.
pub(crate) async fn try_send(broker: &Broker, n: u64) -> Fate {
    match broker.dynamic("mailer", &json!(n)).await {
        Ok(()) => Fate::Sent,
        Err(Error::Send(SendError::NotSent { .. })) => Fate::NotSent,
        Err(Error::Send(SendError::Unknown { .. })) => Fate::Unknown,
        Err(other) => panic!("a send failed with neither `NotSent` nor `Unknown`: {other}"),
    }
}

/// What was told must be true.
pub(crate) fn held_against(fates: &Fates, there: &BTreeSet<u64>) {
    for (n, fate) in fates {
        match fate {
            Fate::Sent => assert!(there.contains(n), "{n} was sent, and is lost"),
            Fate::NotSent => assert!(!there.contains(n), "{n} was told as not sent, and is there"),
            Fate::Unknown => {}
        }
    }
}
