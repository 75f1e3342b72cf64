//! What happens, as one stream of typed events with a counter for each kind.
//!
//! Logs, the demo's live table, metrics and tests are listeners of the same stream. Counters always count; an event
//! is made only while somebody listens.

mod event;
mod hub;
mod kind;

pub use event::{BadInput, DropReason, Event, HandlerKind};
pub use hub::{Counters, Events, Listener};
pub use kind::EventKind;
