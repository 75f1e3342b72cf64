//! Numbers: exact integers, floats, and how they compare.

use std::collections::HashMap;

use formicary_protocol::{Number, Value};

fn number(text: &str) -> Number {
    serde_json::from_str(text).expect("a number")
}

#[test]
fn integers_of_64_bits_are_exact() {
    for text in ["0", "18446744073709551615", "-9223372036854775808", "9007199254740993"] {
        assert_eq!(serde_json::to_string(&number(text)).expect("json"), text);
    }
    assert_eq!(number("18446744073709551615").as_u64(), Some(u64::MAX));
    assert_eq!(number("-1").as_u64(), None);
    assert_eq!(number("-1").as_i64(), Some(-1));
    assert_eq!(number("12345678901234567890123").as_u64(), None);
    assert_eq!(number("12345678901234567890123").as_f64(), 1.2345678901234568e22);
    assert_eq!(number("1.5").as_i64(), None);
}

#[test]
fn floats_keep_their_point() {
    for text in ["1.0", "1.5", "1e-7", "1e100"] {
        assert_eq!(
            serde_json::to_value(number(text)).expect("json"),
            serde_json::from_str::<Value>(text).expect("json")
        );
    }
}

#[test]
fn other_values_are_refused() {
    for text in ["true", "\"1\"", "null", "[1]", "{}"] {
        assert!(serde_json::from_str::<Number>(text).is_err(), "{text} was taken");
    }
}

#[test]
fn equal_numbers_hash_alike_and_order_is_by_value() {
    let mut counts = HashMap::new();
    counts.insert(number("1"), "one");
    assert_eq!(counts.get(&number("1.0")), Some(&"one"));
    assert_eq!(number("0"), number("-0.0"));
    assert_eq!(Number::from(5_i8), Number::from(5_u64));

    let sorted = [
        "-1e300",
        "-9223372036854775808",
        "-1.5",
        "-1",
        "0.5",
        "1",
        "9007199254740992.0",
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
        "1e300",
    ];
    let mut numbers: Vec<Number> = sorted.iter().rev().map(|text| number(text)).collect();
    numbers.sort();
    assert_eq!(numbers, sorted.iter().map(|text| number(text)).collect::<Vec<_>>());
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
}
