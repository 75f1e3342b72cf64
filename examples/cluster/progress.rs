//! Plain log lines, where there is no terminal for the table.

use std::time::Duration;

use formicary::{Broker, Events, Queue};

use crate::queues;

const EVERY: Duration = Duration::from_secs(5);

/// Logs a line every 5 s, for ever.
pub async fn report(events: Events, broker: Broker) {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + EVERY, EVERY);
    loop {
        ticks.tick().await;
        match broker.inspect(queues::Mailer::NAME).await {
            Ok(queue) => tracing::info!(
                waiting = queue.waiting,
                in_flight = queue.in_flight,
                delayed = queue.delayed,
                dead = queue.dead,
                "{}",
                counters(&events)
            ),
            Err(error) => tracing::info!("{}; the queue is not known: {error}", counters(&events)),
        }
    }
}

/// Every counter that is not 0.
pub fn counters(events: &Events) -> String {
    let counted: Vec<_> = events.counters().into_iter().filter(|(_, count)| *count > 0).collect();
    match counted.is_empty() {
        true => "nothing has happened yet".to_owned(),
        false => counted.iter().map(|(word, count)| format!("{word}={count}")).collect::<Vec<_>>().join(" "),
    }
}
