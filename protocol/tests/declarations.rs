//! Documents of declarations: what is read, every mistake at its place, and any bytes.

use formicary_protocol::{Argument, Declarations, Error, Prefix, TypeName, Types};
use proptest::prelude::*;

const OWN: &str = include_str!("../../signals.json");

fn parse(text: &str) -> Declarations {
    Declarations::parse(text, "signals.json").expect("declarations")
}

/// The mistakes in a document, one by one.
fn problems(text: &str) -> Vec<String> {
    match Declarations::parse(text, "signals.json") {
        Err(Error::Declarations { document, problems }) => {
            assert_eq!(document, "signals.json");
            problems
        }
        other => panic!("expected mistakes, found {other:?}"),
    }
}

fn argument(name: &str, names: &[TypeName]) -> Argument {
    let types = if names.is_empty() { Types::Any } else { Types::one_of(names) };
    Argument { name: name.to_owned(), types }
}

#[test]
fn the_project_s_own_document() {
    let own = parse(OWN);
    let names: Vec<_> = own.signals().map(|signal| signal.name.as_str()).collect();
    assert_eq!(names, ["comment_created", "rpc_comments_count", "started", "user_comment", "user_created"]);
    let count = own.signal("rpc_comments_count").expect("declared");
    assert_eq!(count.arguments, [argument("user_id", &[TypeName::U64])]);
    assert_eq!(count.answer, Some(TypeName::U64));
    let created = own.signal("comment_created").expect("declared");
    let expected =
        [argument("comment_id", &[TypeName::Number, TypeName::Null]), argument("user_id", &[TypeName::Number])];
    assert_eq!(created.arguments, expected);
    let mailer = own.queue("mailer").expect("declared");
    let fields = vec![argument("text", &[TypeName::String]), argument("email", &[TypeName::String])];
    assert_eq!(mailer.message, Some(fields));
    assert_eq!((mailer.exchange.as_deref(), own.default_prefix()), (None, None));
}

#[test]
fn the_document_of_python() {
    let python = parse(
        r#"{
            "version": 2, "default_prefix": "MYAPP", "jsonlib": "json", "other": {},
            "signals": [
                {"name": "started", "providing_args": [], "comment": "x"},
                {"name": "typed", "providing_args": {"uuid": "string", "code": ["number", "null"], "flag": "boolean", "ids": "array"}}
            ],
            "queues": [
                {"name": "mailer"},
                {"name": "ios", "exchange": "push"},
                {"name": "audit", "exchange": "events", "topics": ["*.created"]},
                {"name": "plain", "exchange": "", "topics": []}
            ]
        }"#,
    );
    assert_eq!(python.default_prefix().map(Prefix::as_str), Some("MYAPP"));
    let names: Vec<_> = python.signal("typed").expect("declared").arguments.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["uuid", "code", "flag", "ids"]);
    assert_eq!(python.queue("audit").expect("declared").topics, ["*.created"]);
    assert_eq!(python.queue("plain").expect("declared").exchange, None);
    assert_eq!(parse("{}"), Declarations::default());
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let found = problems(
        r#"{
            "default_prefix": "a:b",
            "signals": [
                {"name": "ok", "providing_args": ["a"]},
                {"name": "a:b", "providing_args": []},
                {"name": "no_args"},
                {"name": "typed", "providing_args": {"code": "numbr", "id": "u64", "none": []}},
                {"name": "response", "providing_args": ["a", "a", 1]},
                {"name": "refined", "providing_args": {"a": "string"}, "types": {"a": "u64", "b": "u8"}, "answer": ["u64"]},
                7,
                {"providing_args": 1},
                {"name": "ok", "providing_args": ["b"]}
            ],
            "queues": [
                {"name": "q", "topics": ["a.*"]},
                {"name": "", "exchange": 1, "message": {"a": "strin"}},
                {"name": "twice", "name": "twice"}
            ]
        }"#,
    );
    let expected = [
        "default_prefix: the prefix \"a:b\" holds ':', which a channel name cannot carry: leave it out",
        "signals[1].name: the signal name \"a:b\" holds ':', which a channel name cannot carry: leave it out",
        "signals[2].providing_args: missing: list the arguments, or write [] for none",
        "signals[3].providing_args.code: unknown type \"numbr\", one of string, number, object, array, boolean, null",
        "signals[3].providing_args.id: unknown type \"u64\", one of string, number, object, array, boolean, null; \
         Python does not know it here, so put it into `types`",
        "signals[3].providing_args.none: an empty list allows nothing: name at least one type",
        "signals[4].name: the signal name \"response\" is reserved for the answers to calls: choose another name",
        "signals[4].providing_args[1]: \"a\" is listed twice: remove one",
        "signals[4].providing_args[2]: expected a string, found a number",
        "signals[5].types.a: u64 contradicts `providing_args`, which says string",
        "signals[5].types.b: is not one of `providing_args`: add it there, or remove it here",
        "signals[5].answer: expected the name of a type, found a list",
        "signals[6]: expected an object, found a number",
        "signals[7].name: missing: every entry needs a name",
        "signals[7].providing_args: expected a list of names, or an object of names and types, found a number",
        "signals[8]: signal \"ok\" is declared twice, as {\"name\": \"ok\", \"providing_args\": [\"a\"]} and as \
         {\"name\": \"ok\", \"providing_args\": [\"b\"]}: remove one, or make them equal",
        "queues[0].topics: topics need an exchange: add `exchange`, or remove `topics`",
        "queues[1].name: the queue name \"\" is empty: give it at least one character",
        "queues[1].exchange: expected a string, found a number",
        "queues[1].message.a: unknown type \"strin\", one of string, number, object, array, boolean, null, u8, u16, \
         u32, u64, i8, i16, i32, i64, f32, f64",
        "queues[2].name: stands twice: remove one",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_is_no_document() {
    assert_eq!(problems("[]"), ["expected an object with `signals` and `queues`, found a list"]);
    assert_eq!(problems("{\"signals\": 1}"), ["signals: expected a list, found a number"]);
    assert!(problems("{\"signals\": [}")[0].starts_with("not JSON: expected value at line 1 column 14"));
    let error = Declarations::parse("", "signals.json").expect_err("empty").to_string();
    assert_eq!(error, "signals.json: not JSON: EOF while parsing a value at line 1 column 0");
}

#[test]
fn equal_declarations_merge() {
    let mut merged =
        parse(r#"{"signals": [{"name": "s", "providing_args": {"a": "string", "b": ["null", "number"]}}]}"#);
    let other = r#"{
        "default_prefix": "MYAPP",
        "signals": [{"name": "s", "providing_args": {"b": ["number", "null"], "a": "string"}}, {"name": "t", "providing_args": []}],
        "queues": [{"name": "q"}]
    }"#;
    merged.merge(parse(other)).expect("they agree");
    merged.merge(parse(other)).expect("twice the same");
    merged.merge(parse("{}")).expect("nothing new");
    assert_eq!((merged.signals().count(), merged.queues().count()), (2, 1));
    assert_eq!(merged.default_prefix().map(Prefix::as_str), Some("MYAPP"));
}

#[test]
fn contradictions_show_both_sides_and_change_nothing() {
    let mut merged = parse(
        r#"{"default_prefix": "A", "signals": [{"name": "s", "providing_args": ["x"], "answer": "u64"}],
            "queues": [{"name": "q", "exchange": "e", "topics": ["t.*"]}]}"#,
    );
    let before = merged.clone();
    let error = merged
        .merge(parse(
            r#"{"default_prefix": "B",
                "signals": [{"name": "new", "providing_args": []}, {"name": "s", "providing_args": {"x": ["number", "null"]}}],
                "queues": [{"name": "q", "message": {"text": "string"}}]}"#,
        ))
        .expect_err("they differ");
    assert_eq!(merged, before);
    assert_eq!(
        error.to_string(),
        "the declarations contradict each other: 3 problems\n  \
         default_prefix is \"A\" and \"B\"\n  \
         signal \"s\" is declared twice, as {\"name\": \"s\", \"providing_args\": [\"x\"], \"answer\": \"u64\"} \
         and as {\"name\": \"s\", \"providing_args\": {\"x\": [\"number\", \"null\"]}}: remove one, or make them equal\n  \
         queue \"q\" is declared twice, as {\"name\": \"q\", \"exchange\": \"e\", \"topics\": [\"t.*\"]} \
         and as {\"name\": \"q\", \"message\": {\"text\": \"string\"}}: remove one, or make them equal"
    );
}

#[test]
fn another_answer_exchange_or_message_is_a_contradiction() {
    let signal = |answer| format!(r#"{{"signals": [{{"name": "s", "providing_args": [] {answer}}}]}}"#);
    let queue = |more| format!(r#"{{"queues": [{{"name": "q" {more}}}]}}"#);
    let pairs = [
        (signal(""), signal(r#", "answer": "u64""#)),
        (queue(""), queue(r#", "exchange": "e""#)),
        (queue(r#", "exchange": "e""#), queue(r#", "exchange": "e", "topics": ["t"]"#)),
        (queue(""), queue(r#", "message": {}"#)),
    ];
    for (left, right) in pairs {
        assert!(parse(&left).merge(parse(&right)).is_err(), "{left} and {right} merged");
    }
}

/// A document made of the words that the reader looks for, in places where they may not belong.
fn nearly_a_document() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "signals",
        "queues",
        "default_prefix",
        "name",
        "providing_args",
        "types",
        "answer",
        "message",
        "exchange",
        "topics",
        "string",
        "u64",
        "response",
        "a:b",
        "",
        "\u{7f}",
    ]);
    let leaf = prop_oneof![
        name.clone().prop_map(|name| format!("{name:?}").replace("\\u{7f}", "\\u007f")),
        Just("1".to_owned()),
        Just("null".to_owned()),
    ];
    let inner = leaf.prop_recursive(5, 40, 6, move |inner| {
        let key = name.clone().prop_map(|name| format!("{name:?}").replace("\\u{7f}", "\\u007f"));
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|nodes| format!("[{}]", nodes.join(","))),
            prop::collection::vec((key, inner), 0..6).prop_map(|entries| {
                let entries: Vec<_> = entries.into_iter().map(|(key, node)| format!("{key}:{node}")).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    });
    (inner.clone(), inner).prop_map(|(signals, queues)| format!(r#"{{"signals": [{signals}], "queues": [{queues}]}}"#))
}

fn signal_entry() -> impl Strategy<Value = String> {
    let types = prop::sample::select(vec!["\"string\"", "\"number\"", "[\"number\", \"null\"]", "\"array\""]);
    let arguments = prop::collection::btree_map("[a-z]{1,6}", types, 0..5).prop_map(|arguments| {
        let entries: Vec<_> = arguments.into_iter().map(|(name, types)| format!("{name:?}: {types}")).collect();
        format!("{{{}}}", entries.join(", "))
    });
    let answer = prop::option::of(prop::sample::select(TypeName::ALL.to_vec()));
    ("[a-z_]{1,8}", arguments, answer).prop_map(|(name, arguments, answer)| {
        let answer = answer.map_or(String::new(), |answer| format!(r#", "answer": "{answer}""#));
        format!(r#"{{"name": "{name}", "providing_args": {arguments}{answer}}}"#)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in ".*") {
        let _ = Declarations::parse(&text, "any");
    }

    #[test]
    fn anything_like_a_document(text in nearly_a_document()) {
        if let Err(error) = Declarations::parse(&text, "any") {
            prop_assert!(!error.to_string().contains("not JSON"), "{error}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read_again(entry in signal_entry()) {
        let document = |entry: &str| format!(r#"{{"signals": [{entry}]}}"#);
        let read = parse(&document(&entry));
        let shown = read.signals().next().expect("one signal").to_string();
        prop_assert_eq!(parse(&document(&shown)), read.clone());
        let mut merged = read.clone();
        prop_assert_eq!(merged.merge(read), Ok(()));
    }
}
