//! Payloads held against their declarations.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::{MAX_QUOTED, cut, shorten};
use crate::{Argument, Error, QueueDeclaration, SignalDeclaration};

/// How many mismatches of one payload are told.
pub const MAX_MISMATCHES: usize = 16;
/// How many bytes of an offending value a [`Mismatch`] repeats.
const MAX_VALUE: usize = 40;

/// What happens to a payload that does not fit its declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckMode {
    /// Nothing is checked.
    Off,
    /// It is logged and counted, and goes on. The default.
    #[default]
    Warn,
    /// It is refused.
    Reject,
}

impl fmt::Display for CheckMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Reject => "reject",
        })
    }
}

impl FromStr for CheckMode {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "off" => Ok(Self::Off),
            "warn" => Ok(Self::Warn),
            "reject" => Ok(Self::Reject),
            other => Err(Error::Word {
                what: "check mode",
                given: shorten(other, MAX_QUOTED),
                expected: "off, warn, reject",
            }),
        }
    }
}

/// One way in which a payload does not fit: `code: expected number or null, found boolean true`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// The argument, or nothing when the payload as a whole is meant.
    pub path: String,
    /// What is wrong; values are cut short.
    pub problem: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.problem),
            path => write!(f, "{path}: {}", self.problem),
        }
    }
}

impl SignalDeclaration {
    /// Every way in which a payload does not fit, at most [`MAX_MISMATCHES`]; empty when it does.
    ///
    /// ```
    /// use formicary_protocol::{Declarations, Value};
    ///
    /// let text = r#"{"signals": [{"name": "typed", "providing_args": {"code": ["number", "null"]}}]}"#;
    /// let declarations = Declarations::parse(text, "signals.json")?;
    /// let payload: Value = r#"{"code": true}"#.parse().unwrap_or_default();
    /// let mismatches = declarations.signal("typed").map(|signal| signal.check(&payload)).unwrap_or_default();
    /// assert_eq!(mismatches[0].to_string(), "code: expected number or null, found boolean true");
    /// # Ok::<(), formicary_protocol::Error>(())
    /// ```
    #[must_use]
    pub fn check(&self, payload: &Value) -> Vec<Mismatch> {
        check(&self.arguments, payload)
    }
}

impl QueueDeclaration {
    /// Every way in which a message does not fit, at most [`MAX_MISMATCHES`]; empty when it does, or when
    /// `message` is not declared.
    #[must_use]
    pub fn check(&self, payload: &Value) -> Vec<Mismatch> {
        self.message.as_ref().map_or_else(Vec::new, |fields| check(fields, payload))
    }
}

fn check(arguments: &[Argument], payload: &Value) -> Vec<Mismatch> {
    let Value::Object(object) = payload else {
        return vec![mismatch("", format!("expected an object, found {}", found(payload)))];
    };
    let declared = arguments.iter().filter_map(|argument| match object.get(&argument.name) {
        None => Some(mismatch(&argument.name, format!("missing, expected {}", argument.types))),
        Some(value) if argument.types.accepts(value) => None,
        Some(value) => Some(mismatch(&argument.name, format!("expected {}, found {}", argument.types, found(value)))),
    });
    let unknown = object
        .keys()
        .filter(|key| !arguments.iter().any(|argument| argument.name == **key))
        .map(|key| mismatch(key, "unknown argument".to_owned()));
    declared.chain(unknown).take(MAX_MISMATCHES).collect()
}

fn mismatch(path: &str, problem: String) -> Mismatch {
    let path = path.chars().take(MAX_QUOTED).flat_map(char::escape_debug).collect();
    Mismatch { path, problem }
}

fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("boolean {value}"),
        Value::Number(value) => format!("number {value}"),
        Value::String(text) if cut(text, MAX_VALUE).len() < text.len() => {
            format!("string {:?}… ({} bytes)", cut(text, MAX_VALUE), text.len())
        }
        Value::String(text) => format!("string {text:?}"),
        Value::Array(items) => format!("array of {}", items.len()),
        Value::Object(entries) => format!("object of {}", entries.len()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Declarations;

    fn texts(payload: &Value) -> Vec<String> {
        let text = r#"{
            "signals": [{"name": "s", "providing_args": {"code": ["null", "number"], "text": "string", "id": "number"}, "types": {"id": "u32"}}],
            "queues": [{"name": "free"}, {"name": "mail", "message": {"text": "string"}}]
        }"#;
        let declarations = Declarations::parse(text, "test").expect("declarations");
        let free = declarations.queue("free").expect("declared");
        assert_eq!(free.check(payload), []);
        declarations.signal("s").expect("declared").check(payload).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_fits() {
        assert!(texts(&json!({"code": null, "text": "", "id": 1})).is_empty());
        assert!(texts(&json!({"code": 1.5, "text": "x", "id": 4_294_967_295_u32})).is_empty());
    }

    #[test]
    fn what_does_not() {
        let payload = json!({"code": true, "id": 4_294_967_296_u64, "b\n": 1, "a": 1});
        assert_eq!(
            texts(&payload),
            [
                "code: expected number or null, found boolean true",
                "text: missing, expected string",
                "id: expected u32, found number 4294967296",
                "a: unknown argument",
                "b\\n: unknown argument",
            ]
        );
        assert_eq!(texts(&json!([1, 2])), ["expected an object, found array of 2"]);
        let long = texts(&json!({"code": "x".repeat(1000), "text": {}, "id": []}));
        assert!(long.iter().all(|text| text.len() < 120), "{long:?}");
    }

    #[test]
    fn a_flood_of_unknown_arguments_is_cut() {
        let payload: Value = (0..1000).map(|n| (format!("key{n}"), json!(n))).collect::<serde_json::Map<_, _>>().into();
        assert_eq!(texts(&payload).len(), MAX_MISMATCHES);
    }

    #[test]
    fn modes_are_words() {
        for mode in [CheckMode::Off, CheckMode::Warn, CheckMode::Reject] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
            assert_eq!(serde_json::to_value(mode).expect("json"), json!(mode.to_string()));
        }
        let error = "strict".parse::<CheckMode>().expect_err("no such mode");
        assert_eq!(error.to_string(), r#""strict" is not a check mode: write one of off, warn, reject"#);
    }
}
