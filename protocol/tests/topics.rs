//! Topics and patterns, against models that try every way.

use formicary_protocol::topic::MAX_TOPIC;
use formicary_protocol::{Declarations, check_topic, pattern_matches, topic_matches};
use proptest::prelude::*;

/// Whether a pattern holds these parts, tried in every way.
fn holds<T: PartialEq>(pattern: &[T], parts: &[T], any: &T, run: &T) -> bool {
    match pattern.split_first() {
        None => parts.is_empty(),
        Some((first, rest)) if first == run => (0..=parts.len()).any(|held| holds(rest, &parts[held..], any, run)),
        Some((first, rest)) => match parts.split_first() {
            Some((part, others)) => (first == any || first == part) && holds(rest, others, any, run),
            None => false,
        },
    }
}

fn words(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split('.').collect() }
}

proptest! {
    #[test]
    fn a_topic_is_held_as_the_model_says(pattern in "([a-b]|\\*|#|\\.){0,12}", topic in "([a-b]|\\.){0,12}") {
        prop_assert_eq!(topic_matches(&pattern, &topic), holds(&words(&pattern), &words(&topic), &"*", &"#"));
    }

    #[test]
    fn whole_words_are_held_as_the_model_says(
        pattern in prop::collection::vec(prop::sample::select(vec!["a", "b", "*", "#"]), 1..8),
        topic in prop::collection::vec(prop::sample::select(vec!["a", "b", ""]), 2..8),
    ) {
        let found = topic_matches(&pattern.join("."), &topic.join("."));
        prop_assert_eq!(found, holds(&pattern, &topic, &"*", &"#"));
    }

    #[test]
    fn a_name_is_matched_as_the_model_says(pattern in "[aé?*]{0,10}", name in "[aé]{0,10}") {
        let (parts, letters): (Vec<_>, Vec<_>) = (pattern.chars().collect(), name.chars().collect());
        prop_assert_eq!(pattern_matches(&pattern, &name), holds(&parts, &letters, &'?', &'*'));
    }
}

#[test]
fn topics_as_rabbitmq_has_them() {
    for (pattern, topic) in [
        ("#", ""),
        ("#", "a.b"),
        ("a.#", "a"),
        ("#.a.#", "b.a.c"),
        ("*.created", "user.created"),
        ("#.#", ""),
        ("a..b", "a..b"),
        ("*", "é"),
    ] {
        assert!(topic_matches(pattern, topic), "{pattern:?} and {topic:?}");
    }
    for (pattern, topic) in [("*", ""), ("a.*", "a"), ("*.created", "a.b.created"), ("user*", "users"), ("", "a")] {
        assert!(!topic_matches(pattern, topic), "{pattern:?} and {topic:?}");
    }
}

#[test]
fn no_pattern_takes_long() {
    let (pattern, name) = ("a*".repeat(120), "a".repeat(119) + &"b".repeat(100_000));
    let begun = std::time::Instant::now();
    assert!(!pattern_matches(&pattern, &name));
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_topic_is_as_long_as_the_wire_can_carry() {
    assert_eq!(check_topic(&"t".repeat(MAX_TOPIC)), Ok(()));
    assert!(check_topic(&"t".repeat(MAX_TOPIC + 1)).is_err());
    let text = format!(r##"{{"queues": [{{"name": "a", "exchange": "e", "topics": ["#", "{}"]}}]}}"##, "t".repeat(256));
    let error = Declarations::parse(&text, "test").expect_err("too long").to_string();
    assert!(error.contains("queues[0].topics[1]: the topic") && error.contains("at most 255"), "{error}");
}

const TOPIC: &str = r#"{"name": "audit", "exchange": "events", "topics": ["a"]}"#;
const FAN_OUT: &str = r#"{"name": "log", "exchange": "events"}"#;
const SAYS: &str =
    "the queues \"audit\" and \"log\" are bound to the exchange \"events\", one with topics and one without";

#[test]
fn the_queues_of_an_exchange_agree_on_what_it_is() {
    let text = format!(r#"{{"queues": [{FAN_OUT}, {TOPIC}, {{"name": "more", "exchange": "events"}}]}}"#);
    let error = Declarations::parse(&text, "test").expect_err("they disagree").to_string();
    assert!(error.contains(SAYS) && error.matches("bound to").count() == 1, "{error}");

    let mut declarations = Declarations::parse(&format!(r#"{{"queues": [{TOPIC}]}}"#), "test").expect("right");
    let before = declarations.clone();
    let other = Declarations::parse(&format!(r#"{{"queues": [{FAN_OUT}]}}"#), "other").expect("right");
    let error = declarations.merge(other).expect_err("they disagree").to_string();
    assert!(error.contains(SAYS), "{error}");
    assert_eq!(declarations, before);
}

#[test]
fn a_queue_takes_what_its_exchange_gives_it() {
    let text = format!(r#"{{"queues": [{TOPIC}, {{"name": "plain"}}, {{"name": "all", "exchange": "fan"}}]}}"#);
    let declarations = Declarations::parse(&text, "test").expect("right");
    let takers = |topic: &str| -> Vec<_> {
        declarations.queues().filter(|queue| queue.takes(topic)).map(|queue| queue.name.clone()).collect()
    };
    assert_eq!(takers("a"), ["all", "audit"]);
    assert_eq!(takers("b"), ["all"]);
    assert_eq!(declarations.bound_to("events").count(), 1);
}
