//! The agent of the documentation, with one handler of each kind.
use std::collections::HashMap;

use formicary::prelude::*;

formicary::declare!("signals.json");

#[derive(serde::Deserialize)]
struct Mail {
    text: String,
}

#[derive(Default)]
struct CommentAgent {
    counts: HashMap<u64, u64>,
}

#[agent(name = "comments")]
impl CommentAgent {
    #[on(pre_start, timeout = "5s")]
    async fn setup(&mut self, cx: &Cx) -> Result {
        let _ = cx.agent();
        self.plain();
        Ok(())
    }

    #[on(pre_stop)]
    async fn flush(&self) {}

    #[on(post_start)]
    async fn started(me: Handle<Self>, started: Publish<signals::Started>) -> Result {
        let _ = me.with(|agent| agent.counts.len());
        started.send(&signals::Started {}).await?;
        Ok(())
    }

    #[receiver(timeout = "10s", concurrency = 8, inbox = 100)]
    async fn count(&mut self, comment: signals::UserComment, from: SentBy, mailer: Push<queues::Mailer>) -> Result {
        *self.counts.entry(comment.user_id).or_default() += 1;
        let mail = queues::Mailer { text: format!("Comment by {from:?}"), email: "user@example.org".into() };
        mailer.send(&mail).await?;
        Ok(())
    }

    #[receiver]
    async fn rpc_count(&self, ask: signals::RpcCommentsCount) -> Result<u64> {
        Ok(self.counts.get(&ask.user_id).copied().unwrap_or(0))
    }

    #[receiver]
    async fn ask(&self, comment: signals::UserComment, counts: Call<signals::RpcCommentsCount>) -> Result {
        let count: u64 = counts.first(&signals::RpcCommentsCount { user_id: comment.user_id }).await?;
        let _ = count;
        Ok(())
    }

    #[receiver(signals::Started, signals::UserCreated)]
    async fn log(&self, signal: AnySignal) {
        let _ = signal.signal;
    }

    #[consumer(queues::Mailer, timeout = "30s", concurrency = 8)]
    async fn deliver(&self, mail: Mail, _delivery: Delivery) -> Result<(), String> {
        if mail.text.is_empty() { Err("no text".to_owned()) } else { Ok(()) }
    }

    #[formicary::consumer]
    async fn again(&mut self, mail: queues::Mailer) -> Result<(), std::io::Error> {
        let _ = mail.email;
        Ok(())
    }

    #[periodic("15s", timeout = "10s", start_after = "3s", overlap = "queue")]
    async fn refresh(&self, comments: Publish<signals::UserComment>) -> Result {
        comments.send(&signals::UserComment { user_id: 1 }).await?;
        Ok(())
    }

    #[cron("0 */4 * * *", timezone = "Europe/Berlin", timeout = "60s")]
    async fn report(&mut self, _mailer: Push<queues::Mailer>) -> Result {
        Ok(())
    }

    #[server]
    async fn http(_me: Handle<Self>, cx: &Cx) -> Result {
        let _ = cx.agent();
        std::future::pending::<()>().await;
        Ok(())
    }

    fn plain(&self) {}
}

fn is_agent<A: Agent>() {}

fn main() {
    is_agent::<CommentAgent>();
    assert!(declarations().signal("user_comment").is_some());
}
