//! A settlement that cannot be told to the broker.

use std::time::Duration;

use formicary::EventKind;
use formicary::prelude::*;
use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::redis::Server;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing_subscriber::filter::LevelFilter;

use crate::alone::{alone, alone_on_servers};
use crate::common::*;
use crate::jobs::{self, redis::taken};
use crate::lines::Lines;
use crate::server::Kind;

const ACKS: u64 = 3;
/// The handler of this message fails.
const FAILS: u64 = 99;
/// After three of its heartbeats a RabbitMQ has found out that nobody is there.
const HEARTBEATS: Duration = Duration::from_secs(20);

/// Its handler ends when the gate opens, or the stop comes: a moment at which the broker is out of reach.
struct Waits(watch::Receiver<bool>);

impl Agent for Waits {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.consumer::<Job, _, _, _, _>("work", async |me: &Self, job: Job, cx: Cx| {
            let mut gate = me.0.clone();
            if job.n > 0 {
                tokio::select! {
                    biased;
                    () = cx.stopping() => {}
                    _ = gate.wait_for(|open| *open) => {}
                }
            }
            if job.n == FAILS { Err("as it shall") } else { Ok(()) }
        });
    }
}

/// A group that reaches its broker there.
async fn waits(url: &str, gate: &watch::Sender<bool>) -> Group {
    let gate = gate.subscribe();
    let group = group_at(url).bus("memory://".parse().unwrap()).agent(move || Waits(gate.clone()));
    group.start().await.unwrap()
}

alone_on_servers! {
    an_acknowledgement_that_cannot_be_delivered_is_given_up_at_the_deadline,
}

/// An acknowledgement, or a retry, that cannot be delivered is repeated until the stop's deadline, then given up, counted
/// and logged; its message stays in the place of the consumer, or on RabbitMQ goes back, and is lost to nobody.
async fn an_acknowledgement_that_cannot_be_delivered_is_given_up_at_the_deadline(kind: Kind) {
    let lines = Lines::gather(LevelFilter::INFO);
    let server = kind.start().await;
    let proxy = Proxy::start(server.port()).await;
    let gate = watch::Sender::new(false);
    let group = waits(&server.url_by(proxy.port()), &gate).await;
    for n in (1..=ACKS).chain([FAILS]) {
        group.broker().send::<Job>(&Job { n }).await.unwrap();
    }
    const ALL: u64 = ACKS + 1;
    until(SOON, "the messages", async || group.load().running == ALL).await;
    proxy.set(Mode::Blackhole);
    let events = group.events().clone();
    let begun = Instant::now();
    let limit = Duration::from_secs(3);
    group.stop_within(limit).await;
    let took = begun.elapsed();
    assert!(took < limit + Duration::from_millis(1_500), "{took:?}");
    assert_eq!(events.count(EventKind::LostSettlement), ALL);
    for kind in [EventKind::Consumed, EventKind::Retried, EventKind::DeadLettered] {
        assert_eq!(events.count(kind), 0, "{kind:?}");
    }
    let place = if kind == Kind::Redis { "jobs:taken:" } else { "another consumer" };
    assert_eq!(lines.with(&["WARN", "before these settlements could be applied", place]), 1, "{}", lines.text());
    match kind {
        Kind::Redis => assert_eq!(server.taken().await, ALL),
        Kind::RabbitMq => {
            let place = server.place().await;
            let back = async || jobs::rabbitmq::counts(&place).await.waiting == ALL;
            until(HEARTBEATS, "the server to give them back", back).await;
        }
    }
    println!("measured: given up after {took:?}");
}

alone! {
    /// An acknowledgement whose connection dies before its answer is kept, repeated, and counted once when it is applied.
    async fn an_acknowledgement_is_repeated_until_it_is_applied() {
        // The first time it never reached the server; the second time only the answer was lost.
        type Lose = fn(&Proxy, Mode);
        for (lose, reaches_the_server) in [(Proxy::set_to_server as Lose, false), (Proxy::set_to_client as Lose, true)] {
            let server = Server::start().await;
            let proxy = Proxy::start(server.port()).await;
            let gate = watch::Sender::new(false);
            let group = waits(&proxy.url(), &gate).await;
            // The first settlement brings its script along, which is another way.
            group.broker().send::<Job>(&Job { n: 0 }).await.unwrap();
            until(SOON, "the first", async || group.events().count(EventKind::Consumed) == 1).await;
            for n in 1..=ACKS {
                group.broker().send::<Job>(&Job { n }).await.unwrap();
            }
            until(SOON, "the messages", async || group.load().running == ACKS).await;
            lose(&proxy, Mode::Blackhole);
            let events = group.events().clone();
            gate.send_replace(true);
            until(SOON, "the end of the handlers", async || events.count(EventKind::Handled) == ACKS + 1).await;
            // Time for the first of them to go out: then the server has carried it out, or never will.
            let carried_out = until(SOON, "it", async || taken(&server).await < ACKS);
            assert_eq!(tokio::time::timeout(Duration::from_secs(1), carried_out).await.is_ok(), reaches_the_server);
            lose(&proxy, Mode::Pass);
            proxy.drop_all().await;
            until(SOON, "the acknowledgements", async || events.count(EventKind::Consumed) == ACKS + 1).await;
            assert_eq!(group.stop().await.code(), 0);
            assert_eq!((events.count(EventKind::LostSettlement), events.count(EventKind::LateSettlement)), (0, 0));
            assert_eq!(taken(&server).await, 0);
        }
    }
}
