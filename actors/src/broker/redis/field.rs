use formicary_protocol::Bytes;

/// How many bytes a field has when it is written.
pub(super) const WIDTH: usize = 19;
/// The number of the first message of a take: all have four digits, so that fields and ids sort in the order of the list.
const FIRST: usize = 1_000;

/// The field under which a message lies in the place of its consumer: which take brought it, and as which of its messages.
///
/// Written `+1735689600000-1000` when it came from the list and the value is its body; `=1735689600000-1000` when it was
/// delayed and the value is an entry. What a consumer of format 1 left stands under its id and is an entry, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Field {
    stamp: u64,
    number: usize,
    fresh: bool,
}

impl Field {
    /// A message of the take with this [stamp](Stamps), counted from 0 through the delayed ones and then those of the list.
    pub(super) fn new(fresh: bool, stamp: u64, index: usize) -> Self {
        Self { stamp, number: FIRST + index, fresh }
    }

    /// Reads a field of this format.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() == WIDTH)?;
        let (fresh, rest) = match text.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('=')?),
        };
        let (stamp, number) = rest.split_once('-')?;
        Some(Self { stamp: stamp.parse().ok()?, number: number.parse().ok()?, fresh })
    }

    /// Whether the value is a body as it came, and no entry.
    pub(super) fn is_fresh(self) -> bool {
        self.fresh
    }

    /// When the take began, by its consumer's clock, in milliseconds since 1970.
    pub(super) fn taken_at_ms(self) -> u64 {
        self.stamp
    }

    pub(super) fn write(self, into: &mut Vec<u8>) {
        let mark = if self.fresh { b'+' } else { b'=' };
        into.push(mark);
        digits(into, self.stamp, 13);
        into.push(b'-');
        digits(into, self.number as u64, 4);
    }

    pub(super) fn bytes(self) -> Bytes {
        let mut bytes = Vec::with_capacity(WIDTH);
        self.write(&mut bytes);
        bytes.into()
    }

    /// The id of a message that was taken for the first time: its consumer, and its field there.
    pub(super) fn id(self, consumer: &str, into: &mut String) {
        use std::fmt::Write;

        into.clear();
        // A `String` takes all that is written to it.
        let _ = write!(into, "{consumer}-{:013}-{}", self.stamp, self.number);
    }
}

fn digits(into: &mut Vec<u8>, mut number: u64, width: usize) {
    let start = into.len();
    into.resize(start + width, b'0');
    for place in into[start..].iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The stamps of a consumer's takes: milliseconds of its clock, and never one twice.
#[derive(Debug, Default)]
pub(super) struct Stamps(std::cell::Cell<u64>);

/// The latest time of a clock that is believed, in the year 2286: stamps have thirteen digits, with room for those that follow.
const LATEST: u64 = 9_999_999_000_000;

impl Stamps {
    pub(super) fn next(&self, now_ms: u64) -> u64 {
        self.0.set(now_ms.min(LATEST).max(self.0.get() + 1));
        self.0.get()
    }
}

/// A stamp as the script of a take gets it: what a field begins with, the mark left out.
pub(super) fn stamp(stamp: u64) -> Bytes {
    let mut bytes = Vec::with_capacity(14);
    digits(&mut bytes, stamp, 13);
    bytes.push(b'-');
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for field in [Field::new(true, 1_735_689_600_000, 0), Field::new(false, 7, 255)] {
            assert_eq!(Field::parse(&field.bytes()), Some(field));
            assert_eq!(field.bytes().len(), WIDTH);
        }
        assert_eq!(&Field::new(true, 1_735_689_600_000, 17).bytes()[..], b"+1735689600000-1017");
        for other in [&b""[..], b"018f-000000000001", b"+1735689600000-101x", b"\xff735689600000-10170"] {
            assert_eq!(Field::parse(other), None);
        }
    }

    #[test]
    fn a_clock_that_stands_or_goes_back_gives_new_stamps() {
        let stamps = Stamps::default();
        assert_eq!([5, 5, 3, 9].map(|now| stamps.next(now)), [5, 6, 7, 9]);
    }

    #[test]
    fn a_clock_beyond_all_time_still_gives_thirteen_digits() {
        let field = Field::new(true, Stamps::default().next(u64::MAX), 0);
        assert_eq!(Field::parse(&field.bytes()), Some(field));
    }
}
