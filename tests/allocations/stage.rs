//! An agent that handles, and one that gives away what it sends with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use formicary::prelude::*;
use formicary::{EventKind, GroupBuilder};
use tokio::sync::mpsc;

use crate::{declarations, queues, signals};

struct Hears(Arc<AtomicU64>);

#[agent]
impl Hears {
    #[receiver]
    async fn note(&self, note: signals::Note) {
        std::hint::black_box(note);
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    #[receiver]
    async fn ask(&self, ask: signals::Ask) -> Result<u64> {
        Ok(ask.title.len() as u64)
    }

    #[consumer(queues::Letters)]
    async fn letter(&self, letter: queues::Letters) {
        std::hint::black_box(letter);
    }
}

/// What an agent sends with. Clones may leave their handler.
#[derive(Clone)]
pub struct Ways {
    pub note: Publish<signals::Note>,
    pub ask: Call<signals::Ask>,
    pub letters: Push<queues::Letters>,
}

struct Sends(mpsc::UnboundedSender<Ways>);

#[agent]
impl Sends {
    // A server, since what others get ends with their time.
    #[server]
    async fn give(
        me: Handle<Self>,
        note: Publish<signals::Note>,
        ask: Call<signals::Ask>,
        letters: Push<queues::Letters>,
    ) -> Result {
        me.with(move |me| drop(me.0.send(Ways { note, ask, letters }))).await?;
        Ok(())
    }
}

/// A group on this thread.
pub struct Stage {
    pub system: actix::SystemRunner,
    pub ways: Ways,
    heard: Arc<AtomicU64>,
    group: Group,
}

impl Stage {
    pub fn new(builder: GroupBuilder) -> Self {
        let heard = Arc::<AtomicU64>::default();
        let (sender, mut ways) = mpsc::unbounded_channel();
        let hears = heard.clone();
        let builder = builder.declarations(declarations()).agent(move || Hears(hears.clone()));
        let builder = builder.agent(move || Sends(sender.clone()));
        let system = actix::System::new();
        let (group, ways) = system.block_on(async { (builder.start().await.unwrap(), ways.recv().await.unwrap()) });
        Self { system, ways, heard, group }
    }

    /// How often the handler has run.
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    pub async fn until_heard(&self, times: u64) {
        until(|| self.heard() >= times).await;
    }

    /// How many messages were handled and acknowledged.
    pub fn consumed(&self) -> u64 {
        self.group.events().count(EventKind::Consumed)
    }

    pub async fn until_consumed(&self, messages: u64) {
        until(|| self.consumed() >= messages).await;
    }
}

async fn until(holds: impl Fn() -> bool) {
    let held = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), held).await.unwrap();
}

pub fn note() -> signals::Note {
    signals::Note { title: "Title".into(), text: "four and twenty letters".into(), author: "Ada".into() }
}

pub fn ask() -> signals::Ask {
    signals::Ask { title: "Title".into(), text: "four and twenty letters".into(), author: "Ada".into() }
}

pub fn letter() -> queues::Letters {
    queues::Letters { title: "Title".into(), text: "four and twenty letters".into(), author: "Ada".into() }
}
