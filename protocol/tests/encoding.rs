//! Bodies read and refused.

use formicary_protocol::{CheckMode, Value, decode, excerpt};
use serde::Deserialize;

#[derive(Debug, PartialEq, Deserialize)]
struct Mail {
    text: Option<String>,
    #[serde(default)]
    inner: Option<Inner>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Inner {
    id: u64,
}

fn error(body: &[u8]) -> String {
    decode::<Mail>(body, CheckMode::Warn).expect_err("refused").to_string()
}

#[test]
fn modes_govern_unknown_arguments() {
    let body = br#"{"text": "x", "a": 1, "inner": {"id": 1, "b": 2}}"#;
    assert_eq!(decode::<Mail>(body, CheckMode::Off).expect("read").unknown, [""; 0]);
    assert_eq!(decode::<Mail>(body, CheckMode::Warn).expect("read").unknown, ["a", "inner.b"]);
    assert_eq!(
        decode::<Mail>(body, CheckMode::Reject).expect_err("refused").to_string(),
        "cannot decode Mail: unknown argument a, inner.b"
    );
}

#[test]
fn errors_have_a_path_and_stay_short() {
    assert_eq!(
        error(br#"{"inner": {"id": -1}}"#),
        "cannot decode Mail: inner.id: invalid value: integer `-1`, expected u64 at line 1 column 19"
    );
    assert_eq!(error(b"{} x"), "cannot decode Mail: trailing characters at line 1 column 4");
    assert_eq!(error(b"[null]"), "cannot decode Mail: expected an object, found an array");
    assert!(error(b"").starts_with("cannot decode Mail: EOF"));
    assert!(error(b"{\"text\": \"\xff\"}").contains("invalid unicode"));
    let long = format!(r#"{{"inner": "{}"}}"#, "é".repeat(10_000));
    assert!(error(long.as_bytes()).len() < 400);
    let deep = "[".repeat(100_000);
    assert!(decode::<Value>(deep.as_bytes(), CheckMode::Warn).expect_err("deep").to_string().contains("recursion"));
}

#[test]
fn integers_beyond_64_bits_are_no_integers() {
    let body = br#"{"inner": {"id": 12345678901234567890123}}"#;
    assert!(error(body).contains("inner.id: invalid type: floating point"));
    assert_eq!(decode::<Value>(body, CheckMode::Off).expect("read").value["inner"]["id"], 1.2345678901234568e22);
}

#[test]
fn bare_words_are_read_as_null() {
    for mode in [CheckMode::Off, CheckMode::Warn, CheckMode::Reject] {
        let decoded = decode::<Mail>(br#"{"text": NaN}"#, mode).expect("read");
        assert!(decoded.repaired && decoded.value.text.is_none());
    }
    assert!(error(br#"{"inner": {"id": NaN}}"#).contains("inner.id: invalid type: null"));
}

#[test]
fn excerpts_are_short_and_escaped() {
    assert_eq!(excerpt(&[0; 3]), r"\x00\x00\x00");
    assert_eq!(excerpt("é\"\\".as_bytes()), r#"\xc3\xa9"\\"#);
    assert_eq!(excerpt(&[b'a'; 65]), format!("{}… (65 bytes)", "a".repeat(64)));
}
