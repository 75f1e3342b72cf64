//! One story, told on memory and on Redis, and what both say of it compared word for word.
#![cfg(feature = "redis")]

use std::collections::BTreeMap;
use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Delivery, SentBy};
use formicary_actors::contract::{Letters, SendOptions};
use formicary_actors::events::EventKind;
use formicary_actors::{Error, HandlerError};
use serde_json::json;

use super::common::*;

struct Story(Log);

impl Agent for Story {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.name("story");
        agent.receiver_mut("hear", async |me: &mut Self, ping: Ping, from: SentBy| {
            me.0.add(format!("hear {} {from}", ping.n));
            if ping.n == 13 { Err("unlucky") } else { Ok(()) }
        });
        agent.receiver("answer", async |_: &Self, ask: Ask, ()| match ask.n {
            0 => Err(HandlerError::from("nought")),
            n => Ok(n + 1),
        });
        agent.consumer_mut::<Job, _, _, _, _>("work", async |me: &mut Self, job: Job, delivery: Delivery| {
            me.0.add(format!("work {} {}", job.n, delivery.attempt()));
            match (job.n, delivery.attempt()) {
                (2, 1) => delivery.retry(Duration::from_millis(50)),
                (3, _) => delivery.dead(),
                _ => {}
            }
        });
    }
}

/// Everything that can be said of the story without ids and times.
async fn tell(stage: &Stage) -> Vec<String> {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Story(seen.clone())).start().await.unwrap();
    let mut told = Vec::new();
    for n in [1, 13, 2] {
        told.push(format!("{:?}", group.bus().publish("teller", &Ping { n }).await));
    }
    for body in [&b"{"[..], b"{\"n\": 3, \"m\": NaN}", b"{\"n\": -1}", b"[]"] {
        stage.publish_raw(b"PUBSUB:ping:raw", body).await;
    }
    for sender in ["", "a:b", "a#b"] {
        told.push(group.bus().publish(sender, &Ping { n: 1 }).await.unwrap_err().to_string());
    }
    for n in [0, 41] {
        told.push(match group.bus().call("teller", &Ask { n }).await {
            Ok(answer) => answer.to_string(),
            Err(error) => error.to_string(),
        });
    }
    told.push(group.bus().call("teller", &Tell { n: 1 }).await.unwrap_err().to_string());
    told.push(format!("{:?}", group.bus().dynamic("teller", "unknown", &json!({})).await.unwrap_err().to_string()));
    for n in 1..=3 {
        group.broker().send::<Job>(&Job { n }).await.unwrap();
    }
    stage.push_raw("jobs", b"junk").await;
    let mut options = SendOptions::default();
    options.headers = vec![("a".into(), "b".into())];
    let refused = group.broker().send_with::<Job>(&Job { n: 9 }, options).await.unwrap_err();
    told.push(refused.to_string().replace("memory", "X").replace("redis", "X"));
    let big = json!({"n": 1, "pad": "x".repeat(1 << 20)});
    told.push(group.broker().dynamic("jobs", &big).await.unwrap_err().to_string());
    told.push(matches!(group.broker().inspect("nowhere").await, Err(Error::Settings(_))).to_string());
    until(SOON, "the queue", async || group.events().count(EventKind::Consumed) == 2).await;
    until(SOON, "the dead", async || group.events().count(EventKind::DeadLettered) == 2).await;
    until(SOON, "the signals", async || log.lines().iter().filter(|line| line.starts_with("hear")).count() == 4).await;
    until(SOON, "the bad input", async || group.events().count(EventKind::BadInput) == 4).await;
    told.push(format!("{:?}", group.broker().inspect("jobs").await.unwrap()));
    let letters = group.broker().peek("jobs", Letters::all().oldest(10)).await.unwrap();
    let letters = letters.iter().map(|letter| {
        let history: Vec<_> =
            letter.entry.history.iter().map(|f| format!("{} {} {}", f.agent, f.handler, f.error)).collect();
        format!("{} {} {:?} {history:?}", letter.reason, letter.entry.attempt, letter.entry.body)
    });
    told.extend(letters);
    let replayed = group.broker().replay("jobs", Letters::all().oldest(1)).await.unwrap();
    told.push(format!("replayed {replayed}"));
    until(SOON, "the replay", async || group.events().count(EventKind::DeadLettered) == 3).await;
    told.push(format!("purged {}", group.broker().purge("jobs", Letters::all()).await.unwrap()));
    let events = group.events().clone();
    let stopped = group.stop_agents().await;
    told.push(format!("{:?}", stopped.broker().inspect("jobs").await.unwrap()));
    stopped.close().await;
    let mut heard = log.lines();
    heard.sort();
    told.extend(heard);
    let counters: BTreeMap<_, _> = events.counters().into_iter().filter(|(_, n)| *n > 0).collect();
    told.push(format!("{counters:#?}"));
    told
}

#[actix::test]
async fn memory_and_redis_tell_the_same_story() {
    if !formicary_test_support::require_redis("compared::memory_and_redis_tell_the_same_story") {
        return;
    }
    let server = formicary_test_support::redis::Server::start().await;
    let on_redis = tell(&Stage::Redis(server)).await;
    let in_memory = tell(&Stage::memory()).await;
    assert_eq!(in_memory.join("\n"), on_redis.join("\n"));
}
