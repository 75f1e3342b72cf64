//! The captured vectors, at the level of the adapters: what our bus and broker really send to the server, and what they
//! make of Python's own bytes.
//!
//! Channels are compared as they are, with ids masked. Bodies are compared as JSON: Python writes `", "` and `": "` and
//! escapes what is not ASCII, ours writes neither spaces nor escapes.

mod calling;
mod monitor;
mod receiving;
mod sending;
pub mod vectors;
