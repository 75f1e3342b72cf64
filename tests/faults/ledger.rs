//! What was sent and what became of it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use formicary::{CallError, Error, SendError};
use tokio::time::Instant;

/// One thing that was sent, with how it ended for its sender.
#[derive(Debug)]
pub struct Sent {
    pub n: u64,
    pub begun: Instant,
    pub took: Duration,
    pub result: Result<(), Error>,
}

/// How much later than its deadline a sender may hear of it, on a busy machine.
pub const SLACK: Duration = Duration::from_millis(1_000);
const SEND_DEADLINE: Duration = Duration::from_secs(5);
const CALL_DEADLINE: Duration = Duration::from_secs(10);

#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Entries>>);

#[derive(Default)]
pub struct Entries {
    pub signals: Vec<Sent>,
    pub calls: Vec<Sent>,
    pub messages: Vec<Sent>,
    pub heard: HashMap<u64, Instant>,
    pub done: HashMap<u64, Instant>,
}

impl Ledger {
    pub fn open(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap()
    }
}

impl Entries {
    /// What was accepted by the broker and not consumed.
    pub fn lost_messages(&self) -> Vec<u64> {
        let accepted = self.messages.iter().filter(|sent| sent.result.is_ok()).map(|sent| sent.n);
        accepted.filter(|n| !self.done.contains_key(n)).collect()
    }

    /// Whether a signal and a call that were begun after `since` have come through, a message that was begun then was
    /// accepted, and one was consumed since then: those that an outage has piled up come first.
    pub fn flows_since(&self, since: Instant) -> bool {
        let fresh = |sent: &Sent| sent.begun >= since && sent.result.is_ok();
        self.signals.iter().rev().any(|sent| fresh(sent) && self.heard.contains_key(&sent.n))
            && self.calls.iter().rev().any(fresh)
            && self.messages.iter().rev().any(fresh)
            && self.done.values().any(|at| *at >= since)
    }

    /// Each call has its answer or an error of its own kind, within its deadline.
    pub fn calls_ended_cleanly(&self) {
        for call in &self.calls {
            assert!(call.took <= CALL_DEADLINE + SLACK, "{call:?}");
            match &call.result {
                Ok(()) => {}
                Err(Error::Call(
                    CallError::Disconnected { .. } | CallError::NotSent { .. } | CallError::Timeout { .. },
                )) => {}
                Err(_) => panic!("{call:?}"),
            }
        }
    }

    /// Each publish and send ended within its deadline, with `NotSent` or `Unknown` where it failed; what was not sent
    /// never arrived.
    pub fn sends_ended_cleanly(&self) {
        for (sent, arrived) in [(&self.signals, &self.heard), (&self.messages, &self.done)] {
            for one in sent {
                assert!(one.took <= SEND_DEADLINE + SLACK, "{one:?}");
                match &one.result {
                    Ok(()) | Err(Error::Send(SendError::Unknown { .. })) => {}
                    Err(Error::Send(SendError::NotSent { .. })) => {
                        assert!(!arrived.contains_key(&one.n), "it was not sent, and arrived: {one:?}");
                    }
                    Err(_) => panic!("{one:?}"),
                }
            }
        }
    }

    /// No signal arrived after the deadline of its publish.
    pub fn no_signal_was_late(&self) {
        for sent in &self.signals {
            let Some(heard) = self.heard.get(&sent.n) else { continue };
            let after = *heard - sent.begun;
            assert!(after <= SEND_DEADLINE + SLACK, "it arrived after {after:?}: {sent:?}");
        }
    }

    /// How many of each failed.
    pub fn failures(&self) -> String {
        let failed = |sent: &[Sent]| sent.iter().filter(|sent| sent.result.is_err()).count();
        let kinds: HashSet<_> = self.calls.iter().filter_map(|call| Some(kind(call.result.as_ref().err()?))).collect();
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_unstable();
        format!(
            "failed: {} of {} signals, {} of {} calls {kinds:?}, {} of {} messages",
            failed(&self.signals),
            self.signals.len(),
            failed(&self.calls),
            self.calls.len(),
            failed(&self.messages),
            self.messages.len(),
        )
    }
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::Call(CallError::Disconnected { .. }) => "disconnected",
        Error::Call(CallError::NotSent { .. }) => "not sent",
        Error::Call(CallError::Timeout { .. }) => "timeout",
        _ => "other",
    }
}
