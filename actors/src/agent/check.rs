//! An agent held against its declarations, its bus and its broker, before anything of it runs.

use std::any::TypeId;

use formicary_protocol::FieldKind;

use super::extract::Needs;
use super::instance::guarded_now;
use super::plan::{ConsumerPlan, HandlerPlan, Plan};
use super::shared::Shared;
use crate::events::HandlerKind;

/// Every problem, each with its cure.
pub(crate) fn check<A: 'static>(plan: &Plan<A>, shared: &Shared) -> Vec<String> {
    let mut problems = plan.mistakes.clone();
    let declarations = &shared.env.declarations;
    for receiver in &plan.receivers {
        let name = &receiver.handler.name;
        for signal in &receiver.signals {
            if shared.buses.of(signal).is_none() {
                problems.push(format!("`{name}` receives `{signal}`, but the agent has no bus: give its group one"));
            }
            let Some(declared) = declarations.signal(signal) else {
                problems
                    .push(format!("`{name}` receives `{signal}`, which is not declared: add it to the declarations"));
                continue;
            };
            if let Some(answer) = declared.answer
                && !matches!(receiver.answer, FieldKind::Null | FieldKind::Any)
                && let Err(error) = declared.hold_answer(&receiver.answer)
            {
                problems
                    .push(format!("`{name}` answers `{signal}` with another type than the declared {answer}: {error}"));
            }
        }
        if receiver.signals.is_empty() && receiver.patterns.is_empty() {
            problems.push(format!("`{name}` receives no signal: name at least one"));
        }
        if let Some(held) = &receiver.held
            && declarations.signal(held.name).is_some()
            && let Err(error) = (held.hold)(declarations)
        {
            problems.push(format!("`{name}`: {error}"));
        }
        let (payload, payload_name) = receiver.payload;
        if let Some(other) = receiver.options.filter.as_ref().and_then(|filter| filter.misfit(payload)) {
            problems.push(format!("`{name}`: the filter looks at a `{other}`, and its payload is `{payload_name}`"));
        }
    }
    for consumer in &plan.consumers {
        let (name, queue) = (&consumer.handler.name, consumer.queue.name);
        if shared.brokers.of(queue).is_none() {
            problems.push(format!("`{name}` consumes `{queue}`, but the agent has no broker: give its group one"));
        }
        if declarations.queue(queue).is_none() {
            problems.push(format!("`{name}` consumes `{queue}`, which is not declared: add it to the declarations"));
        } else if let Err(error) = (consumer.queue.hold)(declarations) {
            problems.push(format!("`{name}`: {error}"));
        }
        policy(consumer, shared, &mut problems);
        let same = plan.consumers.iter().filter(|other| other.queue.name == queue);
        if same.clone().count() > 1 && same.clone().next().is_some_and(|first| first.handler.name == *name) {
            let names: Vec<_> = same.map(|other| format!("`{}`", other.handler.name)).collect();
            let names = names.join(" and ");
            problems.push(format!("{names} consume the queue `{queue}`: an agent has one consumer for each queue"));
        }
    }
    let mut names: Vec<_> = plan.receivers.iter().map(|receiver| &receiver.handler.name).collect();
    names.sort();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        problems.push(format!("two receivers are named `{}`: their answers would have one key", twice[0]));
    }
    for handler in plan.handlers() {
        outputs(&handler.name, &handler.needs, shared, &mut problems);
        settings(&handler.name, &handler.needs, shared, &mut problems);
    }
    exhausted(plan, &mut problems);
    for handler in plan.handlers() {
        let gives_up = plan.exhausted.iter().any(|plan| std::ptr::eq(&plan.hook.handler, handler));
        check_needs(handler, gives_up, &mut problems);
        for (agent, name) in &handler.needs.agents {
            if *agent != TypeId::of::<A>() {
                let handler = &handler.name;
                problems.push(format!(
                    "`{handler}` asks for `Receivers` of another agent, `{name}`: write `Receivers<Self>`"
                ));
            }
        }
    }
    problems
}

/// What a change of a running agent may not declare: everything but receivers.
pub(crate) fn check_change<A>(plan: &Plan<A>) -> Vec<String> {
    let others = plan.handlers().filter(|handler| handler.kind != HandlerKind::Receiver);
    let mut problems: Vec<_> = others
        .map(|HandlerPlan { name, kind, .. }| {
            format!(
                "`{name}` is a {}: a running agent takes receivers only, declare it in `Agent::declare`",
                kind.word()
            )
        })
        .collect();
    if plan.name.is_some() {
        problems.push("a running agent keeps its name: give it in `Agent::declare`".to_owned());
    }
    if !plan.layers.0.is_empty() {
        problems
            .push("a running agent keeps its layers: put one around each receiver with its option `layer`".to_owned());
    }
    problems
}

/// What becomes of a consumer's messages.
fn policy<A>(consumer: &ConsumerPlan<A>, shared: &Shared, problems: &mut Vec<String>) {
    let (name, queue, options) = (&consumer.handler.name, consumer.queue.name, &consumer.options);
    let (message, message_name) = consumer.message;
    let dedup = options.dedup.as_ref();
    let keys = [("by", options.by.as_ref()), ("dedup", dedup.and_then(|dedup| dedup.key.as_ref()))];
    for (option, key) in keys {
        if let Some(other) = key.and_then(|key| key.misfit(message)) {
            problems.push(format!(
                "`{name}`: the key of `{option}` is read from a `{other}`, and its messages are `{message_name}`"
            ));
        }
    }
    if dedup.is_some_and(|dedup| dedup.window.is_zero()) {
        problems.push(format!("`{name}`: the window of `dedup` is 0, so nothing would be remembered: give it a time"));
    }
    let broker = shared.brokers.of(queue);
    for other in &consumer.handler.needs.outboxes {
        let other = other.name;
        if let (Some(broker), Some(others)) = (broker, shared.brokers.of(other))
            && !broker.is(others)
        {
            problems.push(format!(
                "`{name}` has an outbox to `{other}`, which another broker carries than `{queue}`: give both queues one \
                 broker, or use `Push`"
            ));
        }
        // Sent with an acknowledgement, a message that goes nowhere could be told to nobody.
        let declarations = &shared.env.declarations;
        let exchange = declarations.queue(other).and_then(|queue| queue.exchange.as_deref());
        if let Some(exchange) = exchange
            && !declarations.bound_to(exchange).any(|queue| queue.takes(other))
        {
            problems.push(format!(
                "`{name}` has an outbox to `{other}`, whose name is the topic of what it sends, and no queue of the \
                 exchange `{exchange}` takes that topic: add it to the topics of a queue, or use `Push` with a topic"
            ));
        }
    }
}

/// Each handler of `on_exhausted` belongs to one consumer.
fn exhausted<A>(plan: &Plan<A>, problems: &mut Vec<String>) {
    for (at, exhausted) in plan.exhausted.iter().enumerate() {
        let (name, queue) = (&exhausted.hook.handler.name, exhausted.queue.name);
        if !plan.consumers.iter().any(|consumer| consumer.queue.name == queue) {
            problems.push(format!(
                "`{name}` takes what a consumer of `{queue}` gives up, but the agent has no such consumer: declare one"
            ));
        }
        if let Some(other) = plan.exhausted[..at].iter().find(|other| other.queue.name == queue) {
            let other = &other.hook.handler.name;
            problems.push(format!("`{other}` and `{name}` take what is given up of the queue `{queue}`: there is one"));
        }
    }
}

fn check_needs(handler: &HandlerPlan, gives_up: bool, problems: &mut Vec<String>) {
    let HandlerPlan { name, kind, needs, .. } = handler;
    if needs.sender && *kind != HandlerKind::Receiver {
        problems.push(format!("`{name}` asks for `SentBy`, which only a receiver has"));
    }
    if needs.deliveries > 0 && *kind != HandlerKind::Consumer {
        problems.push(format!("`{name}` asks for `Delivery`, which only a consumer has"));
    }
    if !needs.outboxes.is_empty() && *kind != HandlerKind::Consumer {
        problems.push(format!("`{name}` asks for `Outbox`, which only a consumer has: use `Push`"));
    }
    if needs.retries && *kind != HandlerKind::Consumer && !gives_up {
        problems.push(format!("`{name}` asks for `RetryContext`, which only a consumer has"));
    }
    if needs.metadata && *kind != HandlerKind::Consumer && !gives_up {
        problems.push(format!("`{name}` asks for `Metadata`, which only a consumer has"));
    }
    if needs.exhausted && !gives_up {
        problems.push(format!("`{name}` asks for `Exhausted`, which only a handler of `on_exhausted` has"));
    }
    if needs.deliveries > 1 {
        problems.push(format!("`{name}` asks for `Delivery` twice: there is one"));
    }
}

fn settings(name: &str, needs: &Needs, shared: &Shared, problems: &mut Vec<String>) {
    for hold in &needs.settings {
        // A type of the user's decodes here.
        match guarded_now(|| hold(&shared.settings)) {
            Ok(Ok(())) => {}
            Ok(Err(misfits)) => problems.push(format!("`{name}`: {}", crate::error::settings(&misfits))),
            Err(_) => problems.push(format!("`{name}`: the type of its settings panicked while it was decoded")),
        }
    }
}

fn outputs(name: &str, needs: &Needs, shared: &Shared, problems: &mut Vec<String>) {
    let declarations = &shared.env.declarations;
    for (verb, signal) in
        needs.publishes.iter().map(|s| ("publishes", s)).chain(needs.calls.iter().map(|s| ("calls", s)))
    {
        let what = signal.name;
        if shared.buses.of(what).is_none() {
            problems.push(format!("`{name}` {verb} `{what}`, but the agent has no bus: give its group one"));
        }
        if declarations.signal(what).is_none() {
            problems.push(format!("`{name}` {verb} `{what}`, which is not declared: add it to the declarations"));
        } else if let Err(error) = (signal.hold)(declarations) {
            problems.push(format!("`{name}` {verb} `{what}`: {error}"));
        }
    }
    for queue in needs.pushes.iter().chain(&needs.outboxes) {
        let what = queue.name;
        if shared.brokers.of(what).is_none() {
            problems.push(format!("`{name}` pushes to `{what}`, but the agent has no broker: give its group one"));
        }
        if declarations.queue(what).is_none() {
            problems
                .push(format!("`{name}` pushes to a queue that is not declared, `{what}`: add it to the declarations"));
        } else if let Err(error) = (queue.hold)(declarations) {
            problems.push(format!("`{name}` pushes to `{what}`: {error}"));
        }
    }
}
