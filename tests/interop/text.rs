//! Text and names of any script, both ways.

use formicary::EventKind;
use formicary::prelude::*;
use serde_json::json;

use crate::agents::Listener;
use crate::stage::{Log, SOON, Stage, command, command_line, counted};
use crate::{queues, signals};

const TEXTS: [&str; 6] = [
    "Zoë ☂ 🐜 Привет",
    "\0 \u{1} \n \t \r \u{7f} \u{85}",
    "\" \\ / \\u0041 ' {} [] : #",
    "e\u{301} \u{feff} \u{2028} \u{2029} \u{fffd}",
    "\u{10ffff} \u{e000} 𐍈 👩‍👩‍👧‍👦",
    "",
];

#[actix::test]
async fn text_survives_both_ways() {
    let Some(stage) = Stage::new("text_survives_both_ways").await else { return };
    let (peer, log) = (stage.peer(&["--listen", "said", "--listen", "shown"]).await, Log::default());
    let seen = log.clone();
    let group = stage.group().agent(move || Listener(seen.clone())).start().await.unwrap();
    let sender = "агент 🐜 [*] {a}";

    for text in TEXTS {
        group.bus().publish(sender, &signals::Said { text: text.into() }).await.unwrap();
        command(&peer, json!({"do": "send", "signal": "said", "sender": sender, "args": {"text": text}})).await;
    }
    let wanted: Vec<Value> =
        TEXTS.iter().flat_map(|text| [text, text]).map(|text| json!(["said", sender, text])).collect();
    assert_eq!(log.until(wanted.len()).await, wanted);
    let seen = peer.wait_jsons(wanted.len(), |line| line["saw"] == "said", SOON).await;
    for (line, text) in seen.iter().zip(TEXTS.iter().flat_map(|text| [text, text])) {
        assert_eq!((&line["args"]["text"], &line["sender"]), (&json!(text), &json!(sender)));
    }

    // Keys, and nesting.
    let value = json!({"ключ 🐜": [{"": null}, [["\0"]]]});
    group.bus().publish("rust", &signals::Shown { value: value.clone() }).await.unwrap();
    command(&peer, json!({"do": "send", "signal": "shown", "sender": "py", "args": {"value": value}})).await;
    let shown = peer.wait_jsons(2, |line| line["saw"] == "shown", SOON).await;
    assert!(shown.iter().all(|line| line["args"]["value"] == value), "{shown:?}");
    let lines = log.until(wanted.len() + 2).await;
    assert_eq!(lines[wanted.len()..], [json!(["shown", "rust", value]), json!(["shown", "py", value])]);
    group.stop().await;
}

struct Names(Log);

#[agent(name = "агент 🐜")]
impl Names {
    #[receiver]
    async fn читай(&self, news: signals::Новость, from: SentBy) -> Result<String> {
        self.0.add(json!([from.as_str(), news.текст]));
        Ok(news.текст)
    }

    #[consumer(queues::Почта)]
    async fn письмо(&self, message: Value) {
        self.0.add(message);
    }
}

#[actix::test]
async fn names_may_be_of_any_script() {
    let Some(stage) = Stage::new("names_may_be_of_any_script").await else { return };
    let (peer, log) = (stage.peer(&["--listen", "новость"]).await, Log::default());
    let seen = log.clone();
    let group = stage.group().agent(move || Names(seen.clone())).start().await.unwrap();
    let args = json!({"текст": "да"});
    command(&peer, json!({"do": "send", "signal": "новость", "sender": "змея 🐍", "args": args})).await;
    command(&peer, json!({"do": "queue_send", "queue": "почта 🐜", "message": {"ключ": "ё"}})).await;
    let mut lines = log.until(2).await;
    lines.sort_by_key(ToString::to_string);
    assert_eq!(lines, [json!(["змея 🐍", "да"]), json!({"ключ": "ё"})]);

    let asked = json!({"do": "waiter", "signal": "новость", "sender": "змея", "args": args, "count": 2, "for": 10});
    let answers = command(&peer, asked).await["answers"].clone();
    let of = |key: &str| answers.as_array().unwrap().iter().find_map(|answer| answer.get(key).cloned());
    assert_eq!((of("Names.читай"), of("PyAgent.listen_новость")), (Some(json!("да")), Some(json!(null))));
    group.stop().await;
}

#[actix::test]
async fn half_a_surrogate_from_python_is_counted_and_the_next_signal_arrives() {
    let Some(stage) = Stage::new("half_a_surrogate_from_python_is_counted").await else { return };
    let (peer, log) = (stage.peer(&[]).await, Log::default());
    let seen = log.clone();
    let group = stage.group().agent(move || Listener(seen.clone())).start().await.unwrap();
    // A Python string may hold one, and `json.dumps` writes it; no UTF-8 text can.
    command_line(&peer, r#"{"do": "send", "signal": "said", "sender": "py", "args": {"text": "\ud83d"}}"#).await;
    command(&peer, json!({"do": "send", "signal": "said", "sender": "py", "args": {"text": "whole"}})).await;
    assert_eq!(log.until(1).await, [json!(["said", "py", "whole"])]);
    counted(&group, EventKind::BadInput, 1).await;
    group.stop().await;
}
