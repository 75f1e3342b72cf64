//! Typed signals and queues.
//!
//! `declare!` writes these implementations from the declarations, and the derives write them for a struct of your own.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Field, FieldKind};

/// A type that is the payload of one signal.
///
/// ```
/// use formicary_protocol::{Field, Signal};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct UserCreated {
///     user_id: u64,
/// }
///
/// impl Signal for UserCreated {
///     const NAME: &'static str = "user_created";
///     type Answer = formicary_protocol::Value;
///
///     fn fields() -> Vec<Field> {
///         vec![Field::of::<u64>("user_id")]
///     }
/// }
/// ```
pub trait Signal: Serialize + DeserializeOwned + 'static {
    /// The name of the signal.
    const NAME: &'static str;

    /// What a handler answers when the signal is a call.
    type Answer: Serialize + DeserializeOwned + 'static;

    /// The fields, to be held against the declaration when an agent starts.
    fn fields() -> Vec<Field>;

    /// What [`Answer`](Self::Answer) can hold. The default says nothing, so that nothing is held against the
    /// declaration.
    #[must_use]
    fn answer_kind() -> FieldKind {
        FieldKind::Any
    }
}

/// A type that stands for one queue.
pub trait Queue: 'static {
    /// The name of the queue.
    const NAME: &'static str;

    /// What its messages are.
    type Message: Serialize + DeserializeOwned + 'static;

    /// The fields of a message, or `None` when it may be any value.
    fn fields() -> Option<Vec<Field>>;
}
