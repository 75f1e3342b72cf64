//! One story, told on the doubles and on the adapters in memory, and what the agent sees and tells compared word for word.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Call, Delivery, Publish, Push, SentBy};
use formicary_actors::contract::Letters;
use formicary_actors::group::{BrokerConfig, BusConfig, Group, GroupBuilder};
use formicary_actors::testing::{RecordingBroker, RecordingBus};
use formicary_actors::{Clock, HandlerError, Ids};
use formicary_test_support::wait::until;

use super::common::*;

type Log = Arc<Mutex<Vec<String>>>;

struct Story(Log);

impl Story {
    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

impl Agent for Story {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("hear", async |me: &Self, ping: Ping, (from, pongs): (SentBy, Publish<Pong>)| {
            me.add(format!("hear {} of {from}: {:?}", ping.n, pongs.send(&Pong { n: ping.n }).await));
            if ping.n == 3 { panic!("three") } else { Ok::<_, HandlerError>(()) }
        });
        agent
            .receiver("echo", async |me: &Self, pong: Pong, from: SentBy| me.add(format!("echo {} of {from}", pong.n)));
        agent.receiver("ask", async |me: &Self, tell: Tell, (asks, jobs): (Call<Ask>, Push<Job>)| {
            me.add(match asks.first(&Ask { n: tell.n }).await {
                Ok(answer) => format!("asked {}: {answer}", tell.n),
                Err(error) => format!("asked {}: {error}", tell.n),
            });
            jobs.send(&Job { n: tell.n }).await?;
            Ok::<_, HandlerError>(())
        });
        agent.receiver("answer", async |_: &Self, ask: Ask, ()| match ask.n {
            1 => Err(HandlerError::from("not one")),
            n => Ok(n * 10),
        });
        agent.consumer::<Job, _, _, _, _>("work", async |me: &Self, job: Job, delivery: Delivery| {
            let history: Vec<_> = delivery.history().iter().map(|failure| failure.error.clone()).collect();
            me.add(format!("job {} attempt {} after {history:?}", job.n, delivery.attempt()));
            match (job.n, delivery.attempt()) {
                (1, 1) => panic!("first"),
                (2, attempt) if attempt < 4 => Err(format!("attempt {attempt}"))?,
                (4, 1) => delivery.retry(Duration::from_secs(7)),
                (5, _) => Err("always")?,
                _ => {}
            }
            Ok::<_, HandlerError>(())
        });
    }
}

async fn tell(stage: GroupBuilder, push_raw: impl Fn(&str, &[u8])) -> Vec<String> {
    let log = Log::default();
    let seen = log.clone();
    let stage = stage.declarations(declarations()).ids(Ids::seeded(5)).clock(Clock::counted(Default::default()));
    let group = stage.agent(move || Story(seen.clone())).start().await.unwrap();
    for n in 1..=4 {
        let published = format!("published {:?}", group.bus().publish("teller", &Ping { n }).await);
        log.lock().unwrap().push(published);
    }
    for n in 0..=2 {
        group.bus().publish("teller", &Tell { n }).await.unwrap();
    }
    for n in 3..=5 {
        group.broker().send::<Job>(&Job { n }).await.unwrap();
    }
    push_raw("jobs", b"junk");
    let left = async || group.broker().inspect("jobs").await.unwrap().left() == 0 && group.load().is_idle();
    until(Duration::from_secs(600), "the end of the story", left).await;
    // What each handler saw, in its order: a double is one actor more on the way, which shifts handlers against each other.
    let mut told = log.lock().unwrap().clone();
    told.sort_by_key(|line| line.split(' ').next().unwrap_or_default().to_owned());
    told.push(format!("{:?}", group.broker().inspect("jobs").await.unwrap()));
    told.push(format!("{:?}", group.broker().peek("jobs", Letters::all()).await.unwrap()));
    let events = group.events().clone();
    group.stop().await;
    let counters: BTreeMap<_, _> = events.counters().into_iter().filter(|(_, n)| *n > 0).collect();
    told.push(format!("{counters:#?}"));
    told
}

#[actix::test]
async fn the_doubles_and_memory_tell_the_same_story() {
    tokio::time::pause();
    let memory = formicary_actors::broker::MemoryBroker::new();
    let group = Group::builder().broker(BrokerConfig::memory(memory.clone()));
    let in_memory = tell(group, |queue, body| memory.push_raw(queue, body)).await;
    let (bus, broker) = (RecordingBus::new(), RecordingBroker::new());
    let group = Group::builder().bus(BusConfig::recording(bus)).broker(BrokerConfig::recording(broker.clone()));
    let on_doubles = tell(group, |queue, body| broker.memory().push_raw(queue, body)).await;
    assert!(in_memory.iter().any(|line| line.starts_with("job 5 attempt 5 after [\"always\"")), "{in_memory:#?}");
    assert_eq!(in_memory.join("\n"), on_doubles.join("\n"));
}
