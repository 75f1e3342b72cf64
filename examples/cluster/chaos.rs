//! `--chaos`: one mail in 20 fails, one signal in 200 makes its agent panic. On a server, a process is killed too: see `apart`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use formicary::{HandlerError, RestartPolicy};

const MAILS: u64 = 20;
const SIGNALS: u64 = 200;
const HANG: Duration = Duration::from_millis(500);

/// Chaos, or none. Clones count together, over restarts too.
#[derive(Clone)]
pub struct Chaos {
    counts: Option<Arc<Counts>>,
    /// So long a mail that fails takes.
    hang: Duration,
}

#[derive(Default)]
struct Counts {
    mails: AtomicU64,
    signals: AtomicU64,
}

impl Chaos {
    pub fn new(on: bool) -> Self {
        Self { counts: on.then(Arc::default), hang: Duration::ZERO }
    }

    /// For a process that is killed: mails that hang for a while before they fail are what it leaves behind.
    pub fn hanging(self) -> Self {
        Self { hang: HANG, ..self }
    }

    /// Panics at one signal in 200.
    pub fn signal(&self) {
        if let Some(counts) = &self.counts
            && (counts.signals.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(SIGNALS)
        {
            panic!("chaos: one signal in {SIGNALS}");
        }
    }

    /// Fails one mail in 20.
    pub async fn mail(&self) -> Result<(), HandlerError> {
        match &self.counts {
            Some(counts) if (counts.mails.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(MAILS) => {
                tokio::time::sleep(self.hang).await;
                Err("chaos: one mail in 20".into())
            }
            _ => Ok(()),
        }
    }

    /// How agents are restarted under this much chaos.
    pub fn restarts(&self) -> RestartPolicy {
        match &self.counts {
            Some(_) => {
                RestartPolicy::default().constant(Duration::from_millis(50)).intensity(1_000, Duration::from_secs(60))
            }
            None => RestartPolicy::default(),
        }
    }
}
