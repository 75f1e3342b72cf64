//! Blocking handlers run on the pool, and reach the cluster from there.

use std::sync::Mutex;
use std::time::Duration;

use formicary::block_on;
use formicary::prelude::*;
use formicary_test_support::wait::until;

use crate::{declarations, queues, signals};

static NOTED: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Notes a line, and the thread on which it was written.
fn note(line: String) {
    let thread = std::thread::current().name().unwrap_or_default().to_owned();
    NOTED.lock().unwrap().push((line, thread));
}

/// What a message is decoded into here: a part of it.
#[derive(serde::Deserialize)]
struct Text {
    text: String,
}

#[derive(Default)]
struct Worker;

#[agent]
impl Worker {
    #[periodic("20ms", blocking)]
    fn ask(counts: Call<signals::RpcCommentsCount>, created: Publish<signals::UserCreated>) -> Result {
        let user_id = block_on(counts.first(&signals::RpcCommentsCount { user_id: 6 }))?;
        block_on(created.send(&signals::UserCreated { user_id }))?;
        Ok(())
    }

    #[receiver(blocking, timeout = "10s", concurrency = 2)]
    fn answer(ask: signals::RpcCommentsCount) -> Result<u64> {
        note("asked".into());
        Ok(ask.user_id + 1)
    }

    #[receiver(signals::Started, signals::UserCreated, blocking)]
    fn either(value: AnySignal, cx: &Cx, from: SentBy, mailer: Push<queues::Mailer>) -> Result {
        note(format!("{} of {from} at {}", value.signal, cx.agent()));
        let text = format!("user {}", value.arguments["user_id"]);
        block_on(mailer.send(&queues::Mailer { text, email: "user@example.org".into() }))?;
        Ok(())
    }

    #[consumer(queues::Mailer, blocking)]
    fn deliver(mail: Text, delivery: Delivery) {
        note(format!("mail for {}, attempt {}", mail.text, delivery.attempt()));
    }

    #[cron("0 0 29 2 *", blocking, timezone = "Europe/Berlin")]
    fn leap() {}
}

#[actix::test]
async fn blocking_handlers_run_on_the_pool() {
    let group = Group::builder().declarations(declarations()).agent(Worker::default).start().await.unwrap();
    let soon = ["asked", "user_created of worker at worker", "mail for user 7, attempt 1"];
    let has = |line: &str| NOTED.lock().unwrap().iter().any(|(noted, _)| noted == line);
    until(Duration::from_secs(10), "all handlers", async || soon.iter().all(|line| has(line))).await;
    let info = group.info().await.agents.remove(0).info;
    let handlers = info.receivers.iter().map(|receiver| receiver.handler.name.as_str());
    assert_eq!(handlers.collect::<Vec<_>>(), ["answer", "either"], "{info}");
    assert_eq!(group.stop().await.code(), 0);
    let noted = NOTED.lock().unwrap();
    let elsewhere: Vec<_> = noted.iter().filter(|(_, thread)| thread != "formicary-blocking").collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

#[test]
fn a_blocking_handler_is_a_plain_function_and_recorders_stand_in() {
    let (counts, asked) = Call::<signals::RpcCommentsCount>::recording();
    let (created, creations) = Publish::<signals::UserCreated>::recording();
    asked.answer(5);
    Worker::ask(counts, created).unwrap();
    assert_eq!(creations.sent()[0].user_id, 5);
}
