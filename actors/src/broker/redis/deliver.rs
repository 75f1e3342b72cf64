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
    for (field, body) in apart(bodies) {
        let delivered = consumer.hold_fresh(field, now_ms, body);
        match consumer.is_cancelled() {
            false => consumer.inlet.deliver(delivered),
            true => aside.push(Settlement::new(delivered.token, Outcome::Return)),
        }
    }
    if !aside.is_empty() {
        settle::settle(link, consumer, aside.into(), None);
    }
}

/// Small bodies share blocks of at most this size: that is what one of them keeps in memory beside itself.
const BLOCK: usize = 16 << 10;

/// Bodies apart from the answer in which they came, which may be large: one that is handled slowly must not keep it.
fn apart(bodies: Vec<(Field, Bytes)>) -> Vec<(Field, Bytes)> {
    let mut apart = Vec::with_capacity(bodies.len());
    let mut rest = bodies.as_slice();
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |(_, body): &&(Field, Bytes)| {
            bytes += body.len();
            bytes <= BLOCK
        };
        let (together, others) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        let mut block = Vec::with_capacity(together.iter().map(|(_, body)| body.len()).sum());
        together.iter().for_each(|(_, body)| block.extend_from_slice(body));
        let mut block = Bytes::from(block);
        apart.extend(together.iter().map(|(field, body)| (*field, block.split_to(body.len()))));
        rest = others;
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_leave_their_answer_and_stay_what_they_were() {
        let sizes = [3, 0, BLOCK - 3, 1, BLOCK + 1, BLOCK + 2, 0, 7];
        let bodies: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(at, size)| (Field::new(true, 1, at), Bytes::from(vec![at as u8; *size])))
            .collect();
        let of_the_answer =
            |body: &Bytes| bodies.iter().any(|(_, one)| !one.is_empty() && one.as_ptr() == body.as_ptr());
        let apart = apart(bodies.clone());
        assert_eq!(apart, bodies);
        assert!(apart.iter().all(|(_, body)| body.is_empty() || !of_the_answer(body)));
    }
}
