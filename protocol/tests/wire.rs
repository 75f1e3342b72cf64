//! What Python `microagent` 1.9.0 was seen to send to a Redis, read and written by this crate.

use formicary_protocol::{
    Channel, CheckMode, Prefix, Value, answer_channel, answer_patterns, decode, decode_answers, encode, encode_answers,
    signal_channel, signal_pattern,
};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/src/wire/microagent-1.9.json");

/// What no writer of JSON can repeat: numbers beyond 64 bits, and `NaN`.
const NOT_EQUAL: [&str; 1] = ["signal_send_rich"];

fn vectors() -> Vec<Value> {
    let text = std::fs::read_to_string(VECTORS).expect("the vectors stand in the suite");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    document["vectors"].as_array().expect("a list").clone()
}

fn vector(name: &str) -> Value {
    vectors().into_iter().find(|vector| vector["name"] == name).unwrap_or_else(|| panic!("no vector {name}"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {value}"))
}

/// Every PUBLISH of every vector: the vector's name, the channel, the body.
fn publishes() -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for vector in vectors() {
        for publish in vector["publishes"].as_array().into_iter().flatten() {
            all.push((text(&vector, "name").into(), text(publish, "channel").into(), text(publish, "body").into()));
        }
    }
    all
}

fn prefix_of(channel: &str) -> Prefix {
    Prefix::new(channel.split(':').next().expect("a first word")).expect("a prefix")
}

/// One command as it goes over the connection.
fn resp(parts: &[&str]) -> String {
    let mut bytes = format!("*{}\r\n", parts.len());
    for part in parts {
        bytes.push_str(&format!("${}\r\n{part}\r\n", part.len()));
    }
    bytes.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_channel_is_read_and_written_again() {
    let publishes = publishes();
    assert!(publishes.len() >= 30, "only {} publishes", publishes.len());
    for (name, channel, _) in publishes {
        let prefix = prefix_of(&channel);
        let written = match Channel::parse(&prefix, channel.as_bytes()).expect(&name) {
            Channel::Signal { signal, sender, call } => signal_channel(&prefix, signal, sender, call),
            Channel::Answer { responder, call } => answer_channel(&prefix, responder, call),
            other => panic!("{name}: Python does not send {other:?}"),
        };
        assert_eq!(written, channel, "{name}");
    }
}

#[test]
fn a_call_and_its_answers_share_an_id() {
    for vector in vectors() {
        let name = text(&vector, "name");
        if !name.starts_with("rpc_") {
            continue;
        }
        let mut ids = Vec::new();
        let publishes = vector["publishes"].as_array().expect("publishes");
        for (index, publish) in publishes.iter().enumerate() {
            let channel = text(publish, "channel");
            match Channel::parse(&prefix_of(channel), channel.as_bytes()).expect(name) {
                Channel::Signal { call: Some(call), .. } if index == 0 => ids.push(call),
                Channel::Answer { call, .. } if index > 0 => ids.push(call),
                other => panic!("{name}: {other:?} at {index}"),
            }
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "{name}");
    }
}

#[test]
fn every_body_is_read_and_ours_says_the_same() {
    for (name, channel, body) in publishes() {
        let decoded = decode::<Value>(body.as_bytes(), CheckMode::Reject).expect(&name);
        let exception = NOT_EQUAL.contains(&name.as_str());
        assert_eq!(decoded.repaired, exception, "{name}");
        let ours = encode(&decoded.value).expect(&name);
        if !exception {
            let theirs: Value = serde_json::from_str(&body).expect(&name);
            assert_eq!(serde_json::from_slice::<Value>(&ours).expect(&name), theirs, "{name}");
        }
        if let Ok(Channel::Answer { .. }) = Channel::parse(&prefix_of(&channel), channel.as_bytes()) {
            let answers = decode_answers(body.as_bytes()).expect(&name);
            let ours = encode_answers(answers.iter().map(|(name, value)| (&**name, value))).expect(&name);
            assert_eq!(decode_answers(&ours), Ok(answers), "{name}");
            assert_eq!(spaced(&ours), body, "{name}: the order of the handlers");
        }
    }
}

/// Our bytes with Python's separators and escapes. Enough for the answers, whose strings hold neither `:` nor `,`.
fn spaced(ours: &[u8]) -> String {
    let text = std::str::from_utf8(ours).expect("UTF-8").replace(':', ": ").replace(',', ", ");
    text.chars().map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) }).collect()
}

#[test]
fn the_rich_signal_keeps_what_json_can_hold() {
    let vector = vector("signal_send_rich");
    let body = text(&vector["publishes"][0], "body");
    let decoded = decode::<Value>(body.as_bytes(), CheckMode::Warn).expect("read again with null");
    assert!(decoded.repaired);
    let rich = &decoded.value["a"];
    assert_eq!(rich["str"], "Привет 😀 \"q\" \\ / \n\t\0\u{7f} é");
    assert_eq!(rich["big"], 1.234_567_890_123_456_8e22);
    assert_eq!(rich["neg"], -5);
    assert_eq!(rich["exp"], 1e100);
    assert_eq!(rich["key ü"], Value::Array(vec![]));
    assert_eq!((&rich["nan"], &rich["inf"]), (&Value::Null, &Value::Null));
}

#[test]
fn the_commands_are_publish_with_our_channel() {
    for vector in vectors() {
        for publish in vector["publishes"].as_array().into_iter().flatten() {
            let (channel, body) = (text(publish, "channel"), text(publish, "body"));
            assert_eq!(resp(&["PUBLISH", channel, body]), text(publish, "resp_hex"), "{}", vector["name"]);
        }
    }
}

#[test]
fn patterns_are_python_s() {
    let prefix = Prefix::default();
    let subscribe = vector("subscribe");
    let patterns: Vec<_> = subscribe["commands"].as_array().expect("commands").iter().map(|c| c[1].clone()).collect();
    assert_eq!(patterns[0], answer_patterns(&prefix)[0]);
    assert_eq!(patterns[1], signal_pattern(&prefix, "rpc_one"));
    assert_eq!(patterns[2], signal_pattern(&prefix, "rpc_two"));
}

#[test]
fn queue_messages_of_any_kind_are_read() {
    let names = ["redis_queue_send", "redis_queue_send_list", "redis_queue_send_str", "redis_queue_send_empty"];
    for name in names {
        let vector = vector(name);
        let body = text(&vector, "body");
        let decoded = decode::<Value>(body.as_bytes(), CheckMode::Reject).expect(name);
        let ours = encode(&decoded.value).expect(name);
        assert_eq!(serde_json::from_slice::<Value>(&ours).ok(), serde_json::from_str(body).ok(), "{name}");
        assert_eq!(resp(&["RPUSH", text(&vector, "key"), body]), text(&vector, "resp_hex"), "{name}");
    }
}
