//! What a connection is doing, as its owner is told.

use std::fmt;

/// Why a connection is down.
pub trait Reason: fmt::Display {
    /// Whether trying again cannot help until somebody changes something.
    fn is_permanent(&self) -> bool;
}

/// The state of a connection. Before the first one it is connecting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State<R> {
    /// Connected, logged in and subscribed to everything.
    Up {
        /// Counts the connections from 1: two `Up` with the same number are one unbroken connection.
        generation: u64,
    },
    /// Lost, or not yet reached; attempts go on for ever.
    Down {
        /// What the last attempt failed on, or how the connection was lost.
        reason: R,
    },
}
