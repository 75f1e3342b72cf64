//! What can be wrong with what travels.

/// Why a text, a payload or a declaration was refused.
///
/// The message says what failed, on what, and what to write instead. Text that came from outside is cut short
/// and escaped, so that an error can always be logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A channel prefix that no bus may use.
    #[error("the prefix {prefix:?} {problem}")]
    Prefix {
        /// The prefix as given, cut short.
        prefix: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A name of a signal, a queue or a sender that the wire cannot carry.
    #[error("the {what} {name:?} {problem}")]
    Name {
        /// `signal name`, `queue name` or `sender`.
        what: &'static str,
        /// The name as given, cut short.
        name: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A channel that is not one of this protocol, or of another prefix.
    #[error("the channel {channel} {problem}")]
    Channel {
        /// The first bytes of the channel, escaped.
        channel: String,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// A document of declarations with one or more mistakes. All of them are listed.
    #[error("{document}: {}", list(problems))]
    Declarations {
        /// The document's name, as given to [`Declarations::parse`](crate::Declarations::parse).
        document: String,
        /// Each mistake with its place, such as `signals[3].providing_args.code: ...`.
        problems: Vec<String>,
    },

    /// Declarations that contradict each other. All contradictions are listed, each with both sides.
    #[error("the declarations contradict each other: {}", list(problems))]
    Conflict {
        /// Each contradiction.
        problems: Vec<String>,
    },

    /// A Rust type that does not fit the declaration of its signal or queue.
    #[error("the type for {name} does not fit its declaration: {}", list(problems))]
    Held {
        /// The signal or queue, such as `signal "user_created"`.
        name: String,
        /// Each field that does not fit.
        problems: Vec<String>,
    },

    /// A signal or queue that is used but not declared.
    #[error("the {what} {name:?} is not declared: add it to the declarations, or correct the name")]
    Undeclared {
        /// `signal` or `queue`.
        what: &'static str,
        /// Its name.
        name: String,
    },

    /// A value that JSON cannot hold.
    #[error("cannot encode {subject}: {problem}")]
    Encode {
        /// The Rust type, without its path.
        subject: String,
        /// What the encoder said.
        problem: String,
    },

    /// A body that is not what the reader expects.
    #[error("cannot decode {subject}: {problem}")]
    Decode {
        /// The Rust type, without its path.
        subject: String,
        /// Where and why, such as `user_id: invalid type: string "x", expected u64 at line 1 column 14`.
        problem: String,
    },

    /// Arguments that the reader's type does not have, in mode `reject`.
    #[error("cannot decode {subject}: unknown argument {}", arguments.join(", "))]
    UnknownArguments {
        /// The Rust type, without its path.
        subject: String,
        /// The paths of the unknown arguments, the first sixteen of them.
        arguments: Vec<String>,
    },

    /// A cron expression that means nothing, or a date that never comes.
    #[error("the cron expression {expression:?} {problem}")]
    Cron {
        /// The expression as given, cut short.
        expression: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A word that is not one of a setting's words.
    #[error("{given:?} is not a {what}: write one of {expected}")]
    Word {
        /// The setting.
        what: &'static str,
        /// The word as given, cut short.
        given: String,
        /// The words that are understood.
        expected: &'static str,
    },
}

/// One problem stays on the line; several stand below each other.
fn list(problems: &[String]) -> String {
    match problems {
        [one] => one.clone(),
        many => {
            let mut text = format!("{} problems", many.len());
            for problem in many {
                text.push_str("\n  ");
                text.push_str(problem);
            }
            text
        }
    }
}
