use std::sync::Arc;

use formicary_protocol::Bytes;

use crate::contract::SendOptions;

/// A message that waits: bytes as they came. It gets its id when it is taken, unless its sender gave it one.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) body: Bytes,
    pub(super) beside: Option<Arc<Beside>>,
}

/// What a sender gave a message beside its body. It stays with the message through all its attempts and its death.
pub(super) struct Beside {
    pub(super) id: Option<Arc<str>>,
    /// Its headers, and its key under the name `key`.
    pub(super) metadata: Arc<[(String, String)]>,
}

impl Message {
    /// As it is sent.
    pub(super) fn new(body: Bytes, options: SendOptions) -> Self {
        let SendOptions { id, key, headers, .. } = options;
        let has_none = id.is_none() && key.is_none() && headers.is_empty();
        let metadata = key.map(|key| ("key".to_owned(), key)).into_iter().chain(headers);
        let beside = (!has_none).then(|| Arc::new(Beside { id: id.map(Into::into), metadata: metadata.collect() }));
        Self { body, beside }
    }
}

impl From<Bytes> for Message {
    fn from(body: Bytes) -> Self {
        Self { body, beside: None }
    }
}
