//! What comes from the server, frame by frame, before the driver reads it.
//!
//! Short texts (routing keys, ids, the names of headers) are UTF-8 by the protocol, and RabbitMQ passes on whatever other
//! programs write there. The driver ends the connection at one that is none. The server would deliver the message again on
//! the next, for ever, and nothing else would ever get through. So they are mended on the way.

use super::gate::Gate;
use super::mend::{self, Mended};
use std::sync::Arc;

/// A read of the socket fills no more than this.
const ROOM: usize = 64 << 10;
/// Frames larger than this are passed on as they are. RabbitMQ's have at most 128 KiB unless it is told otherwise.
const LARGEST: usize = 1 << 20;
/// Type, channel and size of a frame.
const HEAD: usize = 7;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
/// The method `basic.deliver`.
const DELIVER: [u8; 4] = [0, 60, 0, 60];

/// Bytes on their way from the socket to the driver.
pub(super) struct Screen {
    buffer: Vec<u8>,
    /// From here on it is not yet handed on.
    start: usize,
    /// Up to here it is looked at.
    ready: usize,
    /// Up to here there is something.
    end: usize,
    /// How much follows of a frame that need not be looked at, in the buffer or not.
    pass: usize,
    seen: Arc<Mended>,
    gate: Arc<Gate>,
}

impl Screen {
    pub(super) fn new(seen: Arc<Mended>, gate: Arc<Gate>) -> Self {
        Self { buffer: vec![0; ROOM], start: 0, ready: 0, end: 0, pass: 0, seen, gate }
    }

    /// Hands on what is ready; how much that is.
    pub(super) fn hand_on(&mut self, into: &mut [u8]) -> usize {
        let count = into.len().min(self.ready - self.start);
        into[..count].copy_from_slice(&self.buffer[self.start..self.start + count]);
        self.start += count;
        count
    }

    /// How much of what comes next may go past the buffer: the rest of a large body.
    pub(super) fn passing(&self) -> usize {
        if self.start == self.end { self.pass } else { 0 }
    }

    /// So much went past.
    pub(super) fn passed(&mut self, count: usize) {
        self.pass = self.pass.saturating_sub(count);
    }

    /// Where the next bytes of the socket go; never empty.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.ready, self.end) = (self.ready - self.start, self.end - self.start);
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            // One frame fills it: no more of them than the largest.
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// So much came. Nothing means that there comes no more: then the rest is handed on, whatever it is.
    pub(super) fn came(&mut self, count: usize) {
        self.end += count;
        if count == 0 {
            self.ready = self.end;
        }
        while self.look() {}
    }

    /// Looks at one frame, or at the rest of one; whether there may be more.
    fn look(&mut self) -> bool {
        let there = &mut self.buffer[self.ready..self.end];
        if self.pass > 0 {
            let count = self.pass.min(there.len());
            (self.ready, self.pass) = (self.ready + count, self.pass - count);
            return self.pass == 0;
        }
        let Some(&[kind, _, _, a, b, c, d]) = there.first_chunk::<HEAD>() else { return false };
        let size = u32::from_be_bytes([a, b, c, d]) as usize;
        // With the mark of its end.
        let whole = size.saturating_add(HEAD + 1);
        if (kind != METHOD && kind != HEADER) || whole > LARGEST {
            self.pass = whole;
            return true;
        }
        let Some(frame) = there.get_mut(..whole) else { return false };
        let payload = &mut frame[HEAD..HEAD + size];
        if kind == METHOD && payload.starts_with(&DELIVER) {
            self.gate.came();
        }
        match kind {
            METHOD => mend::method(payload, &self.seen),
            _ => mend::header(payload, &self.seen),
        }
        self.ready += whole;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind, 0, 1], &size[..], payload, &[206]].concat()
    }

    /// `basic.deliver` with this routing key.
    fn deliver(key: &[u8]) -> Vec<u8> {
        let key_size = [u8::try_from(key.len()).unwrap()];
        frame(METHOD, &[&[0, 60, 0, 60, 1, b'c'], &[0xff; 9][..], &[0], &key_size, key].concat())
    }

    /// All that the driver would read when the socket gives so much at once, and the driver asks for so much.
    fn through(bytes: &[u8], at_once: usize, asked: usize) -> Vec<u8> {
        let (mut screen, mut read) = (Screen::new(Arc::default(), Arc::new(Gate::new(None))), Vec::new());
        let mut into = vec![0; asked];
        let mut rest = bytes;
        while !rest.is_empty() {
            let past = screen.passing().min(at_once).min(rest.len());
            if past > 0 {
                read.extend_from_slice(&rest[..past]);
                screen.passed(past);
                rest = &rest[past..];
                continue;
            }
            let room = screen.room();
            let count = room.len().min(at_once).min(rest.len());
            assert!(count > 0);
            room[..count].copy_from_slice(&rest[..count]);
            screen.came(count);
            rest = &rest[count..];
            loop {
                match screen.hand_on(&mut into) {
                    0 => break,
                    count => read.extend_from_slice(&into[..count]),
                }
            }
        }
        screen.came(0);
        while let count @ 1.. = screen.hand_on(&mut into) {
            read.extend_from_slice(&into[..count]);
        }
        read
    }

    #[test]
    fn frames_are_mended_however_they_are_cut() {
        let large = frame(METHOD, &[&[0, 10, 0, 10], &[0xfe; 100_000][..]].concat());
        let cut = &deliver(b"the end is missing\xff")[..20];
        let parts = |key: &[u8]| {
            [&deliver(key)[..], &frame(3, &[0xff; 70_000]), &large, &frame(8, &[]), &deliver(key), cut].concat()
        };
        let (came, wanted) = (parts(b"a\xffb"), parts(b"a?b"));
        for (at_once, asked) in [(1, 1), (3, 1_000), (1_000, 3), (7, 7), (64_000, 100), (1 << 20, 1 << 20)] {
            assert!(through(&came, at_once, asked) == wanted, "{at_once} at once, {asked} asked for");
        }
    }

    #[test]
    fn what_is_no_frame_at_all_is_passed_on() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            b"AMQP\0\0\x09\x01",
            &[1; 40],
            &[2, 0, 0, 0xff, 0xff, 0xff, 0xff, 1],
        ] {
            assert_eq!(through(bytes, 5, 4), bytes);
        }
    }
}
