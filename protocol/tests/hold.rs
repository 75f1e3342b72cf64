//! Rust types held against their declarations.

use formicary_protocol::{
    CheckMode, Declarations, Error, Field, FieldKind, Number, Queue, Signal, TypeName, Value, decode, encode_signal,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const DOCUMENT: &str = r#"{
    "signals": [
        {"name": "started", "providing_args": []},
        {"name": "user_created", "providing_args": ["user_id"], "types": {"user_id": "u64"}, "answer": "u64"},
        {"name": "rated", "providing_args": {"stars": "number", "note": ["string", "null"]}},
        {"name": "loose", "providing_args": ["any"]}
    ],
    "queues": [{"name": "free"}, {"name": "mailer", "message": {"text": "string", "email": "string"}}]
}"#;

fn declarations() -> Declarations {
    Declarations::parse(DOCUMENT, "test").expect("declarations")
}

fn problems(held: Result<(), Error>) -> Vec<String> {
    match held {
        Ok(()) => Vec::new(),
        Err(Error::Held { problems, .. }) => problems,
        Err(other) => panic!("{other}"),
    }
}

fn held(signal: &str, fields: &[Field]) -> Vec<String> {
    problems(declarations().signal(signal).expect("declared").hold(fields))
}

#[derive(Serialize, Deserialize)]
struct UserCreated {
    user_id: u64,
}

impl Signal for UserCreated {
    const NAME: &'static str = "user_created";
    type Answer = String;

    fn fields() -> Vec<Field> {
        vec![Field::of::<u64>("user_id")]
    }

    fn answer_kind() -> FieldKind {
        formicary_protocol::__field_kind!(String)
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Started;

impl Signal for Started {
    const NAME: &'static str = "started";
    type Answer = Value;

    fn fields() -> Vec<Field> {
        Vec::new()
    }
}

#[derive(Serialize, Deserialize)]
struct Bare(u64);

impl Signal for Bare {
    const NAME: &'static str = "nowhere";
    type Answer = Value;

    fn fields() -> Vec<Field> {
        Vec::new()
    }
}

struct Mailer;

impl Queue for Mailer {
    const NAME: &'static str = "mailer";
    type Message = BTreeMap<String, String>;

    fn fields() -> Option<Vec<Field>> {
        Some(vec![Field::of::<String>("text")])
    }
}

#[test]
fn types_that_fit() {
    assert_eq!(held("user_created", &[Field::of::<u64>("user_id")]), [""; 0]);
    assert_eq!(held("user_created", &[Field::of::<Number>("user_id")]), [""; 0]);
    assert_eq!(held("user_created", &[Field::of::<Value>("user_id")]), [""; 0]);
    for stars in [Field::of::<u8>("stars"), Field::of::<f32>("stars"), Field::of::<Number>("stars")] {
        assert_eq!(held("rated", &[stars, Field::of::<Option<String>>("note")]), [""; 0]);
    }
    for any in [Field::of::<Vec<u8>>("any"), Field::of::<Option<bool>>("any"), Field::of::<()>("any")] {
        assert_eq!(held("loose", &[any]), [""; 0]);
    }
    assert_eq!(declarations().hold::<Started>(), Ok(()));
}

#[test]
fn every_field_that_does_not_fit_is_named() {
    assert_eq!(
        held("user_created", &[Field::of::<String>("user_id")]),
        ["field user_id is a String, the declaration says u64"]
    );
    assert_eq!(
        held("user_created", &[Field::of::<u32>("user_id"), Field::of::<u8>("other")]),
        ["field user_id is a u32, the declaration says u64", "field other is not declared"]
    );
    assert_eq!(
        held("rated", &[Field::of::<Option<u8>>("stars"), Field::of::<String>("note")]),
        [
            "field stars is an Option<u8>, the declaration says number: take the Option away",
            "field note is a String, the declaration says string or null: make it an Option",
        ]
    );
    assert_eq!(held("rated", &[Field::of::<bool>("stars"), Field::of::<Option<String>>("note")]).len(), 1);
    assert_eq!(held("user_created", &[]), ["field user_id is missing, the declaration says u64"]);
}

#[test]
fn answers_and_queues() {
    let error = declarations().hold::<UserCreated>().expect_err("another answer");
    assert_eq!(
        error.to_string(),
        "the type for signal \"user_created\" does not fit its declaration: the answer is a String, the declaration says u64"
    );
    assert_eq!(
        problems(declarations().hold_queue::<Mailer>()),
        ["field email is missing, the declaration says string"]
    );
    assert_eq!(declarations().queue("free").expect("declared").hold(&[Field::of::<u8>("x")]), Ok(()));
    assert_eq!(declarations().hold::<Bare>(), Err(Error::Undeclared { what: "signal", name: "nowhere".to_owned() }));
    assert_eq!(declarations().signal("user_created").expect("declared").answer, Some(TypeName::U64));
}

#[test]
fn a_signal_without_fields_travels_as_an_empty_object() {
    let body = encode_signal(&Started).expect("encoded");
    assert_eq!(&body[..], b"{}");
    assert_eq!(decode::<Started>(&body, CheckMode::Reject).expect("decoded").value, Started);
    let odd = decode::<Started>(b" {\"x\": NaN}", CheckMode::Warn).expect("decoded");
    assert_eq!((odd.unknown, odd.repaired), (vec!["x".to_owned()], true));
    assert!(decode::<Started>(b"{\"x\": 1}", CheckMode::Reject).is_err());
    assert!(decode::<Started>(b"{", CheckMode::Warn).is_err());
}

#[test]
fn a_signal_that_is_no_object_is_refused_on_sending() {
    assert_eq!(&encode_signal(&UserCreated { user_id: 1 }).expect("encoded")[..], b"{\"user_id\":1}");
    let error = encode_signal(&Bare(1)).expect_err("a number").to_string();
    assert_eq!(
        error,
        "cannot encode Bare: a signal's payload is a JSON object, and this is 1: make it a struct with named fields"
    );
}
