//! Where one case of a bus runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use formicary_actors::bus::Bus;
use formicary_actors::contract::{Capabilities, ConnectionState};
use formicary_actors::group::{BusConfig, Group, GroupBuilder};
use formicary_actors::{Env, Error, Ids};
use formicary_protocol::Prefix;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::BusFactory;
use super::cast::{Ask, Note, declarations};
use crate::proxy::{Mode, Proxy};
use crate::wait;

/// For what comes at once, on a machine that has much to do.
pub(crate) const SOON: Duration = Duration::from_secs(15);
/// How much later than its time a thing may be on such a machine.
pub(crate) const SLACK: Duration = Duration::from_millis(1_500);

/// The place of one case: a factory, and a prefix that nobody else has.
pub struct Stage<F> {
    factory: Arc<F>,
    prefix: Prefix,
    case: &'static str,
}

impl<F: BusFactory> Stage<F> {
    pub(super) fn new(factory: F, case: &'static str) -> Self {
        Self { factory: Arc::new(factory), prefix: prefix(), case }
    }

    pub(crate) fn factory(&self) -> &F {
        &self.factory
    }

    /// The environment of a process of its own.
    pub(crate) fn env(&self) -> Env {
        Env::new(self.prefix.clone(), Arc::new(declarations()))
    }

    /// That of a process which uses the same server for something else.
    pub(crate) fn env_elsewhere(&self) -> Env {
        Env::new(prefix(), Arc::new(declarations()))
    }

    /// A bus as a process of its own has it.
    pub(crate) fn bus(&self) -> Bus {
        self.bus_with(self.env())
    }

    pub(crate) fn bus_with(&self, env: Env) -> Bus {
        self.factory.bus(env)
    }

    /// A group as a process of its own has it.
    pub(crate) fn group(&self) -> GroupBuilder {
        let factory = self.factory.clone();
        self.group_on(BusConfig::custom(move |env| factory.bus(env)))
    }

    fn group_on(&self, bus: BusConfig) -> GroupBuilder {
        Group::builder().declarations(declarations()).prefix(self.prefix.clone()).bus(bus)
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

    /// A proxy before the server, if the adapter can go there; else the case is left out.
    pub(crate) async fn line(&self) -> Option<Line<F>> {
        let Some(server) = self.factory.address() else {
            self.left_out("the adapter has no server that a proxy could stand before");
            return None;
        };
        let proxy = Proxy::start(server.port()).await;
        let (factory, prefix) = (self.factory.clone(), self.prefix.clone());
        Some(Line { proxy, stage: Self { factory, prefix, case: self.case } })
    }

    /// Says, past the capture of the test harness, why this case does not run.
    pub(crate) fn left_out(&self, why: &str) {
        super::left_out(self.case, why);
    }
}

/// A prefix that nobody else has.
fn prefix() -> Prefix {
    Prefix::new(&format!("T{}", Ids::random().id())).unwrap()
}

/// A way to the server that a case can cut.
pub(crate) struct Line<F> {
    pub(crate) proxy: Proxy,
    stage: Stage<F>,
}

/// The two ways through a [`Line`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

impl<F: BusFactory> Line<F> {
    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.proxy.port()).into()
    }

    pub(crate) fn bus(&self) -> Bus {
        self.bus_with(self.stage.env())
    }

    pub(crate) fn bus_with(&self, env: Env) -> Bus {
        self.stage.factory.bus_at(self.address(), env)
    }

    /// A bus whose publishes and subscriptions have half a second, and whose calls have one.
    pub(crate) fn hasty_bus(&self) -> Bus {
        let mut env = self.stage.env();
        env.limits.send_deadline = HASTE;
        env.limits.call_deadline = 2 * HASTE;
        self.bus_with(env)
    }

    pub(crate) fn group(&self) -> GroupBuilder {
        let (factory, address) = (self.stage.factory.clone(), self.address());
        self.stage.group_on(BusConfig::custom(move |env| factory.bus_at(address, env)))
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

    /// Waits until this bus has found that it hears nothing: within twice the heartbeat.
    pub(crate) async fn found_by(&self, bus: &Bus) {
        let begun = Instant::now();
        down(bus, 2 * self.stage.factory.traits().heartbeat + SLACK).await;
        println!("measured: found after {:?}", begun.elapsed());
    }
}

/// How long a publish of a hasty bus may take.
pub(crate) const HASTE: Duration = Duration::from_millis(500);

/// Waits until the bus is connected.
pub(crate) async fn up(bus: &Bus) {
    let state = async || match bus.connection() {
        ConnectionState::Up => Ok(()),
        other => Err(other),
    };
    wait::until(SOON, "the connection", state).await;
}

/// Waits until the bus has lost its connection.
pub(crate) async fn down(bus: &Bus, within: Duration) {
    let lost = async || matches!(bus.connection(), ConnectionState::Down { .. });
    wait::until(within, "the loss of the connection", lost).await;
}

/// Publishes a note, which succeeds.
pub(crate) async fn publish(bus: &Bus, n: u64) -> Option<u64> {
    bus.publish("me", &Note { n }).await.unwrap()
}
