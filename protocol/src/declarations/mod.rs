//! The document that names every signal and every queue.
//!
//! ```json
//! {
//!   "version": 1,
//!   "default_prefix": "MYAPP",
//!   "signals": [
//!     {"name": "started", "providing_args": []},
//!     {"name": "user_created", "providing_args": ["user_id"], "types": {"user_id": "u64"}},
//!     {"name": "rated", "providing_args": {"stars": "number", "note": ["string", "null"]}, "answer": "boolean"}
//!   ],
//!   "queues": [
//!     {"name": "mailer", "message": {"text": "string", "email": "string"}},
//!     {"name": "audit", "exchange": "events", "topics": ["*.created"]}
//!   ]
//! }
//! ```
//!
//! `types`, `answer` and `message` are Formicary's own; Python `microagent` ignores them, as every other key
//! that it does not know, and so does this reader.

mod arguments;
mod display;
mod document;
mod exchanges;
mod merge;
mod parse;
mod types;

use std::collections::BTreeMap;

use crate::{Error, Prefix, Queue, Signal};

pub use types::{TypeName, Types};

/// The signals and queues that a program knows. A value like any other: there is no process-wide registry.
///
/// ```
/// use formicary_protocol::Declarations;
///
/// let text = r#"{
///     "signals": [{"name": "user_created", "providing_args": ["user_id"]}],
///     "queues": [{"name": "mailer"}]
/// }"#;
/// let declarations = Declarations::parse(text, "signals.json")?;
/// assert!(declarations.signal("user_created").is_some());
/// assert!(declarations.queue("mailer").is_some());
/// # Ok::<(), formicary_protocol::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declarations {
    default_prefix: Option<Prefix>,
    signals: BTreeMap<String, SignalDeclaration>,
    queues: BTreeMap<String, QueueDeclaration>,
}

/// What is declared of one signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalDeclaration {
    /// Its name.
    pub name: String,
    /// Its arguments, in the document's order.
    pub arguments: Vec<Argument>,
    /// What a handler answers when the signal is a call; `None` for any value.
    pub answer: Option<TypeName>,
}

/// What is declared of one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueDeclaration {
    /// Its name.
    pub name: String,
    /// The exchange to which it is bound; `None` for a plain queue.
    pub exchange: Option<String>,
    /// The patterns with which it is bound; with none, every message of the exchange comes in.
    pub topics: Vec<String>,
    /// The fields of a message, in the document's order; `None` for any value.
    pub message: Option<Vec<Argument>>,
}

/// One argument of a signal, or one field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name: the key in the JSON object.
    pub name: String,
    /// What it can be.
    pub types: Types,
}

impl Declarations {
    /// Reads a document. `source` is its name in errors, such as its path.
    ///
    /// # Errors
    ///
    /// [`Error::Declarations`] with every mistake in the document, each with its place.
    pub fn parse(text: &str, source: &str) -> Result<Self, Error> {
        parse::parse(text, source)
    }

    /// Adds those of another document. What is declared twice in the same words is fine, the order of arguments aside.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] with every contradiction, both sides of each shown; `self` is then as it was.
    pub fn merge(&mut self, other: Self) -> Result<(), Error> {
        merge::merge(self, other)
    }

    /// The signal of this name.
    #[must_use]
    pub fn signal(&self, name: &str) -> Option<&SignalDeclaration> {
        self.signals.get(name)
    }

    /// The queue of this name.
    #[must_use]
    pub fn queue(&self, name: &str) -> Option<&QueueDeclaration> {
        self.queues.get(name)
    }

    /// All signals, by name.
    pub fn signals(&self) -> impl Iterator<Item = &SignalDeclaration> {
        self.signals.values()
    }

    /// All queues, by name.
    pub fn queues(&self) -> impl Iterator<Item = &QueueDeclaration> {
        self.queues.values()
    }

    /// The prefix that the document asks for.
    #[must_use]
    pub fn default_prefix(&self) -> Option<&Prefix> {
        self.default_prefix.as_ref()
    }

    /// Holds a Rust type against the declaration of its signal.
    ///
    /// # Errors
    ///
    /// [`Error::Undeclared`], or [`Error::Held`] with every field that does not fit.
    pub fn hold<S: Signal>(&self) -> Result<(), Error> {
        self.signal(S::NAME).ok_or_else(|| undeclared("signal", S::NAME))?.hold_signal::<S>()
    }

    /// Holds a Rust type against the declaration of its queue.
    ///
    /// # Errors
    ///
    /// [`Error::Undeclared`], or [`Error::Held`] with every field that does not fit.
    pub fn hold_queue<Q: Queue>(&self) -> Result<(), Error> {
        self.queue(Q::NAME).ok_or_else(|| undeclared("queue", Q::NAME))?.hold_queue::<Q>()
    }
}

fn undeclared(what: &'static str, name: &str) -> Error {
    Error::Undeclared { what, name: name.to_owned() }
}
