//! The life of an adapter: made, used, closed.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use formicary_actors::broker::{Broker, Intake};
use formicary_actors::contract::{ConnectionState, DedupBy, Letters};
use formicary_actors::{Error, SendError};
use serde_json::json;
use tokio::time::Instant;

use super::fate::{Fate, Fates, held_against, try_send};
use super::fault::Fault;
use super::stage::{Stage, env, slack, up};
use super::taker::{SOON, Taker, number, send};
use crate::left_out::Verdict;
use crate::port::Port;
use crate::proxy::Proxy;
use crate::wait::until;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(2)
}

/// An adapter is made without a word to its server: one whose server is not there is made at once, and says how it is.
pub(crate) async fn an_adapter_is_made_without_its_server(stage: &mut Stage) -> Verdict {
    // Nobody listens there.
    let port = Port::take();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()));
    let config = stage.reaching(address)?;
    let begun = std::time::Instant::now();
    let broker = config.start(env()).unwrap();
    let took = begun.elapsed();
    assert!(took < slack(), "to make it took {took:?}");
    assert!(broker.connection() != ConnectionState::Up, "connected with nobody");
    broker.describe().await.unwrap();
    until(SOON, "a word of it", async || matches!(broker.connection(), ConnectionState::Down { .. })).await;
    Ok(())
}

/// Outside of an actix system an adapter is refused, and panics nowhere.
pub(crate) async fn a_thread_without_a_system_is_told_so(stage: &mut Stage) -> Verdict {
    let config = stage.place.broker();
    let said = std::thread::spawn(move || config.start(env()).map(|_| ())).join();
    let said = said.expect("it panicked");
    assert!(matches!(said, Err(Error::NoSystem)), "{said:?}");
    Ok(())
}

/// When `consume` has returned, what is sent comes. While the server does not hear, it does not say that it consumes.
pub(crate) async fn a_consumer_is_there_when_it_says_so(stage: &mut Stage) -> Verdict {
    let (broker, sender) = (stage.broker(), stage.broker());
    let taker = Taker::of(&broker, "mailer", 4).await;
    send(&sender, "mailer", 0..1).await;
    taker.ack(&taker.one().await).await;
    taker.cancel().await;
    match stage.proxy().await {
        Ok(proxy) => is_there_when_it_is_heard(stage, &proxy, &sender).await,
        Err(_) => Ok(()),
    }
}

async fn is_there_when_it_is_heard(stage: &Stage, proxy: &Proxy, sender: &Broker) -> Verdict {
    let mut hasty = env();
    hasty.limits.send_deadline = Duration::from_millis(500);
    let broker = stage.behind_in(proxy, hasty);
    up(&broker, SOON).await;
    Fault::Unheard.begin(proxy).await;
    let taker = Taker::asked_for_before(&broker, async || Fault::Unheard.end(proxy).await).await;
    send(sender, "mailer", 1..2).await;
    taker.ack(&taker.one().await).await;
    Ok(())
}

/// Nothing comes after a cancel has returned; what is out may still be settled.
pub(crate) async fn nothing_comes_after_a_cancel(stage: &mut Stage) -> Verdict {
    let broker = stage.broker();
    let taker = Taker::of(&broker, "mailer", 4).await;
    send(&broker, "mailer", 0..1).await;
    let one = taker.one().await;
    taker.cancel().await;
    send(&broker, "mailer", 1..3).await;
    taker.ack(&one).await;
    let other = Taker::of(&broker, "mailer", 4).await;
    let got: Vec<_> = other.next(2).await.iter().map(number).collect();
    assert_eq!((got, taker.held()), (vec![1, 2], 0));
    Ok(())
}

/// What is closed refuses everything with an error, at once.
pub(crate) async fn what_is_closed_refuses_everything(stage: &mut Stage) -> Verdict {
    let broker = stage.broker();
    let taker = Taker::of(&broker, "mailer", 4).await;
    broker.close(soon()).await;
    assert_eq!(broker.connection(), ConnectionState::Closed);
    let begun = std::time::Instant::now();
    let error = broker.dynamic("mailer", &json!(1)).await.unwrap_err();
    assert!(matches!(error, Error::Send(SendError::NotSent { .. })), "{error}");
    broker.inspect("mailer").await.unwrap_err();
    broker.declare("mailer").await.unwrap_err();
    broker.peek("mailer", Letters::all()).await.unwrap_err();
    taker.again().await.unwrap_err();
    taker.cancel().await;
    assert!(begun.elapsed() < Duration::from_secs(1), "the errors took {:?}", begun.elapsed());
    Ok(())
}

/// Closing twice is fine, also beside each other.
pub(crate) async fn closing_twice_is_fine(stage: &mut Stage) -> Verdict {
    let broker = stage.broker();
    send(&broker, "mailer", 0..1).await;
    tokio::join!(broker.close(soon()), broker.close(soon()));
    broker.close(soon()).await;
    Ok(())
}

/// What an adapter lacks is refused when a consumer asks for it: an outbox, keys that are remembered, ids of senders.
pub(crate) async fn a_consumer_that_asks_for_too_much_is_refused(stage: &mut Stage) -> Verdict {
    let broker = stage.broker();
    let can = broker.describe().await.unwrap().capabilities;
    type Ask = fn(Intake) -> Intake;
    let asks: [(bool, Ask); 3] = [
        (can.outbox, |intake| intake.outbox([Arc::from("second")])),
        (can.dedup, |intake| intake.dedup(DedupBy::Key)),
        (can.dedup && can.headers, |intake| intake.dedup(DedupBy::Id)),
    ];
    for (can, ask) in asks {
        let asked = Taker::try_with(&broker, "mailer", 1, ask).await.map(|_| ());
        assert_eq!(asked.is_ok(), can, "{asked:?}");
    }
    Ok(())
}

/// What was accepted before a close under load is there afterwards, what was refused is not, and what was in hand goes
/// back.
pub(crate) async fn a_close_under_load_loses_nothing(stage: &mut Stage) -> Verdict {
    let (broker, look) = (stage.broker(), stage.broker());
    let taker = Taker::of(&broker, "mailer", 8).await;
    let sending: Vec<_> = (0..8).map(|sender| actix_rt::spawn(send_until_refused(broker.clone(), sender))).collect();
    until(SOON, "load", async || taker.held() == 8).await;
    broker.close(soon()).await;
    let mut fates = Fates::new();
    for sender in sending {
        fates.extend(sender.await.unwrap());
    }
    drop((taker, broker));
    until(SOON, "what was in hand to go back", async || look.inspect("mailer").await.unwrap().in_flight == 0).await;
    let waiting = look.inspect("mailer").await.unwrap().waiting as usize;
    let taker = Taker::of(&look, "mailer", waiting + 1).await;
    let got: BTreeSet<_> = taker.next(waiting).await.iter().map(number).collect();
    held_against(&fates, &got);
    Ok(())
}

async fn send_until_refused(broker: Broker, sender: u64) -> Vec<(u64, Fate)> {
    let mut fates = Vec::new();
    for n in (0..5_000).map(|n| sender * 5_000 + n) {
        let fate = try_send(&broker, n).await;
        fates.push((n, fate));
        if fate == Fate::NotSent {
            break;
        }
        // Lets time pass where there is none but tokio's.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    fates
}
