//! As a RabbitMQ has it, and another program on it: the driver, without anything of ours.

use formicary::contract::{Counts, DeadCounts};
use formicary::protocol::{Entry, Failure};
use formicary_test_support::rabbitmq::Place;
use lapin::message::BasicGetMessage;
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

const DELAYED: &str = "jobs.delayed.";

async fn connect(url: &str) -> (Connection, Channel) {
    let runtime = lapin::runtime::default_runtime().unwrap();
    let connection = Connection::connect_with_runtime(url, ConnectionProperties::default(), runtime).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

pub async fn push_bodies(url: &str, bodies: &[String]) {
    let (connection, channel) = connect(url).await;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("jobs".into(), durable, FieldTable::default()).await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let mut confirms = Vec::new();
    for body in bodies {
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish("".into(), "jobs".into(), options, body.as_bytes(), persistent.clone());
        confirms.push(sent.await.unwrap());
    }
    for confirm in confirms {
        assert!(confirm.await.unwrap().is_ack());
    }
    connection.close(200, "done".into()).await.unwrap();
}

/// `inspect` of a process knows neither what others have in hand nor their delays; the server does.
pub async fn counts(place: &Place<'_>) -> Counts {
    let mut counts = Counts::new(0, 0, 0, DeadCounts::default());
    for queue in place.queues().await {
        match &*queue.name {
            "jobs" => (counts.waiting, counts.in_flight) = (queue.ready, queue.unacked),
            "jobs.dead" => counts.dead = queue.ready + queue.unacked,
            name if name.starts_with(DELAYED) => counts.delayed += queue.ready + queue.unacked,
            _ => {}
        }
    }
    counts
}

pub async fn delayed(place: &Place<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for queue in place.queues().await {
        if queue.name.starts_with(DELAYED) {
            entries.extend(look(&place.url(), &queue.name).await.iter().map(entry));
        }
    }
    entries
}

pub async fn waiting(url: &str, queue: &str) -> Vec<String> {
    let messages = look(url, queue).await;
    messages.into_iter().map(|message| String::from_utf8(message.delivery.data).unwrap()).collect()
}

/// All that waits in a queue; it goes back there.
async fn look(url: &str, queue: &str) -> Vec<BasicGetMessage> {
    let (connection, channel) = connect(url).await;
    let mut seen = Vec::new();
    while let Some(message) = channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap() {
        seen.push(message);
    }
    connection.close(200, "done".into()).await.unwrap();
    seen
}

/// From the headers that docs/rabbitmq.md tells of.
fn entry(message: &BasicGetMessage) -> Entry {
    let properties = &message.delivery.properties;
    let headers = properties.headers().as_ref().unwrap().inner();
    let number = |name| match headers.get(name) {
        Some(AMQPValue::LongLongInt(number)) => u64::try_from(*number).unwrap(),
        other => panic!("{name}: {other:?}"),
    };
    let history: Vec<Failure> = match headers.get("x-formicary-history") {
        Some(AMQPValue::LongString(text)) => serde_json::from_slice(text.as_bytes()).unwrap(),
        other => panic!("{other:?}"),
    };
    let id = properties.message_id().as_ref().unwrap().as_str();
    let body = message.delivery.data.clone().into();
    let mut entry = Entry::new(id, number("x-formicary-first-seen"), body);
    entry.attempt = number("x-formicary-attempt").try_into().unwrap();
    entry.history = history;
    entry
}
