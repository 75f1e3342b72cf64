//! The live table: a listener of the group's events that redraws in place.

mod frame;
mod latency;
mod rates;
mod screen;
mod stats;

use std::sync::Arc;
use std::time::Duration;

use actix_rt::task::JoinHandle;
use formicary::contract::{ConnectionState, Counts};
use formicary::events::Listener;
use formicary::{Broker, Bus, Group, Queue};
use tokio::sync::{oneshot, watch};

pub use screen::Screen;
use stats::Stats;

use crate::queues;

const REDRAW: Duration = Duration::from_millis(200);
const LOOK: Duration = Duration::from_secs(1);

/// The table, or nothing where there is no terminal.
pub struct Table(Option<Shown>);

struct Shown {
    screen: Arc<Screen>,
    drawing: JoinHandle<()>,
    end: oneshot::Sender<Option<Counts>>,
}

impl Table {
    /// Draws until [`Table::finish`], if the screen is a terminal. With `email_apart`, the email agent has its rows although
    /// it is none of this group.
    pub async fn show(group: &Group, email_apart: bool, screen: Arc<Screen>) -> Self {
        if !screen.is_terminal() {
            return Self(None);
        }
        screen.enter();
        let view = View {
            stats: Stats::new(&group.info().await.agents, email_apart, group.events().clone()),
            address: [address(group.bus().describe().await), address(group.broker().describe().await)],
            bus: group.bus().clone(),
            broker: group.broker().clone(),
            screen: screen.clone(),
        };
        let (end, ended) = oneshot::channel();
        let drawing = actix_rt::spawn(draw(view, group.events().listen(), ended));
        Self(Some(Shown { screen, drawing, end }))
    }

    pub fn is_shown(&self) -> bool {
        self.0.is_some()
    }

    /// Draws once more, and leaves that picture behind.
    pub async fn finish(self, left: Option<Counts>) {
        let Some(Shown { screen, drawing, end }) = self.0 else { return };
        // A task that has ended needs no word.
        end.send(left).ok();
        drop(drawing.await);
        screen.leave();
    }
}

/// What a picture is made of.
struct View {
    stats: Stats,
    bus: Bus,
    broker: Broker,
    address: [String; 2],
    screen: Arc<Screen>,
}

async fn draw(mut view: View, mut events: Listener, mut end: oneshot::Receiver<Option<Counts>>) {
    let (counts, looked) = watch::channel(None);
    let looking = actix_rt::spawn(look(view.broker.clone(), counts));
    let mut redraw = tokio::time::interval(REDRAW);
    redraw.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let left = loop {
        tokio::select! {
            biased;
            left = &mut end => break left.ok().flatten(),
            _ = redraw.tick() => view.draw(*looked.borrow()),
            event = events.next() => match event {
                Some(event) => view.stats.take(event),
                None => break *looked.borrow(),
            },
        }
    };
    looking.abort();
    while let Some(event) = events.try_next() {
        view.stats.take(event);
    }
    view.draw(left);
}

impl View {
    fn draw(&mut self, queue: Option<Counts>) {
        // The last counts are old when the broker is away.
        let queue = queue.filter(|_| self.broker.connection() == ConnectionState::Up);
        let links = [
            ("bus", self.address[0].as_str(), self.bus.connection()),
            ("broker", self.address[1].as_str(), self.broker.connection()),
        ];
        self.screen.draw(frame::frame(&mut self.stats, &links, queue));
    }
}

/// Looks at the queue once a second; `None` while the broker cannot be asked.
async fn look(broker: Broker, counts: watch::Sender<Option<Counts>>) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        counts.send_replace(broker.inspect(queues::Mailer::NAME).await.ok());
    }
}

fn address(description: Result<formicary::contract::Description, formicary::Error>) -> String {
    description.map(|description| description.address).unwrap_or_default()
}
