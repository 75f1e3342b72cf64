//! Programs under test: their output, their signals, their exit.

mod bound;
mod child;
mod example;
mod output;

pub use child::Child;
pub use example::example;
pub use rustix::process::Signal;
