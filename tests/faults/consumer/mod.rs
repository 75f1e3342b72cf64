//! A consumer of the queue `jobs` in a process of its own, which a test may kill, freeze and stop.
//!
//! The process is this program again, with what it shall be in its environment. Before it acknowledges a message, it
//! writes a line into a file of the test, so that whatever is done to the process, the test knows what was handled.

mod child;
mod process;
mod record;
mod relay;
mod setup;

pub use process::Process;
pub use record::Record;
pub use relay::passed_number;
pub use setup::{Setup, Work};
