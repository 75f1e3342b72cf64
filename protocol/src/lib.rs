//! What travels between Formicary agents.
//!
//! An agent publishes *signals* on a bus and puts *messages* into queues. This crate is the part of that which
//! a program in another language would have to write again to take part:
//!
//! - [`Declarations`]: the document that names every signal and queue, and [`CheckMode`] for payloads held against it;
//! - [`Channel`], [`Prefix`]: how a signal, a call and an answer become a channel name;
//! - [`encode`] and [`decode`]: the one encoding of bodies, with [`encode_answers`] for what comes back from a call;
//! - [`Entry`], [`DeadLetter`]: a queue's message while it is in flight, delayed or dead;
//! - [`Cron`]: the five-field expressions of timers.
//!
//! It parses text and builds text. It has no runtime, no sockets and no actors.
//!
//! # Examples
//!
//! ```
//! use formicary_protocol::{Channel, Prefix, signal_channel};
//!
//! let prefix = Prefix::default();
//! let channel = signal_channel(&prefix, "user_created", "user_agent", None);
//! assert_eq!(channel, "PUBSUB:user_created:user_agent");
//! assert_eq!(
//!     Channel::parse(&prefix, channel.as_bytes())?,
//!     Channel::Signal { signal: "user_created", sender: "user_agent", call: None },
//! );
//! # Ok::<(), formicary_protocol::Error>(())
//! ```

pub mod answer;
pub mod channel;
pub mod check;
pub mod cron;
pub mod dead;
pub mod declarations;
pub mod encoding;
pub mod entry;
pub mod error;
pub mod field;
pub mod message;
pub mod names;
pub mod number;
pub mod pattern;
pub mod plain;
mod prefix;
pub mod topic;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod glob;
mod hold;
mod nearest;
mod repair;
mod shape;
mod text;

pub use answer::{RemoteFailure, decode_answers, decode_failures, encode_answers, encode_failures};
pub use bytes::Bytes;
pub use channel::{Channel, answer_channel, answer_error_channel, answer_patterns, signal_channel, signal_pattern};
pub use check::{CheckMode, Mismatch};
pub use cron::Cron;
pub use dead::{DeadLetter, DeadReason};
pub use declarations::{Argument, Declarations, QueueDeclaration, SignalDeclaration, TypeName, Types};
pub use encoding::{Decoded, decode, encode, encode_signal, excerpt};
pub use entry::{Entry, Failure};
pub use error::Error;
pub use field::{Field, FieldKind, FieldType};
pub use message::{Queue, Signal};
pub use names::{check_queue_name, check_sender, check_signal_name};
pub use number::Number;
pub use pattern::{is_pattern, pattern_matches};
pub use prefix::Prefix;
pub use serde_json::Value;
pub use topic::{check_topic, topic_matches};
