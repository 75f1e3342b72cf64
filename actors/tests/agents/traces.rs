use formicary_actors::HandlerError;
use formicary_actors::agent::{Agent, AgentBuilder, Delivery, Handle};
use formicary_actors::events::EventKind;
use formicary_actors::group::AgentOptions;

use super::common::*;
use super::logs::{self, Fields};

struct Traced;

impl Agent for Traced {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("hear", async |_: &Self, ping: Ping, ()| {
            tokio::task::yield_now().await;
            tracing::info!(n = ping.n, "traced: heard");
        });
        agent.receiver("fail", async |_: &Self, _: Ask, ()| Err::<u64, _>(HandlerError::from("no such user")));
        agent.consumer::<Job, _, _, _, _>("work", async |_: &Self, job: Job, delivery: Delivery| {
            assert!(job.n != 7 || delivery.attempt() > 1, "seven");
        });
        agent.blocking_receiver("compute", |pong: Pong, ()| tracing::info!(n = pong.n, "traced: computed"));
    }
}

/// The runs of a handler of this agent, without their ids.
fn of(agent: &str, handler: &str) -> Vec<Vec<(&'static str, String)>> {
    let runs = logs::runs(agent).into_iter().filter(|run| run["handler"] == handler);
    runs.map(|run| run.into_iter().filter(|(name, _)| !["agent", "handler", "id"].contains(name)).collect()).collect()
}

fn shown(run: &[(&'static str, String)]) -> String {
    run.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

#[actix::test]
async fn a_run_has_a_span_with_its_fields() {
    logs::record();
    let stage = Stage::memory();
    let options = AgentOptions::new().name("spanned");
    let group = stage.group().agent_with(options, || Traced).start().await.unwrap();
    stage.publish_raw(b"PUBSUB:ping:a\nb", b"{\"n\": 4711}").await;
    drop(group.bus().call("asker", &Ask { n: 1 }).await);
    group.broker().send::<Job>(&Job { n: 7 }).await.unwrap();
    until(SOON, "the second attempt", async || of("spanned", "work").len() == 2).await;
    group.stop().await;
    let heard = logs::lines(|line| line.fields.get("n").is_some_and(|n| n == "4711"));
    let (name, span): &(&str, Fields) = &heard[0].spans[0];
    assert_eq!((heard.len(), heard[0].spans.len(), *name, &*span["handler"]), (1, 1, "handle", "hear"));
    assert_eq!(
        shown(&of("spanned", "hear")[0]),
        r"kind=receiver place=ping sender=a\nb",
        "what comes from outside is escaped"
    );
    assert_eq!(shown(&of("spanned", "fail")[0]), "error=no such user kind=receiver place=ask sender=asker");
    assert_eq!(shown(&of("spanned", "work")[0]), "attempt=1 error=seven kind=consumer place=jobs");
    assert_eq!(shown(&of("spanned", "work")[1]), "attempt=2 kind=consumer place=jobs");
    let ids: Vec<_> = logs::runs("spanned").iter().filter(|run| run.contains_key("id")).cloned().collect();
    assert_eq!(ids.len(), 3, "calls and messages have ids: {ids:?}");
}

struct Serves;

impl Agent for Serves {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.server("serve", async |_: Handle<Self>, ()| Err::<(), _>("no port"));
    }
}

#[actix::test]
async fn the_error_of_a_server_is_in_its_span() {
    logs::record();
    let stage = Stage::memory();
    let options = AgentOptions::new().name("serving");
    let group = stage.group().agent_with(options, || Serves).start().await.unwrap();
    until(SOON, "the span", async || !of("serving", "serve").is_empty()).await;
    assert_eq!(shown(&of("serving", "serve")[0]), "error=no port kind=server");
    group.stop().await;
}

#[actix::test]
async fn the_span_goes_with_a_blocking_handler_to_its_thread() {
    logs::record();
    let stage = Stage::memory();
    stage.real_time();
    let options = AgentOptions::new().name("computing");
    let group = stage.group().agent_with(options, || Traced).start().await.unwrap();
    group.bus().publish("test", &Pong { n: 4_712 }).await.unwrap();
    let line = until(SOON, "the line", async || logs::lines(|line| line.message() == "traced: computed").pop()).await;
    assert_eq!(
        (&*line.thread, &*line.spans[0].1["handler"], &*line.spans[0].1["agent"]),
        ("formicary-blocking", "compute", "computing")
    );
    group.stop().await;
}

#[actix::test]
async fn without_trace_there_is_no_span() {
    logs::record();
    let stage = Stage::memory();
    let options = AgentOptions::new().name("untraced");
    let group = stage.group().trace(false).agent_with(options, || Traced).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 4_713 }).await.unwrap();
    until(SOON, "the handling", async || group.events().count(EventKind::Handled) == 1).await;
    group.stop().await;
    let lines = logs::lines(|line| line.fields.get("n").is_some_and(|n| n == "4713"));
    assert_eq!((lines.len(), lines[0].spans.len(), logs::runs("untraced").len()), (1, 0, 0));
}
