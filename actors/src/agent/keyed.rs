//! Keys of messages: by which they are ordered, and by which two of them are told to be the same.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;

/// Reads a key from a message. Two keys are the same when they are the same as JSON.
#[derive(Clone)]
pub(crate) struct KeyOf {
    /// The type of the messages.
    of: TypeId,
    of_name: &'static str,
    read: Rc<Read>,
}

type Read = dyn Fn(&dyn Any) -> Result<Arc<str>, String>;

impl KeyOf {
    pub(crate) fn new<P: 'static, K: Serialize>(key: impl Fn(&P) -> K + 'static) -> Self {
        let read = move |message: &dyn Any| {
            let message = message.downcast_ref::<P>().ok_or("it is read from a message of another type")?;
            let key = serde_json::to_string(&key(message)).map_err(|error| error.to_string())?;
            Ok(key.into())
        };
        Self { of: TypeId::of::<P>(), of_name: type_name::<P>(), read: Rc::new(read) }
    }

    /// The key of a message, or why it has none. The user's own code runs here, and may panic.
    pub(crate) fn read(&self, message: &dyn Any) -> Result<Arc<str>, String> {
        (self.read)(message)
    }

    /// Whether it reads messages of this type; if not, the name of the type that it reads.
    pub(crate) fn misfit(&self, message: TypeId) -> Option<&'static str> {
        (self.of != message).then_some(self.of_name)
    }
}

impl fmt::Debug for KeyOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key of {}", self.of_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_its_own_type_only() {
        let key = KeyOf::new(|message: &(u64, String)| (message.0, message.1.clone()));
        assert_eq!(key.read(&(7_u64, "a".to_owned())).as_deref(), Ok("[7,\"a\"]"));
        assert!(key.read(&7_u64).is_err());
        assert_eq!(key.misfit(TypeId::of::<(u64, String)>()), None);
        assert!(key.misfit(TypeId::of::<u64>()).is_some_and(|name| name.contains("String")));
    }

    #[test]
    fn what_cannot_be_encoded_is_no_key() {
        let key = KeyOf::new(|_: &()| std::collections::BTreeMap::from([((1, 2), 3)]));
        assert!(key.read(&()).is_err());
    }
}
