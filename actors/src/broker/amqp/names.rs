//! The names of what stands beside a queue, and how long a delay is in one of them.

use std::time::Duration;

use lapin::types::ShortString;

/// The longest delay. The server counts milliseconds in 32 bits, and a queue of delays has to outlive what is in it.
pub(super) const MOST_DELAY: Duration = Duration::from_millis(1 << 31);
/// The smallest queue of delays holds those up to this.
const LEAST_MS: u64 = 16;
/// So many queues of delays there are between one length and its double.
const PARTS: u64 = 4;

/// A text as the protocol takes names: at most 255 bytes.
pub(super) fn short(text: &str) -> Option<ShortString> {
    ShortString::try_new(text).ok()
}

pub(super) fn dead(queue: &str) -> String {
    format!("{queue}.dead")
}

/// Where messages wait that go back into a queue.
pub(super) fn delayed(queue: &str, most_ms: u64) -> String {
    format!("{queue}.delayed.{most_ms}")
}

/// Where messages wait that go to an exchange, which has names of its own. The exchange in front of them, which keeps their
/// topics, has the same name.
pub(super) fn delayed_to(exchange: &str, most_ms: u64) -> String {
    format!("{exchange}.exchange.delayed.{most_ms}")
}

/// The longest delay in the queue for this one. A message there may wait for one before it whose delay is longer, so that
/// it comes up to a quarter of its delay late, and never early.
pub(super) fn bucket(delay_ms: u64) -> u64 {
    let delay_ms = delay_ms.max(LEAST_MS);
    let octave = 1 << delay_ms.ilog2();
    let part = (octave / PARTS).max(1);
    delay_ms.div_ceil(part) * part
}

/// Whole milliseconds, never fewer than the delay; at most [`MOST_DELAY`].
pub(super) fn millis(delay: Duration) -> u64 {
    let whole = delay.min(MOST_DELAY).as_nanos().div_ceil(1_000_000);
    u64::try_from(whole).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_delays_up_to_a_quarter_apart() {
        let known: Vec<_> = [0, 1, 16, 17, 20, 21, 100, 1_000, 1_024, 1_025, 60_000].map(bucket).into();
        assert_eq!(known, [16, 16, 16, 20, 20, 24, 112, 1_024, 1_024, 1_280, 65_536]);
        for delay in 16..100_000 {
            let most = bucket(delay);
            assert!(most >= delay && most * 4 <= delay * 5, "{delay} in {most}");
            assert_eq!(bucket(most), most);
        }
    }

    #[test]
    fn a_delay_is_never_shortened_but_to_the_longest() {
        assert_eq!(millis(Duration::from_nanos(1)), 1);
        assert_eq!(millis(Duration::from_micros(1_500)), 2);
        assert_eq!(millis(Duration::MAX), 1 << 31);
        assert_eq!(bucket(1 << 31), 1 << 31);
    }
}
