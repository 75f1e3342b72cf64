use formicary_protocol::Bytes;

use super::connection::Link;
use super::consumer::Consumer;
use crate::redis::{CommandError, Reply};

/// How large one answer gets, beside the message that goes beyond it.
const MOST_BYTES: &str = "1048576";

/// All that is in the place of a consumer, each with its field. Nothing may be settled meanwhile.
pub(super) async fn in_place(link: &Link, consumer: &Consumer) -> Result<Vec<(Bytes, Bytes)>, CommandError> {
    let keys = std::slice::from_ref(&consumer.taken);
    let mut all: Vec<(Bytes, Bytes)> = Vec::new();
    loop {
        let after = all.last().map_or_else(Bytes::new, |(field, _)| field.clone());
        let answer = link.run(&link.scripts.held, keys, &[after, MOST_BYTES.into()]).await?;
        let unclear = || CommandError::Unknown("what is in a place is not understood".to_owned());
        let [more, found] = answer.list().and_then(|list| <[Reply; 2]>::try_from(list).ok()).ok_or_else(unclear)?;
        let mut values = found.list().unwrap_or_default().into_iter().filter_map(Reply::bytes);
        while let (Some(field), Some(value)) = (values.next(), values.next()) {
            all.push((field, value));
        }
        if more.int() != Some(1) {
            return Ok(all);
        }
    }
}
