//! What the values of options must be.

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::HandlerError;

/// `T` is the type of a field that is a key.
#[diagnostic::on_unimplemented(
    message = "a field of type `{T}` cannot be a key: derive `serde::Serialize` for it",
    label = "not a key"
)]
pub trait Key<T> {
    /// The key.
    fn of(field: &T) -> Written;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize> Key<T> for () {
    fn of(field: &T) -> Written {
        Written(to_raw_value(field))
    }
}

/// A key as JSON, or why it is none. It is one type for all keys: the compiler then says nothing but that a field is no key.
#[derive(Debug)]
pub struct Written(serde_json::Result<Box<RawValue>>);

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// Holds a function that says whether another attempt may help. A field, because of all places that want a type the compiler
/// says least about a wrong one in it.
#[derive(Debug)]
pub struct Judge {
    /// The function.
    pub ask: fn(&HandlerError) -> bool,
}

/// Holds a filter of a receiver, for the same reason.
#[derive(Debug)]
pub struct Sieve<P> {
    /// The filter.
    pub takes: fn(&P) -> bool,
}
