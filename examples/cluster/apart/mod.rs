//! `--chaos` on a Redis or a RabbitMQ: the email agent runs in a process of its own, which is killed and started again.
//!
//! The process is this program once more. It tells what happens in it by lines on its stdout, which become events of
//! this process, so that the table and the summary know of them. It ends when its stdin does, however this process ends.

mod child;
mod keeper;
mod line;

pub use child::run;
pub use keeper::Keeper;

/// Set in the process of the email agent; the value is a [`Start`].
const ROLE: &str = "FORMICARY_CLUSTER_EMAIL_PROCESS";
/// Set beside it when its log lines stand below the table.
const BELOW_TABLE: &str = "FORMICARY_CLUSTER_BELOW_TABLE";

/// The agent that runs apart, as it names itself, and its only handler.
pub const AGENT: &str = "email_agent";
pub const HANDLER: &str = "deliver";

/// Which of the processes of a run it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It also puts a message into the queue that nobody understands, as any program might.
    First,
    Again,
}

impl Start {
    fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Again => "again",
        }
    }
}

/// Whether the log lines of this process stand below the table of another one.
pub fn is_below_table() -> bool {
    std::env::var_os(BELOW_TABLE).is_some()
}

/// Which process of the email agent this is, if it is one.
pub fn role() -> Option<Start> {
    let role = std::env::var_os(ROLE)?;
    [Start::First, Start::Again].into_iter().find(|start| role == start.word())
}
