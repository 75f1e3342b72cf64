//! What the server says of a delivery, as texts: built once for deliveries that are alike.

use std::cell::RefCell;
use std::sync::Arc;

use lapin::message::Delivery;
use lapin::types::{AMQPValue, ShortString};

use super::headers;

/// Pairs of names and values.
pub(super) type Metadata = Arc<[(String, String)]>;

/// The metadata of the last delivery that had nothing of its own.
#[derive(Default)]
pub(super) struct Last(RefCell<Option<(ShortString, ShortString, Metadata)>>);

impl Last {
    /// `exchange`, `routing_key` and `redelivered`; the properties that are set; then every header that is a text, a
    /// number or a truth value.
    pub(super) fn of(&self, delivery: &Delivery) -> Metadata {
        let is_plain = !delivery.redelivered && is_plain(delivery);
        if is_plain
            && let Some((exchange, key, metadata)) = &*self.0.borrow()
            && (exchange, key) == (&delivery.exchange, &delivery.routing_key)
        {
            return metadata.clone();
        }
        let metadata = read(delivery);
        if is_plain {
            let (exchange, key) = (delivery.exchange.clone(), delivery.routing_key.clone());
            self.0.replace(Some((exchange, key, metadata.clone())));
        }
        metadata
    }
}

/// Whether it has nothing but its id and its delivery mode, as most have.
fn is_plain(delivery: &Delivery) -> bool {
    let properties = &delivery.properties;
    let texts = [
        properties.content_type(),
        properties.content_encoding(),
        properties.correlation_id(),
        properties.reply_to(),
        properties.expiration(),
        properties.kind(),
        properties.user_id(),
        properties.app_id(),
    ];
    texts.iter().all(|text| text.is_none())
        && properties.priority().is_none()
        && properties.timestamp().is_none()
        && properties.headers().as_ref().is_none_or(|table| table.inner().is_empty())
}

fn read(delivery: &Delivery) -> Metadata {
    let mut pairs = Vec::new();
    let mut add = |name: &str, value: String| pairs.push((name.to_owned(), value));
    let properties = &delivery.properties;
    add("exchange", delivery.exchange.to_string());
    add("routing_key", delivery.routing_key.to_string());
    add("redelivered", delivery.redelivered.to_string());
    for (name, value) in [
        ("content_type", properties.content_type()),
        ("content_encoding", properties.content_encoding()),
        ("correlation_id", properties.correlation_id()),
        ("reply_to", properties.reply_to()),
        ("type", properties.kind()),
        ("user_id", properties.user_id()),
        ("app_id", properties.app_id()),
    ] {
        value.iter().for_each(|value| add(name, value.to_string()));
    }
    properties.priority().iter().for_each(|priority| add("priority", priority.to_string()));
    properties.timestamp().iter().for_each(|timestamp| add("timestamp", timestamp.to_string()));
    for (name, value) in properties.headers().iter().flatten() {
        let name = name.as_str();
        match shown(value) {
            Some(value) if name == headers::KEY => add("key", value),
            Some(value) if headers::is_kept(name) => add(name, value),
            _ => {}
        }
    }
    pairs.into()
}

fn shown(value: &AMQPValue) -> Option<String> {
    Some(match value {
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortShortUInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::ShortUInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Timestamp(value) => value.to_string(),
        AMQPValue::Float(value) => value.to_string(),
        AMQPValue::Double(value) => value.to_string(),
        AMQPValue::ShortString(value) => value.to_string(),
        AMQPValue::LongString(value) => value.to_string(),
        _ => return None,
    })
}
