//! The decoders of channels, answers and entries: any bytes, and there and back.

use bytes::Bytes;
use formicary_protocol::{
    Channel, CheckMode, DeadLetter, DeadReason, Decoded, Entry, Failure, Number, Prefix, RemoteFailure, Value,
    answer_channel, answer_error_channel, check_sender, check_signal_name, decode, decode_answers, decode_failures,
    encode, encode_answers, encode_failures, excerpt, signal_channel,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Typed {
    id: u64,
    number: Number,
    text: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nothing;

/// Text that is near enough to JSON to get past its first bytes.
fn nearly_json() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\""),
        Just("\\"),
        Just("NaN"),
        Just("-Infinity"),
        Just("Infinity"),
        Just("null"),
        Just("true"),
        Just("1"),
        Just("-1.5e3"),
        Just("\"id\""),
        Just("\"a\""),
        Just(" "),
        Just("\n"),
    ];
    prop::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300_f64).prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..6).prop_map(Value::from_iter),
        ]
    })
}

/// Every decoder, on the same bytes; what is told about them stays short.
fn decode_all(bytes: &[u8]) {
    let short = |error: formicary_protocol::Error| assert!(error.to_string().len() < 8_000, "{error}");
    let _ = Channel::parse(&Prefix::default(), bytes).map_err(short);
    let _ = decode_answers(bytes).map_err(short);
    let _ = decode_failures(bytes).map_err(short);
    let _ = Entry::decode(bytes).map_err(short);
    let _ = DeadLetter::decode(bytes).map_err(short);
    for mode in [CheckMode::Off, CheckMode::Warn, CheckMode::Reject] {
        let _ = decode::<Value>(bytes, mode).map_err(short);
        let _ = decode::<Typed>(bytes, mode).map_err(short);
        let _ = decode::<Nothing>(bytes, mode).map_err(short);
        let _ = decode::<Vec<Typed>>(bytes, mode).map_err(short);
    }
    assert!(excerpt(bytes).is_ascii() || bytes.len() > 64);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        decode_all(&bytes);
    }

    #[test]
    fn any_text_after_a_prefix(text in ".*") {
        decode_all(format!("PUBSUB:{text}").as_bytes());
    }

    #[test]
    fn anything_like_json(text in nearly_json()) {
        decode_all(text.as_bytes());
        decode_all(format!("{text}\n{text}").as_bytes());
    }

    #[test]
    fn signals_and_calls(signal in r"[^:#*?\[\]\\\p{Cc}]{1,20}", sender in r"[^:#\p{Cc}]{1,20}", call in prop::option::of("[0-9a-f]{1,32}"), prefix in "[A-Za-z.]{1,8}") {
        prop_assert!(check_signal_name(&signal).is_ok() && check_sender(&sender).is_ok());
        let prefix = Prefix::new(&prefix).expect("a prefix");
        let channel = signal_channel(&prefix, &signal, &sender, call.as_deref());
        let parsed = Channel::parse(&prefix, channel.as_bytes());
        prop_assert_eq!(parsed, Ok(Channel::Signal { signal: &signal, sender: &sender, call: call.as_deref() }));
    }

    #[test]
    fn answer_channels(responder in "[^#]+", call in "[0-9a-f-]{1,36}") {
        let prefix = Prefix::default();
        let channel = answer_channel(&prefix, &responder, &call);
        let expected = Channel::Answer { responder: &responder, call: &call };
        prop_assert_eq!(Channel::parse(&prefix, channel.as_bytes()), Ok(expected));
        let channel = answer_error_channel(&prefix, &responder, &call);
        let expected = Channel::AnswerError { responder: &responder, call: &call };
        prop_assert_eq!(Channel::parse(&prefix, channel.as_bytes()), Ok(expected));
    }

    #[test]
    fn values(value in json()) {
        let body = encode(&value).expect("encoded");
        let decoded = decode::<Value>(&body, CheckMode::Reject).expect("decoded");
        prop_assert!(!decoded.repaired);
        prop_assert!(same(&decoded.value, &value), "{} and {}", decoded.value, value);
    }

    #[test]
    fn answers(answers in prop::collection::vec((".*", ".*".prop_map(Value::from)), 0..8)) {
        let body = encode_answers(answers.iter().map(|(name, value)| (&**name, value))).expect("encoded");
        prop_assert_eq!(decode_answers(&body), Ok(answers));
    }

    #[test]
    fn failures(failures in prop::collection::vec((".*", ".*", ".*"), 0..8)) {
        let failures: Vec<_> = failures
            .into_iter()
            .map(|(handler, kind, message)| (handler, RemoteFailure { kind, message }))
            .collect();
        let body = encode_failures(failures.iter().map(|(name, failure)| (&**name, failure))).expect("encoded");
        prop_assert_eq!(decode_failures(&body), Ok(failures));
    }

    #[test]
    fn entries(id in ".*", attempt in 1_u32.., first in any::<u64>(), errors in prop::collection::vec(".*", 0..14),
        body in prop::collection::vec(any::<u8>(), 0..100), reason in ".*") {
        let mut entry = Entry::new(&id, first, Bytes::from(body));
        entry.attempt = attempt;
        errors.iter().for_each(|error| entry.push_failure(Failure::new(first, error, &id, error)));
        prop_assert_eq!(Entry::decode(&entry.encode()), Ok(entry.clone()));
        let letter = DeadLetter { entry, reason: DeadReason::from(reason), died_at_ms: first };
        prop_assert_eq!(DeadLetter::decode(&letter.encode()), Ok(letter));
    }

    #[test]
    fn a_flood_is_told_in_few_words(keys in prop::collection::btree_set("[a-z\n]{1,9}", 20..60)) {
        let body = encode(&keys.iter().map(|key| (key.as_str(), 1)).collect::<std::collections::BTreeMap<_, _>>()).expect("encoded");
        let Decoded { unknown, .. } = decode::<Nothing>(&body, CheckMode::Warn).expect("decoded");
        prop_assert_eq!(unknown.len(), 17);
        prop_assert_eq!(&unknown[16], &format!("and {} more", keys.len() - 16));
    }
}

/// Equal up to the last bit of a float, which the default reader of `serde_json` may lose.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|right| same(value, right)))
        }
        (Value::Number(l), Value::Number(r)) if l.is_f64() && r.is_f64() => {
            let (l, r) = (l.as_f64().unwrap_or(0.0), r.as_f64().unwrap_or(0.0));
            (l - r).abs() <= l.abs() * 1e-15
        }
        (left, right) => left == right,
    }
}
