//! What the connections to all servers have in common: when to try again, when a peer is dead, and who is told.

mod backoff;
mod follow;
mod heartbeat;
mod state;
#[cfg(feature = "tls")]
mod tls;
pub(crate) mod url;

pub(crate) use backoff::Backoff;
pub(crate) use follow::follow;
#[cfg(feature = "redis")]
pub(crate) use heartbeat::{OUT_OF_STEP, answer_time, overdue};
pub(crate) use heartbeat::{Pong, watch};
pub use state::{Reason, State};
#[cfg(feature = "tls")]
pub use tls::Tls;

/// Random numbers from 0 to 1 out of the group's one source of chance.
pub(crate) fn chance(ids: &crate::Ids) -> impl FnMut() -> f64 + 'static {
    const STEPS: u64 = 1 << 32;
    let ids = ids.clone();
    move || ids.below(STEPS) as f64 / STEPS as f64
}
