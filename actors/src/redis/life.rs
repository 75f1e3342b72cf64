//! The life of a connection: connect, subscribe, watch, replace.

use super::{
    ConnectError, State,
    connection::Shared,
    link::{BARRIER, Link, ended, within},
    subscription::drain,
};
use crate::connection::{self, Backoff, Pong, Reason};
use fred::{clients::Client, error::ErrorKind, interfaces::ClientLike};
use std::{collections::BTreeSet, mem::discriminant, rc::Rc};
use tokio::time::{Instant, sleep};

pub(super) async fn run(shared: Rc<Shared>, mut backoff: Backoff) {
    let mut told: Option<ConnectError> = None;
    loop {
        let reason = match attempt(&shared).await {
            Ok(link) => {
                let since = Instant::now();
                up(&shared, &link, told.take().is_some());
                let reason = watch(&shared, link).await;
                backoff.lasted(since.elapsed());
                reason
            }
            Err(reason) => reason,
        };
        let reason = reason.scrubbed(&shared.endpoint);
        shared.gate.close(reason.to_string());
        // One line for an outage; another only if what is wrong is of another kind now.
        let news = told.as_ref().is_none_or(|old| reason.is_permanent() && discriminant(old) != discriminant(&reason));
        if news && shared.settings.quiet {
            tracing::debug!("{}: no connection to {}: {reason}", shared.role, shared.endpoint);
        } else if news {
            tracing::warn!(
                "{}: no connection to {}: {reason}; trying again until it is back",
                shared.role,
                shared.endpoint
            );
        }
        if news {
            told = Some(reason.clone());
        }
        shared.tell(&State::Down { reason });
        sleep(backoff.next()).await;
    }
}

async fn attempt(shared: &Shared) -> Result<Link, ConnectError> {
    shared.forget_breaks();
    let name = format!("formicary:{}", shared.role.replace(char::is_whitespace, "-"));
    within(shared.settings.connect_timeout, async {
        let link = Link::connect(&shared.endpoint, &shared.settings, &name, shared.sink.is_some()).await?;
        let mut live = BTreeSet::new();
        loop {
            let missing: Vec<_> = shared.patterns.borrow().difference(&live).cloned().collect();
            link.subscribe(missing.clone()).await?;
            live.extend(missing);
            // One may have been added meanwhile; after this look nothing comes between it and the opening of the gate.
            if shared.patterns.borrow().is_subset(&live) {
                return Ok(link);
            }
        }
    })
    .await
}

fn up(shared: &Shared, link: &Link, was_down: bool) {
    let generation = shared.connected.get() + 1;
    shared.connected.set(generation);
    shared.cluster.set(link.is_cluster);
    if was_down && !shared.settings.quiet {
        tracing::info!("{}: connected to {} again", shared.role, shared.endpoint);
    }
    shared.tell(&State::Up { generation });
    shared.gate.open(link.wire());
}

// Returns when the link is dead. It is dropped here: with it its socket and all that it still held.
async fn watch(shared: &Shared, mut link: Link) -> ConnectError {
    let client = link.client.clone();
    let alive = connection::watch(
        shared.settings.heartbeat,
        || shared.activity.get(),
        || shared.blocking.get() > 0,
        || ping(client.clone()),
    );
    let (router, messages) = link.parts();
    let received = async {
        match &shared.sink {
            Some(sink) => drain(messages, sink, &shared.activity).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        reason = shared.broken() => reason,
        text = ended(router) => ConnectError::Unreachable(text),
        text = alive => ConnectError::Unreachable(text),
        () = received => ConnectError::Unreachable("the message stream ended".to_owned()),
    }
}

async fn ping(client: Client) -> Pong {
    match client.ping::<String>(Some(BARRIER.to_owned())).await {
        Ok(text) if text == BARRIER => Pong::Answered,
        Ok(_) => Pong::OutOfStep,
        Err(error) if matches!(error.kind(), ErrorKind::Canceled | ErrorKind::IO) => Pong::Gone,
        Err(_) => Pong::Answered,
    }
}
