//! What may be told of an agent's settings: their keys and types.

use std::collections::BTreeMap;

use serde_json::Value;

/// The keys, each with the JSON type of its value. Keys further down are not told: they may be data.
pub(super) fn outline(settings: &Value) -> BTreeMap<String, &'static str> {
    let Value::Object(settings) = settings else { return BTreeMap::new() };
    settings.iter().map(|(key, value)| (key.clone(), json_type(value))).collect()
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}
