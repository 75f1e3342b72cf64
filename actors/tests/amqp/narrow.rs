//! A line on which one message needs longer than a server may be silent.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use formicary_actors::AmqpConfig;
use formicary_actors::contract::Outcome;
use formicary_actors::events::EventKind;
use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::{rabbitmq, require_rabbitmq, wait};
use serde_json::json;

use crate::common::{S, broker, broker_of, consume, settle};

const HEARTBEAT: Duration = Duration::from_millis(500);
/// Each 10 ms: 40 kB a second.
const PIECE: NonZeroUsize = NonZeroUsize::new(400).unwrap();

/// The message arrives: each piece of it is a sign of life.
#[actix::test]
async fn a_large_message_on_a_narrow_line_is_no_outage() {
    if !require_rabbitmq("a_large_message_on_a_narrow_line_is_no_outage") {
        return;
    }
    let place = rabbitmq::shared("narrow-line").await;
    let proxy = Proxy::start(place.server().port()).await;
    let config: AmqpConfig = place.url_by(proxy.port()).parse().unwrap();
    let (narrow, wide) = (broker_of(config.heartbeat(HEARTBEAT)), broker(&place.url()));
    let (consumer, tray) = consume(&narrow, "mailer", 1).await;
    proxy.set_to_client(Mode::Trickle(PIECE));
    let begun = Instant::now();
    wide.dynamic("mailer", &json!("x".repeat(100_000))).await.unwrap();
    let came = tray.until(1).await;
    assert!(begun.elapsed() > 4 * HEARTBEAT, "the line is not narrow: it came after {:?}", begun.elapsed());
    narrow.settled(consumer, settle(&came[0], Outcome::Ack)).await.unwrap();
    wait::until(5 * S, "an empty queue", async || wide.inspect("mailer").await.unwrap().left() == 0).await;
    assert_eq!((narrow.env().events.count(EventKind::Disconnected), tray.len()), (0, 1));
}
