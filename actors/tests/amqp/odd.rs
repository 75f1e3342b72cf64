//! Messages of other programs that the driver would end the connection for, again and again: the server delivers them anew.

use std::sync::Arc;

use formicary_actors::contract::{Delivered, Letters, Outcome};
use formicary_actors::events::EventKind;
use formicary_protocol::DeadReason;
use formicary_test_support::{rabbitmq, require_rabbitmq};

use crate::bus_common::{self, Inbox};
use crate::common::{Tray, broker, consume, counts, send, settle};

/// Properties with texts that are no UTF-8, and a table in tables in tables.
const ODD: &str = r#"[{message_id, <<"i",255>>}, {correlation_id, <<240,159>>}, {type, <<"gr", 252, "n">>},
    {headers, [{<<"k",200>>, longstr, <<"v">>},
        lists:foldl(fun (_, Inner) -> {<<"deep">>, table, [Inner]} end, {<<"end">>, long, 1}, lists:seq(1, 2000))]}]"#;

fn said<'d>(one: &'d Delivered, name: &str) -> Option<&'d str> {
    one.metadata.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn undisturbed(events: &formicary_actors::events::Events) {
    assert_eq!(events.count(EventKind::Disconnected), 0, "the connection is still the first");
}

#[actix::test]
async fn a_message_whose_names_are_no_utf_8_is_delivered_and_ends_no_connection() {
    if !require_rabbitmq("a_message_whose_names_are_no_utf_8_is_delivered_and_ends_no_connection") {
        return;
    }
    let place = rabbitmq::shared("odd-names").await;
    let broker = broker(&place.url());
    let (fan, fan_tray) = consume(&broker, "fan_a", 4).await;
    let (mailer, tray): (_, Arc<Tray>) = consume(&broker, "mailer", 4).await;
    place.publish_odd("events", b"any\xffkey", "[]", b"1").await;
    place.publish_odd("", b"mailer", ODD, b"2").await;
    send(&broker, 3..4).await;
    let got = fan_tray.until(1).await;
    assert_eq!((&*got[0].body, said(&got[0], "routing_key")), (&b"1"[..], Some("any?key")));
    broker.settled(fan, settle(&got[0], Outcome::Ack)).await.unwrap();
    let got = tray.until(2).await;
    assert_eq!((&*got[0].body, &*got[0].id, &*got[1].body), (&b"2"[..], "i?", &b"3"[..]));
    let texts = ["correlation_id", "type", "k?"].map(|name| said(&got[0], name));
    assert_eq!(texts, [Some("??"), Some("gr?n"), Some("v")]);
    // It goes the way of any other: again, to the dead letters, and back.
    broker.settled(mailer, settle(&got[0], Outcome::Return)).await.unwrap();
    let again = tray.until(3).await;
    let dead = Outcome::Dead { reason: DeadReason::Rejected };
    broker.settled(mailer, settle(&again[2], dead)).await.unwrap();
    place.publish_odd("", b"mailer.dead", ODD, b"4").await;
    counts(&broker, "two dead letters", (0, 1, 0, 2)).await;
    let letters = broker.peek("mailer", Letters::all()).await.unwrap();
    let ids: Vec<_> = letters.iter().map(|letter| (&*letter.entry.id, &*letter.entry.body)).collect();
    assert_eq!(ids, [("i?", &b"2"[..]), ("i?", &b"4"[..])]);
    undisturbed(&broker.env().events);
}

#[actix::test]
async fn a_signal_whose_key_is_no_utf_8_ends_no_connection() {
    if !require_rabbitmq("a_signal_whose_key_is_no_utf_8_ends_no_connection") {
        return;
    }
    let place = rabbitmq::shared("odd-signals").await;
    let (bus, inbox) = (bus_common::bus(&place.url()), Arc::new(Inbox::default()));
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    place.publish_odd("PUBSUB", b"ping.s\xffnder", "[]", b"{\"n\":1}").await;
    place.publish_odd("PUBSUB", b"ping.me", ODD, b"{\"n\":2}").await;
    bus.publish("me", &bus_common::Ping { n: 3 }).await.unwrap();
    let got = inbox.until(3).await;
    assert_eq!(inbox.bodies(), [1, 2, 3].map(|n| format!("{{\"n\":{n}}}")));
    assert_eq!(&*got[0].sender, "s?nder");
    undisturbed(&bus.env().events);
}
