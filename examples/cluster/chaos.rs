//! `--chaos`: one mail in 20 fails, one signal in 200 makes its agent panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use formicary::{HandlerError, RestartPolicy};

const MAILS: u64 = 20;
const SIGNALS: u64 = 200;

/// Chaos, or none. Clones count together, over restarts too.
#[derive(Clone)]
pub struct Chaos(Option<Arc<Counts>>);

#[derive(Default)]
struct Counts {
    mails: AtomicU64,
    signals: AtomicU64,
}

impl Chaos {
    pub fn new(on: bool) -> Self {
        Self(on.then(Arc::default))
    }

    /// Panics at one signal in 200.
    pub fn signal(&self) {
        if let Some(counts) = &self.0
            && (counts.signals.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(SIGNALS)
        {
            panic!("chaos: one signal in {SIGNALS}");
        }
    }

    /// Fails one mail in 20.
    pub fn mail(&self) -> Result<(), HandlerError> {
        match &self.0 {
            Some(counts) if (counts.mails.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(MAILS) => {
                Err("chaos: one mail in 20".into())
            }
            _ => Ok(()),
        }
    }

    /// How agents are restarted under this much chaos.
    pub fn restarts(&self) -> RestartPolicy {
        match &self.0 {
            Some(_) => {
                RestartPolicy::default().constant(Duration::from_millis(50)).intensity(1_000, Duration::from_secs(60))
            }
            None => RestartPolicy::default(),
        }
    }
}
