use std::rc::Rc;

use tokio::time::{Instant, sleep_until};

use super::acks;
use super::connection::Link;
use super::consumer::Consumer;
use super::copies::Copying;
use super::session::{End, Session};
use crate::amqp::CommandError;
use crate::broker::pause::Pause;
use crate::broker::settled;
use crate::contract::Consume;
use crate::error::Error;

/// Begins to consume, and goes on until the consumer is cancelled and nothing of it is in hand.
pub(super) async fn consume(link: Rc<Link>, consume: Consume) {
    let consumer = Rc::new(Consumer::new(&consume));
    if consume.dedup.is_some() {
        let what = "remember keys: leave `dedup` out, or use another broker".to_owned();
        return consume.reply.send(Err(Error::Unsupported { adapter: "amqp", what }));
    }
    let deadline = crate::clock::after(link.context.env.limits.send_deadline);
    let opened = async {
        // Without it there would be neither retries nor dead letters.
        link.publishing.link(deadline).await?;
        Session::open(&link, &consumer, deadline).await
    };
    let session = match opened.await {
        Ok(_) if link.closed.get() => return consume.reply.send(Err(Error::Closed("the broker"))),
        Ok(session) => session,
        Err(error) => return consume.reply.send(Err(refused(&link, &consumer, error))),
    };
    link.consumers.borrow_mut().insert(consume.id, consumer.clone());
    consume.reply.send(Ok(()));
    serve(&link, &consumer, session).await;
    link.consumers.borrow_mut().remove(&consume.id);
    consumer.leaving.end_intake();
    consumer.leaving.leave();
}

fn refused(link: &Link, consumer: &Consumer, error: CommandError) -> Error {
    match error {
        CommandError::Refused { message, .. } => {
            Error::Refused { what: format!("the consumer of queue `{}`", consumer.queue), reason: message }
        }
        CommandError::NotSent(reason) | CommandError::Unknown(reason) => {
            Error::Unreachable { what: "broker", address: link.publishing.endpoint().to_string(), reason }
        }
    }
}

async fn serve(link: &Rc<Link>, consumer: &Rc<Consumer>, mut session: Session) {
    let mut pause = Pause::default();
    loop {
        let since = Instant::now();
        let end = session.run(link, consumer).await;
        lose(link, consumer, session);
        match end {
            End::Done => return,
            End::Disconnected => {}
            End::Ended(why) => {
                link.say("consumer ended", consumer, &format!("the server ended its channel: {why}; consuming again"));
                link.topology.forget();
            }
        }
        if since.elapsed() > Pause::MOST {
            pause = Pause::default();
        }
        match again(link, consumer, &mut pause).await {
            Some(next) => session = next,
            None => return,
        }
    }
}

/// Nothing that came on the channel is ours any more.
fn lose(link: &Link, consumer: &Consumer, session: Session) {
    let events = &link.context.env.events;
    // Written and not answered: done, or to be delivered again. Nobody may take it for done.
    session.unproved().chain(acks::give_up(consumer)).for_each(|one| one.late(events, consumer));
    for _ in 0..consumer.lose_all() {
        settled::late(events, &consumer.queue, &consumer.name);
    }
    let stuck = consumer.stuck.borrow_mut().take();
    stuck.into_iter().for_each(Copying::lost);
}

/// The next session; none when the consumer was cancelled meanwhile.
async fn again(link: &Rc<Link>, consumer: &Consumer, pause: &mut Pause) -> Option<Session> {
    loop {
        pause.lengthen();
        let end = pause.end().unwrap_or_else(Instant::now);
        let opened = async {
            sleep_until(end).await;
            Session::open(link, consumer, crate::clock::after(link.context.env.limits.send_deadline)).await
        };
        let cancelled = async {
            while !consumer.is_cancelled() {
                consumer.changed.notified().await;
            }
        };
        let opened = tokio::select! {
            biased;
            () = cancelled => return None,
            opened = opened => opened,
        };
        match opened {
            Ok(session) => return Some(session),
            Err(CommandError::Refused { message, .. }) => {
                link.say(
                    "queue refused",
                    consumer,
                    &format!("the server refuses to give messages: {message}; trying again"),
                );
            }
            // Those of the connection that publishes are told once for all.
            Err(error) if link.publishing.now().is_some() => {
                link.say("queue away", consumer, &format!("its queue cannot be consumed: {error}; trying again"));
            }
            Err(_) => {}
        }
    }
}
