use formicary_protocol::Declarations;

use super::write;

fn written(text: &str) -> Result<String, String> {
    let declarations = Declarations::parse(text, "a.json").unwrap();
    write::modules(&declarations, "a.json").map(|tokens| tokens.to_string().replace(' ', ""))
}

#[test]
fn declared_types_become_rust_types() {
    let text = written(
        r#"{"signals": [{"name": "a", "providing_args": {
            "text": "string", "yes": "boolean", "n": "number", "list": "array", "map": "object", "nothing": "null",
            "maybe": ["number", "null"], "either": ["string", "number"], "both": ["string", "number", "null"]
        }, "types": {"n": "f64"}}, {"name": "b", "providing_args": ["any"]}]}"#,
    )
    .unwrap();
    for field in [
        "pubtext:::std::string::String,",
        "pubyes:bool,",
        "pubn:f64,",
        "publist:::std::vec::Vec<::formicary::Value>,",
        "pubmap:::formicary::__private::serde_json::Map<::std::string::String,::formicary::Value>,",
        "#[serde(default)]pubnothing:(),",
        "#[serde(default)]pubmaybe:::core::option::Option<::formicary::Number>,",
        "pubeither:::formicary::Value,",
        "#[serde(default)]pubboth:::formicary::Value,",
        "pubany:::formicary::Value,",
    ] {
        assert!(text.contains(field), "{field}\nis not in\n{text}");
    }
    let (first, second) = text.split_once("structA").unwrap();
    assert!(!first.contains("PartialEq,Eq"), "a float is not Eq:\n{first}");
    assert!(second.contains("PartialEq,Eq"), "without a float there is Eq:\n{second}");
}

#[test]
fn answers_and_queues() {
    let text = written(
        r#"{"signals": [{"name": "count", "providing_args": [], "answer": "u64"}],
            "queues": [{"name": "mailer", "message": {"text": "string"}}, {"name": "raw"}]}"#,
    )
    .unwrap();
    for part in [
        "constNAME:&'staticstr=\"count\";typeAnswer=u64;",
        "constNAME:&'staticstr=\"mailer\";typeMessage=Self;",
        "constNAME:&'staticstr=\"raw\";typeMessage=::formicary::Value;",
        "pubstructRaw;",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

#[test]
fn names_that_collide_are_mistakes() {
    let problem = written(
        r#"{"signals": [{"name": "a_b", "providing_args": ["x-y", "x_y"]}, {"name": "a-b", "providing_args": []}],
            "queues": [{"name": "a_b"}, {"name": "-"}]}"#,
    )
    .unwrap_err();
    assert!(problem.starts_with("\"a.json\" has 3 mistakes:"), "{problem}");
    assert!(problem.contains("would both be the type `AB`"), "{problem}");
    assert!(problem.contains("queue \"-\" has nothing to name a type by"), "{problem}");
    assert!(problem.contains("would both be the field `x_y`"), "{problem}");
}
