//! The life of a connection: connect, set up, watch, replace.

use super::{CommandError, ConnectError, Link, Outage, State, connection::Shared};
use crate::connection::{self, Backoff, Pong};
use futures_util::StreamExt;
use lapin::Event;
use std::{convert::Infallible, pin::pin, rc::Rc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn run(shared: Rc<Shared>, mut backoff: Backoff) {
    let mut outage = Outage::new(&shared.role, &shared.endpoint).quiet(shared.settings.quiet);
    loop {
        let reason = match attempt(&shared).await {
            Ok(link) => {
                let since = Instant::now();
                up(&shared, &link, &mut outage);
                let reason = watch(&shared, &link).await;
                // Whoever still holds the link learns that it is gone.
                link.give_up(reason.clone());
                backoff.lasted(since.elapsed());
                reason
            }
            Err(reason) => reason,
        };
        let reason = reason.scrubbed(&shared.endpoint);
        drop(shared.link.send_replace(Err(reason.to_string())));
        let down = State::Down { reason };
        outage.see(&down);
        shared.tell(&down);
        sleep(backoff.next()).await;
    }
}

async fn attempt(shared: &Shared) -> Result<Rc<Link>, ConnectError> {
    let within = shared.settings.connect_timeout;
    let name = format!("formicary:{}", shared.role.replace(char::is_whitespace, "-"));
    let attempt = async {
        let link = Link::connect(&shared.endpoint, &shared.settings, &name, shared.connected.get() + 1).await?;
        let link = Rc::new(link);
        (shared.prepare)(link.clone()).await?;
        Ok(link)
    };
    timeout(within, attempt).await.unwrap_or(Err(ConnectError::TimedOut(within)))
}

fn up(shared: &Shared, link: &Rc<Link>, outage: &mut Outage) {
    let up = State::Up { generation: link.generation() };
    shared.connected.set(link.generation());
    outage.see(&up);
    shared.tell(&up);
    drop(shared.link.send_replace(Ok(link.clone())));
}

/// Returns when the link is dead.
async fn watch(shared: &Shared, link: &Link) -> ConnectError {
    let alive = connection::watch(
        shared.settings.heartbeat,
        || link.activity(),
        // A blocked connection is not read by the server; its own heartbeat still comes.
        || link.blocked.borrow().is_some(),
        || ping(link),
    );
    let mut broken = link.broken.subscribe();
    let given_up = async {
        match broken.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_else(|| ConnectError::Unreachable("given up".to_owned())),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        reason = given_up => reason,
        reason = lost(shared, link) => reason,
        text = alive => ConnectError::Unreachable(text),
        never = tell_of_odd_texts(shared, link) => match never {},
    }
}

/// At once when there are the first, then once a minute.
async fn tell_of_odd_texts(shared: &Shared, link: &Link) -> Infallible {
    loop {
        let times = link.mended.some().await;
        tracing::warn!(
            times,
            "{}: names or ids in messages of other programs are no UTF-8, or their headers are nested too deep: what is odd \
             stands there as `?`, or as bytes",
            shared.role
        );
        sleep(MINUTE).await;
    }
}

/// What the driver tells of the connection, until it tells that it is lost.
async fn lost(shared: &Shared, link: &Link) -> ConnectError {
    let mut events = pin!(link.connection.events_listener());
    // What happened before is told to nobody.
    if !link.connection.status().connected() {
        return ConnectError::Unreachable("the server closed the connection".to_owned());
    }
    if link.connection.status().blocked() {
        link.blocked.send_replace(Some("it is short of memory or disk".into()));
    }
    let mut since = Instant::now();
    while let Some(event) = events.next().await {
        match event {
            // Also the errors of single channels, which are their owners' business.
            Event::Error(error) if !link.connection.status().connected() => return ConnectError::from(&error),
            Event::ConnectionBlocked(reason) => {
                since = Instant::now();
                tracing::warn!("{}: the server takes nothing from us: {reason}", shared.role);
                link.blocked.send_replace(Some(reason.into()));
            }
            Event::ConnectionUnblocked => {
                tracing::info!("{}: the server takes messages again, after {:?}", shared.role, since.elapsed());
                link.blocked.send_replace(None);
            }
            _ => {}
        }
    }
    ConnectError::Unreachable("the driver has ended".to_owned())
}

async fn ping(link: &Link) -> Pong {
    match link.ping().await.map_err(CommandError::from) {
        Ok(()) | Err(CommandError::Refused { .. }) => Pong::Answered,
        // Whoever listens to the driver says why.
        Err(_) => Pong::Gone,
    }
}
