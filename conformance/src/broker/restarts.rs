//! Servers that restart in the middle of work.

use std::cell::Cell;
use std::rc::Rc;

use formicary_actors::contract::{Outcome, Settlement};

use super::cast::Ledger;
use super::fate::{Fate, try_send};
use super::stage::Stage;
use super::taker::{SOON, Taker, number};
use crate::left_out::Verdict;
use crate::wait::until;

const ALL: u64 = 10_000;
const SENDERS: u64 = 40;

/// The server restarts at a third and at a half of 10,000 messages, while others are being sent: all arrive. A sender that
/// does not know whether its message was taken sends it again; how many came twice is reported.
pub(crate) async fn all_arrive_although_the_server_restarts_twice(stage: &mut Stage) -> Verdict {
    stage.can("to keep messages over a restart", |can| can.persistent).await?;
    let ledger = Ledger::default();
    let again = Rc::new(Cell::new(0_u64));
    let consumers = [stage.broker(), stage.broker()];
    for broker in &consumers {
        let (taker, ledger) = (Taker::of(broker, "mailer", 64).await, ledger.clone());
        actix_rt::spawn(async move {
            loop {
                let some = taker.some().await;
                some.iter().for_each(|one| ledger.add(number(one)));
                taker.let_settle(some.iter().map(|one| Settlement::new(one.token, Outcome::Ack)).collect::<Vec<_>>());
            }
        });
    }
    let senders = [stage.broker(), stage.broker()];
    for sender in 0..SENDERS {
        let (broker, again) = (senders[sender as usize % 2].clone(), again.clone());
        actix_rt::spawn(async move {
            let share = ALL / SENDERS;
            for n in sender * share..(sender + 1) * share {
                while try_send(&broker, n).await != Fate::Sent {
                    again.set(again.get() + 1);
                }
            }
        });
    }
    for part in [ALL / 3, ALL / 2] {
        until(SOON * 3, format!("{part} messages"), async || ledger.len() as u64 >= part).await;
        assert!((ledger.len() as u64) < ALL, "all was done before the restart");
        stage.stop().await?;
        stage.restart().await?;
    }
    let look = &senders[0];
    until(SOON * 3, "all messages", async || ledger.distinct() as u64 == ALL).await;
    until(SOON, "an empty queue", async || look.inspect("mailer").await.is_ok_and(|counts| counts.left() == 0)).await;
    let (numbers, twice) = ledger.numbers();
    assert_eq!((numbers, look.inspect("mailer").await.unwrap().dead), ((0..ALL).collect(), 0));
    stage.report(format_args!("{ALL} messages, {twice} came twice, {} were sent again", again.get()));
    Ok(())
}
