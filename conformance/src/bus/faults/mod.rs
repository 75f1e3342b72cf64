//! A server that goes away and comes back, for each part that somebody plays on a bus.
//!
//! The part that a case is about reaches the server through a proxy, all others go there straight.

pub mod caller;
pub mod listener;
pub mod publisher;
pub mod responder;
