use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use formicary_protocol::{Declarations, QueueDeclaration, check_topic, topic_matches};

use crate::contract::Outgoing;

/// The exchanges, with the queues that groups have declared for them. A queue stays bound for as long as the broker lives.
#[derive(Default)]
pub(super) struct Exchanges(BTreeMap<String, Exchange>);

struct Exchange {
    /// Whether it looks at topics; one that does not gives every message to every queue.
    by_topic: bool,
    /// Each with its patterns.
    queues: BTreeMap<Arc<str>, BTreeSet<String>>,
}

/// Where a message goes.
pub(super) enum Route {
    /// Into the queue that it was sent to.
    Queue,
    /// Into these, for its exchange.
    Queues(Vec<Arc<str>>),
}

impl Route {
    pub(super) fn queues<'a>(&'a self, sent_to: &'a Arc<str>) -> &'a [Arc<str>] {
        match self {
            Self::Queue => std::slice::from_ref(sent_to),
            Self::Queues(queues) => queues,
        }
    }
}

impl Exchanges {
    /// Binds a queue to its exchange, if it has one.
    ///
    /// # Errors
    /// When the exchange is of the other kind, for another group that has declared it.
    pub(super) fn bind(&mut self, queue: &QueueDeclaration) -> Result<(), String> {
        let Some(name) = &queue.exchange else { return Ok(()) };
        let by_topic = !queue.topics.is_empty();
        let exchange = self.0.entry(name.clone()).or_insert_with(|| Exchange { by_topic, queues: BTreeMap::default() });
        if exchange.by_topic != by_topic {
            let (here, there) = if by_topic { ("topics", "none") } else { ("no topics", "some") };
            return Err(format!("the queue is declared with {here}, and other queues of the exchange with {there}"));
        }
        exchange.queues.entry(queue.name.as_str().into()).or_default().extend(queue.topics.iter().cloned());
        Ok(())
    }

    /// Where a message goes, by the declarations of its sender.
    ///
    /// # Errors
    /// Why it goes nowhere.
    pub(super) fn route(&self, declarations: &Declarations, outgoing: &Outgoing) -> Result<Route, String> {
        let Outgoing { queue, options, .. } = outgoing;
        let exchange = declarations.queue(queue).and_then(|queue| queue.exchange.as_deref());
        let Some(name) = exchange else {
            return match &options.topic {
                None => Ok(Route::Queue),
                Some(topic) => Err(format!(
                    "the topic `{topic}` is for an exchange, and the queue `{queue}` has none: declare it with `exchange` \
                     and `topics`, or send without a topic"
                )),
            };
        };
        let topic = options.topic.as_deref().unwrap_or(queue);
        check_topic(topic).map_err(|error| error.to_string())?;
        let unbound = || format!("unroutable: no queue is bound to the exchange `{name}`");
        let exchange = self.0.get(name).ok_or_else(unbound)?;
        let bound = exchange
            .queues
            .iter()
            .filter(|(_, patterns)| !exchange.by_topic || patterns.iter().any(|pattern| topic_matches(pattern, topic)));
        let queues: Vec<_> = bound.map(|(queue, _)| queue.clone()).collect();
        match queues.is_empty() {
            true => Err(exchange.unroutable(name, topic)),
            false => Ok(Route::Queues(queues)),
        }
    }
}

impl Exchange {
    fn unroutable(&self, name: &str, topic: &str) -> String {
        const TOLD: usize = 8;
        let mut patterns = self
            .queues
            .iter()
            .flat_map(|(queue, patterns)| patterns.iter().map(move |pattern| format!("`{pattern}` of `{queue}`")));
        let mut told: Vec<_> = patterns.by_ref().take(TOLD).collect();
        match patterns.count() {
            0 => {}
            more => told.push(format!("{more} more")),
        }
        let told = told.join(", ");
        format!("unroutable: the topic `{topic}` matches no queue of the exchange `{name}`, which has {told}")
    }
}
