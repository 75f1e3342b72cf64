//! What is mended in a frame: texts that are no UTF-8, whose odd bytes become `?`, and tables that are nested too deep,
//! which become plain bytes. Nothing changes its length.

use std::str;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// The driver reads nested tables by recursion.
const DEEPEST: u32 = 16;

/// What was found on the way, for whoever tells of it.
#[derive(Default)]
pub(super) struct Mended {
    count: AtomicU64,
    more: Notify,
    version: OnceLock<String>,
}

impl Mended {
    /// Waits until something was mended; how much since the last time.
    pub(super) async fn some(&self) -> u64 {
        loop {
            match self.count.swap(0, Ordering::Relaxed) {
                0 => self.more.notified().await,
                count => return count,
            }
        }
    }

    /// What the server says its version is.
    pub(super) fn version(&self) -> Option<&str> {
        self.version.get().map(String::as_str)
    }

    fn one(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.more.notify_one();
    }
}

/// Mends a method whose texts others choose.
pub(super) fn method(payload: &mut [u8], seen: &Mended) {
    let Some((name, rest)) = payload.split_first_chunk_mut::<4>() else { return };
    let mut rest = Rest { bytes: rest, seen };
    // What cannot be walked to its end is the driver's business.
    let _walked = match *name {
        // connection.start
        [0, 10, 0, 10] => {
            note_version(rest.bytes, seen);
            None
        }
        // connection.close, channel.close: a server cuts long texts anywhere
        [0, 10, 0, 50] | [0, 20, 0, 40] => rest.take(2).and_then(|_| rest.text()),
        // basic.deliver
        [0, 60, 0, 60] => rest.text().and_then(|()| rest.take(9)).and_then(|_| rest.text()).and_then(|()| rest.text()),
        // basic.get-ok
        [0, 60, 0, 71] => rest.take(9).and_then(|_| rest.text()).and_then(|()| rest.text()),
        _ => None,
    };
}

/// Mends the properties of a message.
pub(super) fn header(payload: &mut [u8], seen: &Mended) {
    properties(Rest { bytes: payload, seen });
}

fn properties(mut rest: Rest<'_>) -> Option<()> {
    // Class, weight, size of the body.
    rest.take(12)?;
    let flags = u16::from_be_bytes(rest.take(2)?.try_into().ok()?);
    // From the highest flag on; two more there are not.
    for (at, kind) in b"ssFBBssssTssss".iter().enumerate() {
        if flags & (1 << (15 - at)) != 0 {
            match kind {
                b's' => rest.text()?,
                kind => rest.value_of(*kind, 0)?,
            }
        }
    }
    Some(())
}

fn note_version(start: &[u8], seen: &Mended) {
    const NAME: &[u8] = b"\x07versionS";
    let after = |at: usize| start.get(at + NAME.len()..);
    let Some(rest) = start.windows(NAME.len()).position(|name| name == NAME).and_then(after) else { return };
    let Some((size, rest)) = rest.split_first_chunk::<4>() else { return };
    let text = rest.get(..u32::from_be_bytes(*size) as usize).and_then(|text| str::from_utf8(text).ok());
    if let Some(text) = text {
        seen.version.get_or_init(|| text.to_owned());
    }
}

/// What is left of a payload. What is `None` cannot be walked on: it is shorter than it says, or of a kind that we do not know.
struct Rest<'p> {
    bytes: &'p mut [u8],
    seen: &'p Mended,
}

impl<'p> Rest<'p> {
    fn take(&mut self, count: usize) -> Option<&'p mut [u8]> {
        let (taken, left) = std::mem::take(&mut self.bytes).split_at_mut_checked(count)?;
        self.bytes = left;
        Some(taken)
    }

    /// With its length in four bytes before it.
    fn long(&mut self) -> Option<Rest<'p>> {
        let size = u32::from_be_bytes(self.take(4)?.try_into().ok()?);
        Some(Rest { bytes: self.take(size as usize)?, seen: self.seen })
    }

    fn text(&mut self) -> Option<()> {
        let size = self.take(1)?[0];
        let mut text = self.take(usize::from(size))?;
        while let Err(error) = str::from_utf8(text) {
            self.seen.one();
            let odd = &mut text[error.valid_up_to()..];
            let count = error.error_len().unwrap_or(odd.len());
            odd[..count].fill(b'?');
            text = &mut odd[count..];
        }
        Some(())
    }

    fn value(&mut self, depth: u32) -> Option<()> {
        let kind = self.take(1)?;
        if matches!(kind[0], b'F' | b'A') && depth == DEEPEST {
            self.seen.one();
            // Bytes, which are laid out alike.
            kind[0] = b'x';
        }
        self.value_of(kind[0], depth)
    }

    fn value_of(&mut self, kind: u8, depth: u32) -> Option<()> {
        let size = match kind {
            b'V' => 0,
            b't' | b'b' | b'B' => 1,
            b's' | b'U' | b'u' => 2,
            b'I' | b'i' | b'f' => 4,
            b'D' => 5,
            b'L' | b'l' | b'd' | b'T' => 8,
            b'S' | b'x' => return self.long().map(drop),
            b'F' => {
                let mut table = self.long()?;
                while !table.bytes.is_empty() {
                    table.text()?;
                    table.value(depth + 1)?;
                }
                return Some(());
            }
            b'A' => {
                let mut array = self.long()?;
                while !array.bytes.is_empty() {
                    array.value(depth + 1)?;
                }
                return Some(());
            }
            _ => return None,
        };
        self.take(size).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Vec<u8> {
        [&[u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    fn long(kind: &[u8], bytes: &[u8]) -> Vec<u8> {
        [kind, &u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    fn mended(mut payload: Vec<u8>, mend: fn(&mut [u8], &Mended)) -> (Vec<u8>, u64) {
        let seen = Mended::default();
        mend(&mut payload, &seen);
        (payload, seen.count.into_inner())
    }

    /// All properties, with these texts in them.
    fn full(odd: &[u8], name: &[u8]) -> Vec<u8> {
        let inner = long(b"F", &[text(name), vec![b't', 1]].concat());
        let list = long(b"A", &[&b"V"[..], &b"I\xff\xff\xff\xff"[..], &inner, &long(b"S", b"\xff")].concat());
        let table =
            long(b"", &[text(name), list, text(b"x"), long(b"x", b"\xff"), text(name), b"D12345".to_vec()].concat());
        let mut all = [
            &[0, 60, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc][..],
            &text(odd),
            &text(odd),
            &table,
        ]
        .concat();
        all.extend([2, 9]);
        (0..4).for_each(|_| all.extend(text(odd)));
        all.extend([0xff; 8]);
        (0..4).for_each(|_| all.extend(text(odd)));
        all
    }

    #[test]
    fn every_text_of_a_message_is_mended_and_nothing_else() {
        assert_eq!(mended(full("grün".as_bytes(), b"name"), header), (full("grün".as_bytes(), b"name"), 0));
        let (bytes, count) = mended(full(b"gr\xfcn", b"n\xf0\x9f"), header);
        assert_eq!((bytes, count), (full(b"gr?n", b"n??"), 13));
        let close = |reason: &[u8]| [&[0, 20, 0, 40, 1, 0x94][..], &text(reason), &[0; 4]].concat();
        assert_eq!(mended(close(b"no queue '\xc3"), method), (close(b"no queue '?"), 1));
    }

    #[test]
    fn a_table_that_is_nested_too_deep_becomes_bytes() {
        let mut deep = long(b"F", &[]);
        for _ in 0..20_000 {
            deep = long(b"A", &deep);
        }
        let table = long(b"", &[text(b"deep"), deep].concat());
        let message = [&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0][..], &table].concat();
        let (bytes, count) = mended(message, header);
        let kinds: Vec<_> = bytes[23..].iter().step_by(5).take(18).copied().collect();
        assert_eq!((count, &kinds[..]), (1, &b"AAAAAAAAAAAAAAAxAA"[..]));
    }

    #[test]
    fn what_is_cut_or_unknown_is_left_alone() {
        let whole = full(b"\xff", b"\xff");
        for end in 0..whole.len() {
            mended(whole[..end].to_vec(), header);
            mended(whole[..end].to_vec(), method);
        }
        let unknown = [&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0][..], &long(b"", b"\x01a?")].concat();
        assert_eq!(mended(unknown.clone(), header), (unknown, 0));
    }

    #[test]
    fn the_version_of_the_server_is_noted() {
        let seen = Mended::default();
        let table =
            long(b"", &[text(b"product"), long(b"S", b"RabbitMQ"), text(b"version"), long(b"S", b"3.10.8")].concat());
        method(&mut [&[0, 10, 0, 10, 0, 9][..], &table].concat(), &seen);
        assert_eq!(seen.version(), Some("3.10.8"));
    }
}
