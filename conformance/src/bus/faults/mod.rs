//! A server that goes away and comes back, for each part that somebody plays on a bus.
//!
//! The part that a case is about reaches the server through a proxy, all others go there straight.

pub(crate) mod caller;
pub(crate) mod listener;
pub(crate) mod publisher;
pub(crate) mod responder;
mod slow;
