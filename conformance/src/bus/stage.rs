//! Where one case of a bus runs.

use std::sync::Arc;
use std::time::Duration;

use formicary_actors::bus::Bus;
use formicary_actors::contract::{Capabilities, ConnectionState};
use formicary_actors::events::EventKind;
use formicary_actors::group::{BusConfig, Group, GroupBuilder};
use formicary_actors::{Env, Error, Ids};
use formicary_protocol::Prefix;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::cast::{Ask, Note, declarations};
use super::place::AnyBusPlace;
use super::{BusPromises, Raw};
use crate::left_out::LeftOut;
use crate::proxy::{Mode, Proxy};
use crate::wait::{self, patience};

/// For what comes at once, on a machine that has much to do.
pub(crate) const SOON: Duration = Duration::from_secs(15);
/// How much later than its time a thing may be on such a machine.
pub(crate) fn slack() -> Duration {
    Duration::from_millis(1_500) * patience()
}

/// The place of one case, and a prefix that nobody else has.
pub(crate) struct Stage {
    /// The test that this is.
    pub(crate) name: String,
    pub(crate) place: Box<dyn AnyBusPlace>,
    pub(crate) promises: BusPromises,
    prefix: Prefix,
}

impl Stage {
    pub(crate) fn new(name: &str, place: impl AnyBusPlace + 'static) -> Self {
        let promises = place.promises();
        Self { name: name.to_owned(), place: Box::new(place), promises, prefix: prefix() }
    }

    /// The environment of a process of its own.
    pub(crate) fn env(&self) -> Env {
        env(&self.prefix)
    }

    /// That of a process which uses the same server for something else.
    pub(crate) fn env_elsewhere(&self) -> Env {
        env(&prefix())
    }

    /// A bus as a process of its own has it.
    pub(crate) fn bus(&self) -> Bus {
        self.bus_with(self.env())
    }

    pub(crate) fn bus_with(&self, env: Env) -> Bus {
        self.place.bus().start(env).unwrap()
    }

    /// A group as a process of its own has it.
    pub(crate) fn group(&self) -> GroupBuilder {
        self.group_maker()()
    }

    /// Makes such a group, on any thread.
    pub(crate) fn group_maker(&self) -> impl FnOnce() -> GroupBuilder + Send + 'static {
        let (prefix, bus) = (self.prefix.clone(), self.place.bus());
        move || group(&prefix, bus)
    }

    pub(crate) async fn capabilities(&self) -> Capabilities {
        self.bus().describe().await.unwrap().capabilities
    }

    /// A call that goes on beside the case.
    pub(crate) fn call(&self, bus: &Bus, n: u64) -> JoinHandle<Result<u64, Error>> {
        let bus = bus.clone();
        actix_rt::spawn(async move { bus.call("caller", &Ask { n }).await })
    }

    pub(crate) async fn close(&self, bus: &Bus) {
        bus.close(Instant::now() + SOON).await;
    }

    /// What another program publishes.
    pub(crate) async fn publish_raw(&self, signal: &str, call: Option<&str>, body: &[u8]) -> Result<(), LeftOut> {
        let raw = Raw { signal, sender: "stranger", call, body };
        let hook = || LeftOut("its place has no `publish_raw`".into());
        self.place.publish_raw(&self.prefix, raw).await.then_some(()).ok_or_else(hook)
    }

    /// A way to the server that the case can cut.
    pub(crate) async fn line(&self) -> Result<Line, LeftOut> {
        let hooks = || LeftOut("its place has no `address` with a `bus_at`".into());
        let proxy = Proxy::start(self.place.address().ok_or_else(hooks)?.port()).await;
        let config = self.place.bus_at(proxy.address()).ok_or_else(hooks)?;
        Ok(Line { proxy, config, prefix: self.prefix.clone(), promises: self.promises.clone() })
    }
}

fn env(prefix: &Prefix) -> Env {
    let mut env = Env::new(prefix.clone(), Arc::new(declarations()));
    // A case that is about a deadline sets its own; the others may run on a machine that has much to do.
    env.limits.send_deadline = SOON;
    env
}

fn group(prefix: &Prefix, bus: BusConfig) -> GroupBuilder {
    Group::builder().declarations(declarations()).prefix(prefix.clone()).bus(bus)
}

/// A prefix that nobody else has.
fn prefix() -> Prefix {
    Prefix::new(&format!("T{}", Ids::random().id())).unwrap()
}

/// A way to the server through a proxy.
pub(crate) struct Line {
    pub(crate) proxy: Proxy,
    config: BusConfig,
    prefix: Prefix,
    pub(crate) promises: BusPromises,
}

/// The two directions of a [`Line`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

impl Line {
    pub(crate) fn bus(&self) -> Bus {
        self.config.start(env(&self.prefix)).unwrap()
    }

    /// A bus whose publishes and subscriptions have half a second, and whose calls have one.
    pub(crate) fn hasty_bus(&self) -> Bus {
        let mut env = env(&self.prefix);
        env.limits.send_deadline = HASTE;
        env.limits.call_deadline = 2 * HASTE;
        self.config.start(env).unwrap()
    }

    pub(crate) fn group(&self) -> GroupBuilder {
        group(&self.prefix, self.config.clone())
    }

    /// Resets what is open, and refuses what is new.
    pub(crate) async fn cut(&self) {
        self.proxy.refuse().await;
        self.proxy.drop_all().await;
    }

    pub(crate) async fn mend(&self) {
        self.proxy.set(Mode::Pass);
        self.proxy.accept().await;
    }

    /// Swallows what goes one way, and says nothing of it.
    pub(crate) fn swallow(&self, way: Way) {
        match way {
            Way::ToServer => self.proxy.set_to_server(Mode::Blackhole),
            Way::ToClient => self.proxy.set_to_client(Mode::Blackhole),
        }
    }

    /// Waits until this bus has found that it hears nothing.
    pub(crate) async fn found_by(&self, bus: &Bus) {
        let begun = Instant::now();
        down(bus, self.promises.notices_within + slack()).await;
        println!("measured: found after {:?}", begun.elapsed());
    }

    /// Waits until this bus has its connection again.
    pub(crate) async fn regained_by(&self, bus: &Bus) {
        let begun = Instant::now();
        up_within(bus, self.promises.back_within + slack()).await;
        println!("measured: back after {:?}", begun.elapsed());
    }
}

/// How long a publish of a hasty bus may take.
pub(crate) const HASTE: Duration = Duration::from_millis(500);

/// Waits until the bus is connected.
pub(crate) async fn up(bus: &Bus) {
    up_within(bus, SOON).await;
}

async fn up_within(bus: &Bus, within: Duration) {
    let state = async || match bus.connection() {
        ConnectionState::Up => Ok(()),
        other => Err(other),
    };
    wait::until(within, "the connection", state).await;
}

/// Waits until the bus has lost its connection.
pub(crate) async fn down(bus: &Bus, within: Duration) {
    let lost = async || matches!(bus.connection(), ConnectionState::Down { .. });
    wait::until(within, "the loss of the connection", lost).await;
}

/// Waits until the bus has come back so many times.
pub(crate) async fn back(bus: &Bus, times: u64) {
    let again = async || bus.env().events.count(EventKind::Reconnected) >= times;
    wait::until(SOON, "the return of the connection", again).await;
    up(bus).await;
}

/// Publishes a note, which succeeds.
pub(crate) async fn publish(bus: &Bus, n: u64) -> Option<u64> {
    bus.publish("me", &Note { n }).await.unwrap()
}
