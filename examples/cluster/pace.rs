//! How many signals are due: `--rate` a second, without a burst after a stall.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What a stall longer than this held up is not sent later.
const LONGEST: Duration = Duration::from_millis(250);
/// Comments come from so many users, round and round.
const COMMENTERS: u64 = 100;

/// What is left to send. It outlives the instances of the agent that sends, so that no user is created twice.
pub struct Sender(Mutex<State>);

struct State {
    rate: f64,
    /// When was looked last; `None` once the sender has stopped.
    last: Option<Instant>,
    /// The part of a signal that is due already.
    owed: f64,
    sent: u64,
}

/// One `user_created` and one `user_comment`.
pub struct Turn {
    pub new_user: u64,
    pub commenter: u64,
}

impl Sender {
    pub fn new(rate: f64) -> Self {
        // The first is due at once.
        let owed = if rate > 0.0 { 1.0 } else { 0.0 };
        Self(Mutex::new(State { rate, last: Some(Instant::now()), owed, sent: 0 }))
    }

    /// What is due since this was asked last.
    pub fn due(&self) -> impl Iterator<Item = Turn> + use<> {
        let numbers = self.state(|state| state.due(Instant::now()));
        numbers.map(|number| Turn { new_user: number + 1, commenter: number % COMMENTERS + 1 })
    }

    /// Nothing is due any more.
    pub fn stop(&self) {
        self.state(|state| state.last = None);
    }

    fn state<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn due(&mut self, now: Instant) -> Range<u64> {
        let first = self.sent;
        if let Some(last) = self.last.replace(now) {
            self.owed += (now - last).min(LONGEST).as_secs_f64() * self.rate;
            let whole = self.owed.floor();
            self.owed -= whole;
            self.sent += whole as u64;
        } else {
            self.last = None;
        }
        first..self.sent
    }
}
