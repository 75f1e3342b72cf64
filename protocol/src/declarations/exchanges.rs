//! Exchanges: they are declared by the queues that are bound to them.

use std::collections::BTreeMap;

use super::{Declarations, QueueDeclaration};
use crate::topic_matches;

impl QueueDeclaration {
    /// Whether a message comes into the queue that was sent to its exchange with this topic. A queue without `topics` gets
    /// all; one without an exchange, none.
    ///
    /// ```
    /// # use formicary_protocol::Declarations;
    /// let text = r#"{"queues": [{"name": "audit", "exchange": "events", "topics": ["*.created", "audit"]}]}"#;
    /// let declarations = Declarations::parse(text, "signals.json")?;
    /// let audit = declarations.queue("audit").unwrap();
    /// assert!(audit.takes("user.created") && !audit.takes("user.deleted"));
    /// # Ok::<(), formicary_protocol::Error>(())
    /// ```
    #[must_use]
    pub fn takes(&self, topic: &str) -> bool {
        let any = || self.topics.is_empty() || self.topics.iter().any(|pattern| topic_matches(pattern, topic));
        self.exchange.is_some() && any()
    }
}

impl Declarations {
    /// The queues that are bound to an exchange, by name.
    pub fn bound_to<'d>(&'d self, exchange: &'d str) -> impl Iterator<Item = &'d QueueDeclaration> {
        self.queues().filter(move |queue| queue.exchange.as_deref() == Some(exchange))
    }
}

/// The exchanges of which one queue has topics and another has none. A server has one kind of exchange or the other.
pub(super) fn contradictions(queues: &BTreeMap<String, QueueDeclaration>) -> Vec<String> {
    let mut firsts: BTreeMap<&str, &QueueDeclaration> = BTreeMap::new();
    let mut told = Vec::new();
    for queue in queues.values() {
        let Some(exchange) = queue.exchange.as_deref() else { continue };
        let first = *firsts.entry(exchange).or_insert(queue);
        if first.topics.is_empty() != queue.topics.is_empty() && !told.iter().any(|(of, _)| *of == exchange) {
            let (with, without) = if first.topics.is_empty() { (queue, first) } else { (first, queue) };
            let (with, without) = (&with.name, &without.name);
            let problem = format!(
                "the queues {with:?} and {without:?} are bound to the exchange {exchange:?}, one with topics and one \
                 without: give both topics (\"#\" takes all), or neither"
            );
            told.push((exchange, problem));
        }
    }
    told.into_iter().map(|(_, problem)| problem).collect()
}
