//! Bindings that come and go.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use lapin::options::QueueBindOptions;
use lapin::types::{FieldTable, ShortString};
use tokio::time::{Instant, sleep, timeout_at};

use super::names::binding;
use super::shared::Shared;
use crate::amqp::{CommandError, done_by};
use crate::contract::Subscribe;
use crate::error::Error;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// Subscribes, and answers when it is live. A connection that is lost meanwhile is waited for; from then on the
/// subscription is kept over every reconnect.
pub(super) async fn subscribe(shared: Rc<Shared>, subscribe: Subscribe) {
    let Subscribe { id, signal, inlet, reply } = subscribe;
    let what = || format!("the subscription to `{signal}`");
    let key = match binding(&signal) {
        Ok(key) => key,
        Err(reason) => return reply.send(Err(Error::Refused { what: what(), reason })),
    };
    let deadline = crate::clock::after(shared.context.env.limits.send_deadline);
    shared.subscriptions.insert(signal.clone(), id, inlet);
    let mut bind = Box::pin(bind(shared.clone(), signal.clone(), key, deadline));
    let mut is_answered = false;
    let bound = async {
        let ended = (&mut bind).await;
        is_answered = true;
        ended
    };
    let failed = match done_by(deadline, &what(), bound).await {
        Ok(()) => return reply.send(Ok(())),
        Err(error) => error,
    };
    shared.subscriptions.remove(id);
    if !is_answered {
        // It is not left before the server has answered: then the binding can be taken back.
        actix_rt::spawn(async move { drop(bind.await) });
    }
    reply.send(Err(match failed {
        CommandError::Refused { message, .. } => Error::Refused { what: what(), reason: message },
        CommandError::NotSent(reason) | CommandError::Unknown(reason) => {
            Error::Unreachable { what: "bus", address: shared.connection.endpoint().to_string(), reason }
        }
    }));
}

/// Binds, and tries again until the deadline. Who has given the subscription up meanwhile needs no binding: those signals would
/// come for nobody.
async fn bind(shared: Rc<Shared>, signal: Arc<str>, key: ShortString, deadline: Instant) -> Result<(), CommandError> {
    loop {
        match change(&shared, deadline, Change::Bind, &key).await {
            // Those who know of the loss first have to run before there is a sense in trying again.
            Err(CommandError::NotSent(_) | CommandError::Unknown(_)) if Instant::now() < deadline => {
                sleep(PAUSE).await;
            }
            Ok(()) if !shared.subscriptions.hears(&signal) => {
                unbind(shared, signal).await;
                return Ok(());
            }
            ended => return ended,
        }
    }
}

/// Ends the binding of a signal that nobody here hears any more.
pub(super) async fn unbind(shared: Rc<Shared>, signal: Arc<str>) {
    let Ok(key) = binding(&signal) else { return };
    let deadline = crate::clock::after(shared.context.env.limits.send_deadline);
    // What still comes is nobody's; an error means that the connection, and with it the binding, is gone. Never left before
    // it is answered: a later binding goes through another channel then, and this one might overtake it at the server.
    drop(change(&shared, deadline, Change::Unbind(&signal), &key).await);
}

enum Change<'a> {
    Bind,
    Unbind(&'a Arc<str>),
}

/// One change after the other, so that the last word is the last here, too.
async fn change(shared: &Shared, deadline: Instant, change: Change<'_>, key: &ShortString) -> Result<(), CommandError> {
    let link = shared.connection.link(deadline).await?;
    let lost = || CommandError::Unknown("the connection was lost".to_owned());
    let live = shared.live().filter(|live| live.generation == link.generation()).ok_or_else(lost)?;
    // A blocked connection is not read: nobody would answer, and that is no reason to give it up.
    if timeout_at(deadline, live.unblocked()).await.is_err() {
        return Err(shared.refusal());
    }
    let mut binder = live.binder.lock().await;
    if let Change::Unbind(signal) = change
        && shared.subscriptions.hears(signal)
    {
        return Ok(());
    }
    let channel = match binder.take() {
        Some(channel) => channel,
        None => link.channel().await?,
    };
    let (queue, exchange, key) = (live.signals.clone(), shared.exchange.clone(), key.clone());
    let none = FieldTable::default();
    match change {
        Change::Bind => {
            link.answered(channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), none)).await?;
        }
        Change::Unbind(_) => link.answered(channel.queue_unbind(queue, exchange, key, none)).await?,
    }
    *binder = Some(channel);
    Ok(())
}
