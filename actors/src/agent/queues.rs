//! The queues of an agent, held against their brokers before anything is taken from them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::plan::{ConsumerPlan, Plan};
use super::shared::Shared;
use crate::contract::{Capabilities, DedupBy, Description};
use crate::error::Error;

/// The queues of its outbox, and how messages are told to be the same.
type Asked = (Arc<[Arc<str>]>, Option<DedupBy>);

/// What a consumer asks of its broker.
pub(crate) fn asked_of_broker<A>(plan: &ConsumerPlan<A>) -> Asked {
    let outbox = plan.handler.needs.outboxes.iter().map(|queue| queue.name.into()).collect();
    let dedup = plan.options.dedup.as_ref().map(|dedup| match dedup.key {
        Some(_) => DedupBy::Key,
        None => DedupBy::Id,
    });
    (outbox, dedup)
}

/// Returns when every queue that the agent consumes or sends to is at its broker, as it is declared.
pub(crate) async fn ready<A>(plan: &Plan<A>, shared: &Shared) -> Result<(), Error> {
    let mut problems = Vec::new();
    for queue in of(plan) {
        let Some(broker) = shared.brokers.of(queue) else { continue };
        let Description { adapter, capabilities, .. } = broker.describe().await?;
        let exchange = shared.env.declarations.queue(queue).and_then(|queue| queue.exchange.as_deref());
        if let Some(exchange) = exchange.filter(|_| !capabilities.exchanges) {
            problems.push(format!(
                "`{queue}` is declared with the exchange `{exchange}`, and the {adapter} broker has none: use a broker \
                 that has, or declare it without"
            ));
            continue;
        }
        for consumer in plan.consumers.iter().filter(|consumer| consumer.queue.name == queue) {
            capable(consumer, adapter, &capabilities, &mut problems);
        }
    }
    if !problems.is_empty() {
        return Err(Error::Misfit { agent: shared.agent.to_string(), problems });
    }
    // Only now: an agent that is refused leaves nothing behind at a server.
    for queue in of(plan) {
        if let Some(broker) = shared.brokers.of(queue) {
            broker.declare(queue).await?;
        }
    }
    Ok(())
}

fn of<A>(plan: &Plan<A>) -> BTreeSet<&'static str> {
    let needs = plan.handlers().flat_map(|handler| handler.needs.pushes.iter().chain(&handler.needs.outboxes));
    let consumed = plan.consumers.iter().map(|consumer| &consumer.queue);
    consumed.chain(needs).map(|queue| queue.name).collect()
}

/// A broker that cannot do what a consumer asks for is told apart from one that does it badly.
fn capable<A>(plan: &ConsumerPlan<A>, adapter: &str, can: &Capabilities, problems: &mut Vec<String>) {
    let (outbox, dedup) = asked_of_broker(plan);
    let (name, queue) = (&plan.handler.name, plan.queue.name);
    if !outbox.is_empty() && !can.outbox {
        problems.push(format!(
            "`{name}` has an `Outbox`, but the {adapter} broker of `{queue}` cannot send together with an \
             acknowledgement: use `Push`, or another broker"
        ));
    }
    if dedup.is_some() && !can.dedup {
        problems.push(format!(
            "`{name}` has `dedup`, but the {adapter} broker of `{queue}` does not remember keys: leave it out, or use \
             another broker"
        ));
    }
}
