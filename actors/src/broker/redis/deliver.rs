use formicary_protocol::{Bytes, DeadReason, Entry};

use super::connection::Link;
use super::consumer::Consumer;
use super::field::Field;
use super::settle;
use crate::contract::{Outcome, Settlement};

/// Notes what was taken, and hands it over: what cannot be read is a dead letter, and a consumer that was cancelled gives
/// all of it back.
pub(super) fn deliver(link: &Link, consumer: &Consumer, entries: Vec<(Field, Bytes)>, bodies: Vec<(Field, Bytes)>) {
    let now_ms = link.context.env.clock.now_ms();
    let mut aside = Vec::new();
    for (field, bytes) in entries {
        let (delivered, readable) = match Entry::decode(&bytes) {
            Ok(entry) => (consumer.hold_entry(field, entry), true),
            Err(_) => (consumer.hold_fresh(field, now_ms, bytes), false),
        };
        match readable {
            true if !consumer.is_cancelled() => consumer.inlet.deliver(delivered),
            true => aside.push(Settlement::new(delivered.token, Outcome::Return)),
            false => {
                aside.push(Settlement::new(delivered.token, Outcome::Dead { reason: DeadReason::Undecodable }));
            }
        }
    }
    for (field, body) in bodies {
        let delivered = consumer.hold_fresh(field, now_ms, alone(body));
        match consumer.is_cancelled() {
            false => consumer.inlet.deliver(delivered),
            true => aside.push(Settlement::new(delivered.token, Outcome::Return)),
        }
    }
    if !aside.is_empty() {
        settle::settle(link, consumer, aside.into(), None);
    }
}

/// A small body must not keep the whole answer in memory in which it came.
fn alone(body: Bytes) -> Bytes {
    const SMALL: usize = 4 << 10;
    if body.len() <= SMALL { Bytes::copy_from_slice(&body) } else { body }
}
