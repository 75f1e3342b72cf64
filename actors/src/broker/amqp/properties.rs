//! The properties of what we publish.

use formicary_protocol::{DeadReason, Failure};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::headers;
use super::names::short;
use crate::Env;
use crate::contract::{Delivered, SendOptions};

/// Survives a restart of the server, in a queue that does.
const PERSISTENT: u8 = 2;
const TRANSIENT: u8 = 1;

pub(super) fn delivery_mode(persistent: bool) -> u8 {
    if persistent { PERSISTENT } else { TRANSIENT }
}

/// The properties of a message that a sender gives us, or which of its options cannot travel.
pub(super) fn of_sender(env: &Env, options: SendOptions, persistent: bool) -> Result<BasicProperties, String> {
    let too_long = |what: &str| format!("its {what} is longer than the 255 bytes that the protocol allows");
    let id = match options.id {
        Some(id) => short(&id).ok_or_else(|| too_long("id"))?,
        None => ShortString::try_new(&*env.ids.id()).unwrap_or_default(),
    };
    let mut table = FieldTable::default();
    for (name, value) in options.headers {
        if name.starts_with("x-formicary-") {
            return Err(format!("the header `{name}` is one of our own: give it another name"));
        }
        table.insert(short(&name).ok_or_else(|| too_long("header's name"))?, AMQPValue::LongString(value.into()));
    }
    if headers::weight(&table) > headers::MOST_WEIGHT {
        return Err(format!("its headers have more than {} bytes", headers::MOST_WEIGHT));
    }
    if let Some(key) = options.key {
        table.insert(headers::KEY.into(), headers::text(&key));
    }
    if let Some(expires) = options.expires {
        let within = u64::try_from(expires.as_millis()).unwrap_or(u64::MAX);
        table.insert(headers::EXPIRES_AT.into(), headers::number(env.clock.now_ms().saturating_add(within)));
    }
    let properties = BasicProperties::default().with_delivery_mode(delivery_mode(persistent)).with_message_id(id);
    Ok(if table.inner().is_empty() { properties } else { properties.with_headers(table) })
}

/// What a copy carries of the past of its message.
pub(super) struct Past<'a> {
    pub(super) id: &'a str,
    pub(super) attempt: u32,
    pub(super) first_seen_ms: u64,
    pub(super) history: Vec<Failure>,
}

impl<'a> Past<'a> {
    /// The past of a delivery with what went wrong now.
    pub(super) fn of(delivered: &'a Delivered, failure: Option<Failure>) -> Self {
        let mut entry = formicary_protocol::Entry::new("", 0, Default::default());
        entry.history = delivered.history.to_vec();
        failure.into_iter().for_each(|failure| entry.push_failure(failure));
        let Delivered { id, attempt, first_seen_ms, .. } = delivered;
        Self { id, attempt: *attempt, first_seen_ms: *first_seen_ms, history: entry.history }
    }
}

/// The properties of a copy: those of the message, but for what would make the server refuse, lose or redirect it.
pub(super) fn of_copy(
    of: &BasicProperties,
    past: Past<'_>,
    dead: Option<(&DeadReason, u64)>,
    persistent: bool,
) -> BasicProperties {
    let mut table = FieldTable::default();
    for (name, value) in of.headers().iter().flatten().filter(|(name, _)| headers::is_kept(name.as_str())) {
        table.insert(name.clone(), value.clone());
    }
    if headers::weight(&table) > headers::MOST_WEIGHT {
        // With ours beside them they might not fit into a frame, and the server would end the connection.
        table = FieldTable::default();
    }
    if past.attempt > 1 {
        table.insert(headers::ATTEMPT.into(), headers::number(u64::from(past.attempt)));
    }
    table.insert(headers::FIRST_SEEN.into(), headers::number(past.first_seen_ms));
    if !past.history.is_empty() {
        table.insert(headers::HISTORY.into(), headers::history(&past.history));
    }
    if let Some((reason, died_at_ms)) = dead {
        table.insert(headers::REASON.into(), headers::text(&reason.to_string()));
        table.insert(headers::DIED_AT.into(), headers::number(died_at_ms));
    }
    // Without `user_id`, which has to be our own name, and without `expiration`, which would lose it.
    let mut copy = BasicProperties::default().with_headers(table).with_delivery_mode(delivery_mode(persistent));
    if let Some(id) = short(past.id) {
        copy = copy.with_message_id(id);
    }
    macro_rules! keep {
        ($($property:ident $with:ident),+) => { $(if let Some(value) = of.$property() { copy = copy.$with(value.clone()); })+ };
    }
    keep!(
        content_type with_content_type, content_encoding with_content_encoding, priority with_priority,
        correlation_id with_correlation_id, reply_to with_reply_to, timestamp with_timestamp, kind with_type,
        app_id with_app_id
    );
    copy
}

/// The same with a time after which the server takes the message out of its queue.
pub(super) fn delayed(properties: BasicProperties, delay_ms: u64) -> BasicProperties {
    properties.with_expiration(ShortString::try_new(delay_ms.to_string()).unwrap_or_default())
}

/// Whether a message's time is over.
pub(super) fn is_expired(properties: &BasicProperties, now_ms: u64) -> bool {
    let table = properties.headers().as_ref();
    table.and_then(|table| headers::read_number(table, headers::EXPIRES_AT)).is_some_and(|at| at <= now_ms)
}
