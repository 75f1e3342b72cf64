use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::decode;

#[derive(Debug, PartialEq, Deserialize)]
struct Mail {
    smtp: Smtp,
    #[serde(default)]
    retries: Vec<u32>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    routes: BTreeMap<u16, String>,
    nick: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Smtp {
    host: String,
    port: u16,
    #[serde(default, alias = "pass")]
    password: Password,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Plain,
    Tls {
        name: String,
    },
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
struct Password(String);

impl TryFrom<String> for Password {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "swordfish" => Err(format!("{text} is too well known")),
            "short" => Err("a password has eight letters".to_owned()),
            _ => Ok(Self(text)),
        }
    }
}

fn problems(settings: &Value) -> Vec<String> {
    decode::<Mail>(settings).map(|mail| panic!("{settings} decodes: {mail:?}")).unwrap_err()
}

/// Good settings with one place changed.
fn with(pointer: &str, value: Value) -> Value {
    let mut settings = json!({"smtp": {"host": "h", "port": 25}, "retries": [1], "mode": "plain", "routes": {}});
    *settings.pointer_mut(pointer).unwrap() = value;
    settings
}

#[test]
fn what_fits_is_decoded() {
    let settings = json!({
        "smtp": {"host": "h", "port": 25, "pass": "secret"},
        "mode": {"tls": {"name": "n"}}, "routes": {"7": "seven"}, "nick": null, "retries": [1, 2],
    });
    let mail: Mail = decode(&settings).unwrap();
    let smtp = Smtp { host: "h".into(), port: 25, password: Password("secret".into()) };
    let mode = Mode::Tls { name: "n".into() };
    let routes = BTreeMap::from([(7, "seven".to_owned())]);
    assert_eq!(mail, Mail { smtp, retries: vec![1, 2], mode, routes, nick: None });
    assert_eq!(decode::<f64>(&json!(3)), Ok(3.0));
    assert_eq!(decode::<i64>(&json!(-3)), Ok(-3));
    assert_eq!(decode::<(u8, bool)>(&json!([1, true])), Ok((1, true)));
    assert_eq!(decode::<Value>(&settings), Ok(settings));
}

#[test]
fn a_misfit_names_its_key_what_was_expected_and_what_was_found() {
    for (pointer, value, said) in [
        ("/smtp/port", json!("hunter2"), "setting `smtp.port`: expected u16, found a string"),
        ("/smtp/port", json!(70_000), "setting `smtp.port`: expected u16, found an integer that is none"),
        ("/smtp/port", json!(null), "setting `smtp.port`: expected u16, found null"),
        ("/smtp/host", json!(["hunter2"]), "setting `smtp.host`: expected a string, found an array"),
        ("/smtp", json!(["h", 1]), "setting `smtp`: expected struct Smtp, found an array"),
        ("/retries/0", json!(true), "setting `retries[0]`: expected u32, found a boolean"),
        ("/retries", json!({"hunter2": 1}), "setting `retries`: expected a sequence, found an object"),
        ("/mode", json!("hunter2"), "setting `mode`: expected one of `plain`, `tls`, found another word"),
        ("/mode", json!({"tls": {}}), "setting `mode.tls.name` is missing"),
        ("/routes", json!({"seven": "7"}), "setting `routes`: expected u16, found a string"),
    ] {
        assert_eq!(problems(&with(pointer, value)), [said]);
    }
    assert_eq!(decode::<(u8,)>(&json!([1, 2])).unwrap_err(), ["the settings: expected fewer, found a length of 2"]);
}

#[test]
fn a_missing_and_an_unknown_key_are_told_together() {
    let settings = json!({"smtp": {"hots": "h", "port": 25, "x": {"y": 1}}, "Retries": []});
    assert_eq!(
        problems(&settings),
        [
            "setting `smtp.host` is missing",
            "setting `Retries` is unknown: did you mean `retries`?",
            "setting `smtp.hots` is unknown: did you mean `host`?",
            "setting `smtp.x` is unknown: known here: `host`, `port`, `pass`, `password`",
        ]
    );
    let settings = json!({"smtp": {"host": "h", "port": 25}, "Retries": []});
    assert_eq!(problems(&settings), ["setting `Retries` is unknown: did you mean `retries`?"]);
}

#[test]
fn what_a_type_says_is_shown_unless_it_repeats_the_value() {
    let mut settings = with("/smtp", json!({"host": "h", "port": 25, "password": "short"}));
    assert_eq!(problems(&settings), ["setting `smtp.password`: a password has eight letters"]);
    settings["smtp"]["password"] = json!("swordfish");
    let said = problems(&settings);
    assert!(said[0].starts_with("setting `smtp.password`: its type refuses the value"), "{said:?}");
    assert!(!said[0].contains("fish"), "{said:?}");
}

#[test]
fn no_settings_are_the_defaults_or_name_what_is_missing() {
    assert_eq!(problems(&Value::Null), ["setting `smtp` is missing"]);
    assert_eq!(decode::<Option<Smtp>>(&Value::Null), Ok(None));
    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Defaults {
        n: u64,
    }
    assert_eq!(decode::<Defaults>(&Value::Null), Ok(Defaults::default()));
    #[derive(Debug, PartialEq, Deserialize)]
    struct Rest {
        n: u64,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }
    assert_eq!(decode::<Rest>(&json!({"n": 1, "more": 2})).unwrap().rest.len(), 1);
}

#[test]
fn odd_keys_are_escaped_and_cut_short() {
    let key = format!("new\nline{}", "x".repeat(500));
    let said = problems(&json!({"smtp": {"host": "h", "port": 1, key: 1}})).join("");
    assert!(said.contains("new\\nline") && said.len() < 250, "{said}");
}
