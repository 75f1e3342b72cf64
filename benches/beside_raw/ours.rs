//! Our side: agents as a user writes them.

use std::time::Duration;

use formicary::prelude::*;
use formicary::{BrokerConfig, BusConfig, EventKind};
use tokio::sync::mpsc;

use crate::counter::Counter;
use crate::{Outcome, declarations, queues, signals};

/// Handles everything that the benchmarks send.
struct Handles(Counter);

#[agent]
impl Handles {
    #[receiver]
    async fn tick(&self, tick: signals::Tick) -> Result {
        std::hint::black_box(tick);
        self.0.one();
        Ok(())
    }

    #[receiver]
    async fn ask(&self, ask: signals::Ask) -> Result<u64> {
        Ok(ask.user_id + 1)
    }

    #[consumer(queues::Jobs, concurrency = 64)]
    async fn work(&self, job: queues::Jobs) -> Result {
        std::hint::black_box(job);
        self.0.one();
        Ok(())
    }
}

/// Consumes so many at once as the raw loop of RabbitMQ has unacknowledged.
pub struct Consumes(pub Counter);

#[agent]
impl Consumes {
    #[consumer(queues::Jobs, concurrency = 256)]
    async fn work(&self, job: queues::Jobs) -> Result {
        std::hint::black_box(job);
        self.0.one();
        Ok(())
    }
}

/// What an agent sends with. Clones may leave their handler, so the benchmark uses them.
#[derive(Clone)]
pub struct Ways {
    pub tick: Publish<signals::Tick>,
    pub ask: Call<signals::Ask>,
    pub jobs: Push<queues::Jobs>,
}

struct Sends(mpsc::UnboundedSender<Ways>);

#[agent]
impl Sends {
    // A server, since what others get ends with their time.
    #[server]
    async fn give(
        me: Handle<Self>,
        tick: Publish<signals::Tick>,
        ask: Call<signals::Ask>,
        jobs: Push<queues::Jobs>,
    ) -> Result {
        me.with(move |me| drop(me.0.send(Ways { tick, ask, jobs }))).await?;
        Ok(())
    }
}

/// A group on this arbiter.
pub struct Ours {
    pub group: Group,
    pub ways: Ways,
    pub counter: Counter,
}

impl Ours {
    /// With the agent that handles.
    pub async fn start(bus: BusConfig, broker: BrokerConfig) -> Outcome<Self> {
        Self::start_with(bus, broker, true).await
    }

    /// Without it: what is sent stays in the queue.
    pub async fn only_sending(bus: BusConfig, broker: BrokerConfig) -> Outcome<Self> {
        Self::start_with(bus, broker, false).await
    }

    async fn start_with(bus: BusConfig, broker: BrokerConfig, handles: bool) -> Outcome<Self> {
        let (sender, mut ways) = mpsc::unbounded_channel();
        let counter = Counter::default();
        let mut builder = Group::builder().declarations(declarations()).bus(bus).broker(broker);
        if handles {
            let counter = counter.clone();
            builder = builder.agent(move || Handles(counter.clone()));
        }
        let group = builder.agent(move || Sends(sender.clone())).start().await?;
        let ways = ways.recv().await.ok_or("the agent that sends has ended")?;
        Ok(Self { group, ways, counter })
    }

    /// Waits until everything is handled.
    pub async fn reached(&self) -> Outcome {
        let dropped = || self.group.events().count(EventKind::Dropped);
        Ok(self.counter.reached().await.map_err(|error| format!("{error}; {} were dropped", dropped()))?)
    }

    /// Waits until everything is handled, and so many are acknowledged since the start.
    pub async fn settled(&self, goal: u64) -> Outcome {
        self.reached().await?;
        let acknowledged = async {
            while self.group.events().count(EventKind::Consumed) < goal {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        Ok(tokio::time::timeout(Duration::from_secs(10), acknowledged).await?)
    }
}

pub fn tick() -> signals::Tick {
    signals::Tick { user_id: 12_345, name: "Ada".into(), text: "four and twenty letters".into() }
}

pub fn ask() -> signals::Ask {
    signals::Ask { user_id: 12_345, name: "Ada".into(), text: "four and twenty letters".into() }
}

pub fn job() -> queues::Jobs {
    queues::Jobs { text: "Welcome user 12345, again".into(), email: "user@example.org".into() }
}
