//! What is sent arrives, where it should.

use formicary_protocol::Bytes;

use super::stage::Stage;
use super::taker::{Taker, send};
use crate::left_out::Verdict;

/// Bodies arrive byte for byte, each with an id of its own, at its first attempt, with the time of its first delivery.
pub(crate) async fn messages_come_as_they_were_sent(stage: &mut Stage) -> Verdict {
    let broker = stage.broker();
    send(&broker, "mailer", 0..3).await;
    let taker = Taker::of(&broker, "mailer", 8).await;
    let mut got = taker.next(3).await;
    got.sort_by(|one, other| one.body.cmp(&other.body));
    for (n, one) in got.iter().enumerate() {
        assert_eq!((&one.body, one.attempt, one.history.len()), (&Bytes::from(n.to_string()), 1, 0));
        assert!(one.first_seen_ms > 0, "it does not say when it was delivered first");
        taker.ack(one).await;
    }
    assert!(got[0].id != got[1].id && got[1].id != got[2].id, "ids are not of one message each");
    Ok(())
}

/// A message goes to its queue and to no other.
pub(crate) async fn topics_are_apart(stage: &mut Stage) -> Verdict {
    let broker = stage.broker();
    let (mailer, second) = (Taker::of(&broker, "mailer", 16).await, Taker::of(&broker, "second", 16).await);
    for n in 0..20 {
        send(&broker, if n % 2 == 0 { "mailer" } else { "second" }, n..n + 1).await;
    }
    for (taker, rest) in [(&mailer, 0), (&second, 1)] {
        for one in taker.next(10).await {
            assert_eq!(one.body[one.body.len() - 1] % 2, rest, "{:?} came to another queue", one.body);
            taker.ack(&one).await;
        }
        assert_eq!(taker.held(), 0);
    }
    Ok(())
}
