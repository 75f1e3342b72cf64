//! An agent with every attribute, run from end to end in memory.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which fail by panicking")]

mod blocking;
mod layers;
mod policy;
mod receivers;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use formicary::AgentOptions;
use formicary::prelude::*;
use formicary_test_support::wait::until;

formicary::declare!("signals.json");

#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn has(&self, line: &str) -> bool {
        self.0.lock().unwrap().iter().any(|noted| noted == line)
    }
}

#[derive(serde::Deserialize)]
struct Notes {
    first: String,
}

struct Everything {
    diary: Diary,
    comments: u64,
}

#[agent(name = "everything")]
impl Everything {
    #[on(pre_start)]
    async fn before(&self, notes: Settings<Notes>) {
        self.diary.note(&notes.first);
    }

    #[on(post_start)]
    async fn after(me: Handle<Self>, cx: &Cx, comments: Publish<signals::UserComment>) -> Result {
        let name = cx.agent().to_owned();
        me.with(move |me| me.diary.note(format!("post_start of {name}"))).await?;
        comments.send(&signals::UserComment { user_id: 7 }).await?;
        Ok(())
    }

    #[receiver(timeout = "10s", concurrency = 4, inbox = 16)]
    async fn count(
        &mut self,
        comment: signals::UserComment,
        from: SentBy,
        started: Publish<signals::Started>,
        mailer: Push<queues::Mailer>,
    ) -> Result {
        self.comments += 1;
        self.diary.note(format!("comment of {} from {from}", comment.user_id));
        mailer.send(&queues::Mailer { text: "Comment".into(), email: "user@example.org".into() }).await?;
        started.send(&signals::Started {}).await?;
        Ok(())
    }

    #[receiver(signals::Started, signals::UserCreated)]
    async fn either(&self, value: AnySignal, tasks: Tasks) -> Result {
        let diary = self.diary.clone();
        tasks.spawn_detached("note", async move { diary.note(format!("value {}", value.signal)) })?;
        Ok(())
    }

    #[receiver]
    async fn rpc_count(&self, _ask: signals::RpcCommentsCount) -> Result<u64> {
        Ok(self.comments)
    }

    #[consumer(timeout = "30s", concurrency = 8)]
    async fn deliver(&self, mail: queues::Mailer, delivery: Delivery) {
        self.diary.note(format!("mail {} {}", mail.text, delivery.attempt()));
    }

    #[periodic("20ms", start_after = "50ms", overlap = "skip")]
    async fn ask(&self, counts: Call<signals::RpcCommentsCount>) -> Result {
        let count = counts.first(&signals::RpcCommentsCount { user_id: 7 }).await?;
        self.diary.note(format!("count {count}"));
        Ok(())
    }

    #[cron("0 0 29 2 *", timezone = "Europe/Berlin")]
    async fn leap(&self) {}

    #[server]
    async fn serve(me: Handle<Self>, cx: &Cx) -> Result {
        let run = async |_: &mut ()| me.with(|me| me.diary.note("server runs")).await;
        Repeater::new("notes").every(Duration::from_millis(5)).run(cx, run).await;
        me.with(|me| me.diary.note("server ends")).await?;
        Ok(())
    }

    #[on(pre_stop, timeout = "1s")]
    async fn last(&mut self) {
        self.diary.note("pre_stop");
    }
}

#[actix::test]
async fn every_attribute_does_what_it_says() {
    let diary = Diary::default();
    let noted = diary.clone();
    let factory = move || Everything { diary: noted.clone(), comments: 0 };
    let options = AgentOptions::new().settings(serde_json::json!({"first": "pre_start"}));
    let group = Group::builder().declarations(declarations()).agent_with(options, factory).start().await.unwrap();
    let soon = ["server runs", "comment of 7 from everything", "value started", "mail Comment 1", "count 1"];
    until(Duration::from_secs(10), "all handlers", async || soon.iter().all(|line| diary.has(line))).await;
    let info = group.info().await.agents.remove(0).info;
    assert_eq!((info.receivers.len(), info.consumers.len(), info.servers.len()), (3, 1, 1), "{info}");
    assert!(info.outputs.iter().any(|output| output.handler == "count" && output.name == "mailer"), "{info}");
    assert_eq!(group.stop().await.code(), 0);
    for line in ["pre_start", "post_start of everything", "server ends", "pre_stop"] {
        assert!(diary.has(line), "{line:?} is missing in {diary:?}", diary = diary.0.lock().unwrap());
    }
}

#[actix::test]
async fn a_handler_is_a_plain_method_and_recorders_stand_in() {
    let mut agent = Everything { diary: Diary::default(), comments: 0 };
    let (started, starts) = Publish::<signals::Started>::recording();
    let (mailer, mails) = Push::<queues::Mailer>::recording();
    agent.count(signals::UserComment { user_id: 1 }, SentBy::new("test"), started, mailer).await.unwrap();
    assert_eq!((agent.comments, starts.sent().len()), (1, 1));
    assert_eq!(mails.sent()[0].text, "Comment");
    let (counts, asked) = Call::<signals::RpcCommentsCount>::recording();
    asked.answer(5);
    agent.ask(counts).await.unwrap();
    assert!(agent.diary.has("count 5"));
    assert_eq!(asked.sent()[0].user_id, 7);
}
