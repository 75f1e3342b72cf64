//! The wire of Python `microagent`, for adapters that share it: what we publish is what Python does, and what Python publishes is
//! understood.

mod cast;
mod hearing;
mod publishing;

pub(crate) use self::hearing::{
    what_python_answers_is_taken, what_python_asks_is_answered_as_python_does, what_python_publishes_is_heard,
};
pub(crate) use self::publishing::{
    a_call_that_nobody_answers_is_published_as_python_does, calls_and_answers_are_published_as_python_does,
    signals_are_published_as_python_does,
};

use std::sync::Arc;

use formicary_actors::bus::Bus;
use formicary_actors::group::{Group, GroupBuilder};
use formicary_actors::{Env, Error};
use formicary_protocol::{Prefix, Value};
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::cast::{RpcOne, RpcTwo};
use super::stage::{SOON, Stage};
use crate::left_out::LeftOut;
use crate::wire::{Captured, Published, Vector, declarations};

/// A process in a cluster of the vectors.
fn env(prefix: &Prefix) -> Env {
    Env::new(prefix.clone(), Arc::new(declarations()))
}

/// A bus in such a cluster.
fn bus(stage: &Stage, prefix: &Prefix) -> Bus {
    stage.bus_with(env(prefix))
}

/// A group in such a cluster.
fn group(stage: &Stage, prefix: &Prefix) -> GroupBuilder {
    Group::builder().declarations(declarations()).prefix(prefix.clone()).bus(stage.place.bus())
}

/// The vectors of calls that were answered.
fn answered() -> impl Iterator<Item = Vector> {
    Vector::like("rpc_").into_iter().filter(|vector| vector.publishes().len() > 1)
}

/// Calls as Python did.
async fn call(bus: &Bus, request: &Captured) -> Result<Value, Error> {
    let (signal, sender) = request.names();
    let kind = request.value()["kind"].clone();
    match signal {
        "rpc_one" => bus.call(sender, &RpcOne { kind }).await,
        "rpc_two" => bus.call(sender, &RpcTwo { kind }).await,
        other => panic!("no call of {other}"),
    }
}

/// All that goes over a server.
struct Ear(mpsc::UnboundedReceiver<Published>);

impl Ear {
    async fn at(stage: &Stage) -> Result<Self, LeftOut> {
        let (to, ear) = mpsc::unbounded_channel();
        let apart = || LeftOut("its place has no `overhear`: it does not say that it shares the wire of Python".into());
        stage.place.overhear(to).await.then_some(Self(ear)).ok_or_else(apart)
    }

    /// The next that Python could have published: it has no words for why a handler failed.
    async fn next(&mut self) -> Published {
        loop {
            let next = timeout(SOON, self.0.recv()).await.expect("nothing is published").expect("the place listens");
            if !next.channel.contains(":response_error:") {
                return next;
            }
        }
    }
}

/// Publishes as Python did.
async fn publish(stage: &Stage, channel: &str, body: &str) -> Result<(), LeftOut> {
    let said = stage.place.publish_on(channel, body.as_bytes()).await;
    said.then_some(()).ok_or_else(|| LeftOut("its place has no `publish_on`".into()))
}
