//! Signals, calls and messages that flow steadily, with a ledger of them.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use formicary::events::EventKind;
use formicary::prelude::*;
use formicary::{Broker, Bus, Error, GroupBuilder};
use tokio::time::Instant;

use crate::common::*;
use crate::ledger::{Ledger, Sent};

/// One of each kind goes out this often.
pub const TICK: Duration = Duration::from_millis(10);
/// Longer than any deadline of what is under way.
const ENDED: Duration = Duration::from_secs(15);

/// Hears, answers and consumes what the traffic brings.
pub struct Worker(pub Ledger);

impl Agent for Worker {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("hear", async |me: &Self, ping: Ping, ()| {
            me.0.open().heard.insert(ping.n, Instant::now());
        });
        agent.receiver("answer", async |_: &Self, ask: Ask, ()| Ok::<_, Error>(ask.n));
        agent.consumer::<Job, _, _, _, _>("consume", async |me: &Self, job: Job, ()| {
            me.0.open().done.insert(job.n, Instant::now());
        });
    }
}

/// A group with a [`Worker`], and what sends to it.
pub struct Traffic {
    pub group: Group,
    pub ledger: Ledger,
    pub sender: Sender,
}

/// Sends on the present arbiter, each thing in a task of its own, until stopped.
#[derive(Clone)]
pub struct Sender {
    bus: Bus,
    broker: Broker,
    ledger: Ledger,
    stopped: Rc<Cell<bool>>,
    under_way: Rc<Cell<usize>>,
}

impl Traffic {
    pub async fn start(builder: GroupBuilder) -> Self {
        Self::start_with(builder, TICK).await
    }

    pub async fn start_with(builder: GroupBuilder, tick: Duration) -> Self {
        let ledger = Ledger::default();
        let book = ledger.clone();
        let group = builder.agent(move || Worker(book.clone())).start().await.unwrap();
        let sender = Sender::start(group.bus().clone(), group.broker().clone(), ledger.clone(), tick);
        Self { group, ledger, sender }
    }

    /// Waits until signals, calls and messages that are begun from now on come through; returns how long it took.
    pub async fn flows_within(&self, limit: Duration) -> Duration {
        let since = Instant::now();
        until(limit, "signals, calls and messages to flow", async || self.ledger.open().flows_since(since)).await;
        since.elapsed()
    }

    /// How many links were lost and are back.
    pub fn losses(&self) -> (u64, u64) {
        let events = self.group.events();
        (events.count(EventKind::Disconnected), events.count(EventKind::Reconnected))
    }

    /// Sends nothing more, waits until nothing is under way, and until every accepted message is consumed.
    pub async fn settle(&self) {
        self.sender.end().await;
        until(SOON, "every accepted message", async || {
            let lost = self.ledger.open().lost_messages();
            if lost.is_empty() {
                Ok(())
            } else {
                Err(format!("{} are missing: {:.60}", lost.len(), format!("{lost:?}")))
            }
        })
        .await;
    }
}

impl Sender {
    pub fn start(bus: Bus, broker: Broker, ledger: Ledger, tick: Duration) -> Self {
        let sender = Self { bus, broker, ledger, stopped: Rc::default(), under_way: Rc::default() };
        let ticking = sender.clone();
        actix::spawn(async move {
            let mut ticks = tokio::time::interval(tick);
            let mut n = 0;
            loop {
                ticks.tick().await;
                // After the tick: who has ended it counts what was sent, and one more would be in no count.
                if ticking.stopped.get() {
                    return;
                }
                n += 1;
                ticking.send_one_of_each(n);
            }
        });
        sender
    }

    /// Sends nothing more, and waits until nothing is under way: none hangs.
    pub async fn end(&self) {
        self.stopped.set(true);
        until(ENDED, "the end of everything under way", async || self.under_way.get() == 0).await;
    }

    fn send_one_of_each(&self, n: u64) {
        self.send(
            n,
            |entries| &mut entries.signals,
            async move |me: &Self| me.bus.publish("traffic", &Ping { n }).await.map(drop),
        );
        self.send(
            n,
            |entries| &mut entries.calls,
            async move |me: &Self| me.bus.call("traffic", &Ask { n }).await.map(|answer| assert_eq!(answer, n)),
        );
        self.send(n, |entries| &mut entries.messages, async move |me: &Self| me.broker.send::<Job>(&Job { n }).await);
    }

    fn send(
        &self,
        n: u64,
        list: impl FnOnce(&mut crate::ledger::Entries) -> &mut Vec<Sent> + 'static,
        run: impl AsyncFnOnce(&Self) -> Result<(), Error> + 'static,
    ) {
        let me = self.clone();
        me.under_way.set(me.under_way.get() + 1);
        actix::spawn(async move {
            let begun = Instant::now();
            let result = run(&me).await;
            let sent = Sent { n, begun, took: begun.elapsed(), result };
            list(&mut me.ledger.open()).push(sent);
            me.under_way.set(me.under_way.get() - 1);
        });
    }
}
