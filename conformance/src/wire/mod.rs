//! The wire of Python `microagent` 1.9, as it was captured: what Python was seen to send to a real Redis and a real RabbitMQ.
//!
//! Channels of ours are Python's to the last byte, but for the ids. Bodies are the same JSON in the same order, in another spelling:
//! Python puts a space behind each separator and escapes what is not ASCII, we do neither. [`spelled_as_python`] is all of that
//! difference, so bodies are compared byte for byte, too.

use std::fmt::Write;

use formicary_protocol::{CheckMode, Declarations, Prefix, Value, decode};

const VECTORS: &str = include_str!("microagent-1.9.json");

/// What no `Value` can repeat: an order of keys that is not theirs, numbers beyond 64 bits, and `NaN`.
const NOT_BY_A_VALUE: [&str; 3] = ["signal_send_rich", "redis_queue_send", "amqp_send_rich"];

/// The signals and queues of the vectors.
const DECLARATIONS: &str = r#"{"signals": [
    {"name": "user_created", "providing_args": ["user_id"]}, {"name": "empty", "providing_args": []},
    {"name": "rich", "providing_args": ["a"]},
    {"name": "rpc_one", "providing_args": ["kind"]}, {"name": "rpc_two", "providing_args": ["kind"]}
], "queues": [
    {"name": "wire_q"}, {"name": "wire_amqp"},
    {"name": "wire_fan_a", "exchange": "wire_events"}, {"name": "wire_fan_b", "exchange": "wire_events"},
    {"name": "wire_topic", "exchange": "wire_msg", "topics": ["m.*", "n.#"]}
]}"#;

pub(crate) fn declarations() -> Declarations {
    Declarations::parse(DECLARATIONS, "the vectors").unwrap()
}

/// Something that Python was seen to do.
#[derive(Debug, Clone)]
pub struct Vector(Value);

/// One `PUBLISH` of a vector.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Captured {
    /// Its channel.
    pub channel: String,
    /// The same with `<0>`, `<1>` … for ids, in order of their appearance in the vector.
    pub masked: String,
    /// Its body.
    pub body: String,
}

/// What somebody has published: a channel, and a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The channel.
    pub channel: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Vector {
    /// All of them.
    pub fn all() -> Vec<Vector> {
        let mut document: Value = serde_json::from_str(VECTORS).unwrap();
        document["vectors"].take().as_array().unwrap().iter().cloned().map(Vector).collect()
    }

    /// Those whose names begin so.
    pub fn like(start: &str) -> Vec<Vector> {
        Vector::all().into_iter().filter(|vector| vector.name().starts_with(start)).collect()
    }

    /// The one with this name.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn named(name: &str) -> Vector {
        let all = Vector::all();
        all.into_iter().find(|vector| vector.name() == name).unwrap_or_else(|| panic!("no vector {name}"))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0["name"].as_str().unwrap()
    }

    /// What it holds, as it was written down.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// What was published on Redis, in its order.
    pub fn publishes(&self) -> Vec<Captured> {
        let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        let captured = |one: &Value| Captured {
            channel: text(one, "channel"),
            masked: text(one, "channel_masked"),
            body: text(one, "body"),
        };
        self.0["publishes"].as_array().into_iter().flatten().map(captured).collect()
    }

    /// What was sent on AMQP: those frames that are of this kind.
    pub fn frames(&self, kind: &str) -> Vec<Value> {
        let all = self.0["frames"].as_array().into_iter().flatten();
        all.filter(|frame| frame["frame"] == kind).cloned().collect()
    }

    /// Holds channels and bodies of ours against what was captured.
    ///
    /// # Panics
    ///
    /// When they are not the same.
    #[track_caller]
    pub fn holds(&self, ours: &[Published]) {
        let (name, theirs) = (self.name(), self.publishes());
        let wanted: Vec<_> = theirs.iter().map(|captured| &*captured.masked).collect();
        assert_eq!(masked(ours.iter().map(|one| &*one.channel)), wanted, "{name}");
        for (one, captured) in ours.iter().zip(&theirs) {
            self.holds_body(&one.body, &captured.body);
        }
    }

    /// Holds a body of ours against one that was captured.
    ///
    /// # Panics
    ///
    /// When they are not the same.
    #[track_caller]
    pub fn holds_body(&self, ours: &[u8], captured: &str) {
        let (name, ours) = (self.name(), std::str::from_utf8(ours).unwrap());
        assert_eq!(value(ours), value(captured), "{name}");
        if !NOT_BY_A_VALUE.contains(&name) {
            assert_eq!(spelled_as_python(ours), captured, "{name}");
        }
    }
}

impl Captured {
    /// The body, as it is read.
    pub fn value(&self) -> Value {
        value(&self.body)
    }

    /// The prefix of its cluster.
    pub fn prefix(&self) -> Prefix {
        Prefix::new(self.channel.split(':').next().unwrap()).unwrap()
    }

    /// The names of signal and sender, where it is a signal or a call.
    pub fn names(&self) -> (&str, &str) {
        let mut parts = self.channel.split(':').skip(1);
        (parts.next().unwrap(), parts.next().unwrap().split('#').next().unwrap())
    }
}

/// A body as we read it: `NaN` is null, integers beyond 64 bits are floats.
pub fn value(body: &str) -> Value {
    decode::<Value>(body.as_bytes(), CheckMode::Off).unwrap().value
}

/// JSON of ours as Python writes it; what it wrote itself stays as it is.
pub fn spelled_as_python(json: &str) -> String {
    let (mut text, mut quoted, mut escaped) = (String::new(), false, false);
    let mut rest = json.chars().peekable();
    while let Some(c) = rest.next() {
        if matches!(c, ' '..='~') {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(text, "\\u{unit:04x}").unwrap();
            }
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        if !quoted && matches!(c, ',' | ':') && rest.peek() != Some(&' ') {
            text.push(' ');
        }
    }
    text
}

/// The channels with each id of 32 hexadecimal digits as `<n>`, by order of appearance.
fn masked<'a>(channels: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut ids: Vec<&str> = Vec::new();
    let mut mask = |channel: &'a str| {
        let mut masked = channel.to_owned();
        // The id of the call comes first in the vectors, though it stands last.
        for part in channel.rsplit([':', '#']) {
            if part.len() == 32 && part.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
                let at = ids.iter().position(|id| *id == part).unwrap_or_else(|| {
                    ids.push(part);
                    ids.len() - 1
                });
                masked = masked.replace(part, &format!("<{at}>"));
            }
        }
        masked
    };
    channels.into_iter().map(&mut mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_spelled_as_python_does() {
        let ours = r#"{"a:,":["é😀","\\",1.5,{"b\"":""}],"c":null}"#;
        let theirs = r#"{"a:,": ["\u00e9\ud83d\ude00", "\\", 1.5, {"b\"": ""}], "c": null}"#;
        assert_eq!((&*spelled_as_python(ours), &*spelled_as_python(theirs)), (theirs, theirs));
        assert_eq!(spelled_as_python("\"\u{7f}\""), r#""\u007f""#);
    }

    #[test]
    fn ids_are_masked_in_the_order_of_the_vectors() {
        let (one, two) = ("0123456789abcdef".repeat(2), "f".repeat(32));
        let channels = [format!("P:ask:me#{one}"), format!("P:response:{two}#{one}")];
        assert_eq!(masked(channels.iter().map(|channel| &**channel)), ["P:ask:me#<0>", "P:response:<1>#<0>"]);
    }
}
