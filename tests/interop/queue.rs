//! Queues both ways.

use formicary::EventKind;
use formicary::prelude::*;
use serde_json::json;

use crate::queues;
use crate::stage::{Log, SOON, Stage, command, command_line, counted};

struct Reader(Log);

#[agent]
impl Reader {
    #[consumer]
    async fn read(&self, note: queues::Notes, delivery: Delivery) {
        self.0.add(json!({"text": note.text, "n": note.n, "attempt": delivery.attempt()}));
    }
}

#[actix::test]
async fn each_reads_what_the_other_pushed() {
    let Some(stage) = Stage::new("each_reads_what_the_other_pushed").await else { return };
    let (peer, log) = (stage.peer(&["--consume", "letters"]).await, Log::default());
    let seen = log.clone();
    let group = stage.group().agent(move || Reader(seen.clone())).start().await.unwrap();
    let texts = ["Zoë ☂ 🐜 \0 \u{2028}", "", "\"\\ \n"];
    for text in texts {
        group.broker().send::<queues::Letters>(&queues::Letters { text: text.into(), n: u64::MAX }).await.unwrap();
        let message = json!({"text": text, "n": u64::MAX});
        command(&peer, json!({"do": "queue_send", "queue": "notes", "message": message})).await;
    }
    let ours: Vec<Value> = texts.iter().map(|text| json!({"text": text, "n": u64::MAX, "attempt": 1})).collect();
    assert_eq!(log.until(3).await, ours);
    let taken = peer.wait_jsons(3, |line| line["consumed"] == "letters", SOON).await;
    for (line, text) in taken.iter().zip(texts) {
        assert_eq!(line["message"], json!({"text": text, "n": u64::MAX}));
    }
    counted(&group, EventKind::Consumed, 3).await;
    assert_eq!(group.broker().inspect("notes").await.unwrap().left(), 0);
    assert_eq!(group.events().count(EventKind::DeadLettered), 0);
    group.stop().await;
    assert_eq!(peer.stop().await, 0);
}

#[actix::test]
async fn python_s_length_is_what_waits() {
    let Some(stage) = Stage::new("python_s_length_is_what_waits").await else { return };
    let peer = stage.peer(&[]).await;
    let group = stage.group().start().await.unwrap();
    for n in 0..3 {
        group.broker().send::<queues::Letters>(&queues::Letters { text: "x".into(), n }).await.unwrap();
    }
    command(&peer, json!({"do": "queue_send", "queue": "letters", "message": {"text": "y", "n": 3}})).await;
    assert_eq!(command(&peer, json!({"do": "queue_length", "queue": "letters"})).await["length"], 4);
    assert_eq!(group.broker().inspect("letters").await.unwrap().waiting, 4);
    group.stop().await;
}

#[actix::test]
async fn what_does_not_decode_is_dead_and_the_next_is_read() {
    let Some(stage) = Stage::new("what_does_not_decode_is_dead_and_the_next_is_read").await else { return };
    let (peer, log) = (stage.peer(&[]).await, Log::default());
    let seen = log.clone();
    let group = stage.group().agent(move || Reader(seen.clone())).start().await.unwrap();
    // Python's broker sends any value, and integers of any size.
    for message in
        ["[1, 2]", r#""a""#, r#"{"text": "x"}"#, r#"{"text": "\udc00", "n": 1}"#, r#"{"text": "x", "n": 1e3}"#]
    {
        command_line(&peer, &format!(r#"{{"do": "queue_send", "queue": "notes", "message": {message}}}"#)).await;
    }
    command(&peer, json!({"do": "queue_send", "queue": "notes", "message": {"text": "good", "n": 1, "more": 2}})).await;
    assert_eq!(log.until(1).await, [json!({"text": "good", "n": 1, "attempt": 1})]);
    counted(&group, EventKind::DeadLettered, 5).await;
    counted(&group, EventKind::Consumed, 1).await;
    let counts = group.broker().inspect("notes").await.unwrap();
    assert_eq!((counts.left(), counts.dead), (0, 5));
    assert_eq!(group.events().count(EventKind::Retried), 0);
    group.stop().await;
}
