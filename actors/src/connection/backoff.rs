//! How long to wait before the next attempt: full jitter under a doubling cap.

use std::time::Duration;

pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    cap: Duration,
    random: Box<dyn FnMut() -> f64>,
}

impl Backoff {
    /// `random` gives numbers from 0 to 1.
    pub(crate) fn new(first: Duration, most: Duration, random: Box<dyn FnMut() -> f64>) -> Self {
        let first = first.min(most);
        Self { first, most, cap: first, random }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.cap.mul_f64((self.random)().clamp(0.0, 1.0));
        self.cap = self.cap.saturating_mul(2).min(self.most);
        wait
    }

    /// A connection that lasted longer than the longest wait starts anew; one that dies at once does not, so a server
    /// that drops every connection is not stormed.
    pub(crate) fn lasted(&mut self, up: Duration) {
        if up >= self.most {
            self.cap = self.first;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use std::time::Duration;

    const FIRST: Duration = Duration::from_millis(50);
    const MOST: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_to_the_cap_with_full_jitter() {
        let mut backoff = Backoff::new(FIRST, MOST, Box::new(|| 1.0));
        let waits: Vec<_> = (0..7).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1000, 1000]);
        backoff.lasted(Duration::from_millis(10));
        assert_eq!(backoff.next().as_millis(), 1000);
        backoff.lasted(Duration::from_secs(1));
        assert_eq!(backoff.next().as_millis(), 50);
        let mut none = Backoff::new(FIRST, MOST, Box::new(|| 0.0));
        assert_eq!(none.next(), Duration::ZERO);
    }
}
