use std::rc::Rc;

use formicary_protocol::{Bytes, DeadReason};
use lapin::message::Delivery;

use super::connection::Link;
use super::consumer::Consumer;
use super::{headers, properties, settle};
use crate::contract::{Delivered, Outcome, Settlement, Token};

/// Notes what came, and hands it over. What has expired is a dead letter, and a consumer that was cancelled gives it back.
pub(super) fn deliver(link: &Link, consumer: &Rc<Consumer>, delivery: Delivery) {
    let env = &link.context.env;
    let now_ms = env.clock.now_ms();
    let metadata = consumer.metadata.of(&delivery);
    let Delivery { delivery_tag, properties, data, .. } = delivery;
    let (mut attempt, mut first_seen_ms, mut history) = (1, now_ms, consumer.no_history.clone());
    if let Some(table) = properties.headers() {
        attempt = headers::read_attempt(table);
        first_seen_ms = headers::read_number(table, headers::FIRST_SEEN).unwrap_or(now_ms);
        if table.contains_key(headers::HISTORY) {
            history = headers::read_history(table);
        }
    }
    let delivered = Delivered {
        token: consumer.token(delivery_tag),
        id: properties.message_id().as_ref().map_or_else(|| env.ids.id(), |id| id.as_str().into()),
        attempt,
        first_seen_ms,
        history,
        metadata,
        body: Bytes::from(data),
    };
    let expired = properties::is_expired(&properties, now_ms);
    consumer.hold(delivered.clone(), properties);
    let aside = |outcome| settle_aside(link, consumer, delivered.token, outcome);
    match consumer.is_cancelled() {
        true => aside(Outcome::Return),
        false if expired => aside(Outcome::Dead { reason: DeadReason::Expired }),
        false => consumer.inlet.deliver(delivered),
    }
}

fn settle_aside(link: &Link, consumer: &Rc<Consumer>, token: Token, outcome: Outcome) {
    settle::settle(link, consumer, Settlement::new(token, outcome).into(), None);
}
