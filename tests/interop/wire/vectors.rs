//! The vectors of `tests/wire`.

use formicary::Value;
use formicary::protocol::{CheckMode, Prefix, decode};
use formicary_test_support::workspace;

pub struct Vector(Value);

/// One PUBLISH of a vector.
#[derive(Debug)]
pub struct Publish {
    pub channel: String,
    pub masked: String,
    pub body: String,
    /// The command as it goes over the connection.
    pub bytes: Vec<u8>,
}

impl Vector {
    pub fn all() -> Vec<Vector> {
        let text = std::fs::read_to_string(workspace().join("tests/wire/microagent-1.9.json")).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        document["vectors"].as_array().unwrap().iter().cloned().map(Vector).collect()
    }

    pub fn named(name: &str) -> Vector {
        Vector::all().into_iter().find(|vector| vector.name() == name).unwrap()
    }

    pub fn name(&self) -> &str {
        self.0["name"].as_str().unwrap()
    }

    pub fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap()
    }

    pub fn bytes(&self) -> Vec<u8> {
        unhex(self.text("resp_hex"))
    }

    pub fn commands(&self) -> Vec<Vec<String>> {
        serde_json::from_value(self.0["commands"].clone()).unwrap()
    }

    /// What Python's client sent on AMQP.
    pub fn frames(&self) -> Vec<Value> {
        self.0["frames"].as_array().cloned().unwrap_or_default()
    }

    pub fn publishes(&self) -> Vec<Publish> {
        let publish = |one: &Value| Publish {
            channel: one["channel"].as_str().unwrap().to_owned(),
            masked: one["channel_masked"].as_str().unwrap().to_owned(),
            body: one["body"].as_str().unwrap().to_owned(),
            bytes: unhex(one["resp_hex"].as_str().unwrap()),
        };
        self.0["publishes"].as_array().into_iter().flatten().map(publish).collect()
    }
}

impl Publish {
    pub fn value(&self) -> Value {
        value(&self.body)
    }

    pub fn prefix(&self) -> Prefix {
        Prefix::new(self.channel.split(':').next().unwrap()).unwrap()
    }

    /// Signal and sender of a signal's channel.
    pub fn names(&self) -> (&str, &str) {
        let mut parts = self.channel.split(':').skip(1);
        (parts.next().unwrap(), parts.next().unwrap().split('#').next().unwrap())
    }
}

/// A body as we read it: `NaN` is null, integers beyond 64 bits are floats.
pub fn value(body: &str) -> Value {
    decode::<Value>(body.as_bytes(), CheckMode::Off).unwrap().value
}

/// The channels with each id of 32 hexadecimal digits as `<n>`, by order of appearance.
pub fn mask<'a>(channels: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut mask_one = |channel: &str| {
        let mut masked = channel.to_owned();
        // The call's id comes first in the vectors, though it stands last.
        for part in channel.rsplit([':', '#']) {
            if part.len() == 32 && part.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
                let at = ids.iter().position(|id| id == part).unwrap_or_else(|| {
                    ids.push(part.to_owned());
                    ids.len() - 1
                });
                masked = masked.replace(part, &format!("<{at}>"));
            }
        }
        masked
    };
    channels.into_iter().map(&mut mask_one).collect()
}

/// Holds observed channels and bodies against those of a vector.
#[track_caller]
pub fn same(name: &str, observed: &[(String, String)], vector: &[Publish]) {
    let channels = mask(observed.iter().map(|(channel, _)| &**channel));
    let wanted: Vec<&str> = vector.iter().map(|publish| &*publish.masked).collect();
    assert_eq!(channels, wanted, "{name}");
    for ((_, body), publish) in observed.iter().zip(vector) {
        let ours: Value = serde_json::from_str(body).unwrap();
        assert_eq!(ours, publish.value(), "{name}");
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
