//! The raw side: the least that does the same work with nothing but the driver.

pub mod actor;
pub mod amqp_bus;
pub mod amqp_queue;
pub mod bus;
pub mod queue;

use std::collections::BTreeMap;

use crate::Outcome;

/// The answer to a call, as it stands on the wire: a value for each handler.
pub fn encode_answer(value: u64) -> Outcome<Vec<u8>> {
    Ok(serde_json::to_vec(&BTreeMap::from([("Handles.ask", value)]))?)
}

/// The first value of an answer.
pub fn decode_answer(body: &[u8]) -> Outcome<u64> {
    let values: BTreeMap<String, u64> = serde_json::from_slice(body)?;
    Ok(values.into_values().next().ok_or("an answer without a value")?)
}
