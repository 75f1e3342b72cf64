//! Names that are no identifiers, every type, and documentation for all of it.
#![deny(warnings, missing_docs)]

use formicary::{Number, Queue, Signal, Value};

formicary::declare!("names.json");

fn main() {
    let made = signals::UserCreatedV2 { user_id: Value::Null, r#type: Value::Null, _self: Value::Null };
    let text = serde_json::to_string(&made).unwrap();
    assert_eq!(text, r#"{"user-id":null,"type":null,"self":null}"#);

    let text = r#"{"some":"x","either":1,"map":{},"list":[1,"a"]}"#;
    let read: signals::_Self = serde_json::from_str(text).unwrap();
    let maybe: Option<Number> = read.maybe;
    assert_eq!((maybe, read.list.len(), read.map.len()), (None, 2, 0));
    assert_eq!(<signals::_Self as Signal>::NAME, "self");

    let weighed = signals::Weighed { kilos: 1.5 };
    assert_eq!(weighed.clone(), weighed);
    let _: <signals::Weighed as Signal>::Answer = true;

    let _ = queues::TagMailer;
    assert!(<queues::TagMailer as Queue>::fields().is_none());
    let _: <queues::TagMailer as Queue>::Message = Value::Null;
    assert_eq!(<queues::Jobs as Queue>::fields().map(|fields| fields.len()), Some(1));
    assert_eq!(queues::Jobs::default(), queues::Jobs { r#loop: None });
    assert_eq!(declarations().signals().count(), 3);
}
