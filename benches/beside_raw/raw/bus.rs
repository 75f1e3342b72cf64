//! Signals and calls over Redis, with one connection for both ways, as our bus has.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use formicary::protocol::Bytes;
use fred::clients::Client;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::config::{Config, ConnectionConfig, PerformanceConfig, TcpConfig};
use fred::types::{Message, RespVersion};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;

use super::{decode_answer, encode_answer};
use crate::counter::Counter;
use crate::ours::{ask, tick};
use crate::{Outcome, signals};

const RESPONDER: &str = "0123456789abcdef0123456789abcdef";

#[derive(Clone)]
pub struct RawBus {
    client: Client,
    pub counter: Counter,
    waiting: Rc<RefCell<HashMap<String, oneshot::Sender<Bytes>>>>,
    ids: Rc<Cell<u64>>,
}

/// A client with nothing tuned but what else would lose messages or wait for Nagle.
pub async fn connect(url: &str) -> Outcome<Client> {
    let config = Config { version: RespVersion::RESP3, ..Config::from_url(url)? };
    let performance = PerformanceConfig { broadcast_channel_capacity: 16_384, ..PerformanceConfig::default() };
    let tcp = TcpConfig { nodelay: Some(true), ..TcpConfig::default() };
    let connection = ConnectionConfig { tcp, ..ConnectionConfig::default() };
    let client = Client::new(config, Some(performance), Some(connection), None);
    client.init().await?;
    Ok(client)
}

impl RawBus {
    pub async fn start(url: &str) -> Outcome<Self> {
        let client = connect(url).await?;
        let bus = Self { client, counter: Counter::default(), waiting: Rc::default(), ids: Rc::default() };
        let mut messages = bus.client.message_rx();
        bus.client.psubscribe(vec!["RAWS:tick:*", "RAWS:ask:*", "RAWS:response:*"]).await?;
        let receiver = bus.clone();
        actix_rt::spawn(async move {
            loop {
                match messages.recv().await {
                    Ok(message) => receiver.received(message),
                    // Then the round does not end, and says so.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
                // `recv` alone lets others go on after 128 messages. With 256 publishers on this thread, more come than
                // go, and the driver's buffer overflows.
                while let Ok(message) = messages.try_recv() {
                    receiver.received(message);
                }
            }
        });
        Ok(bus)
    }

    pub async fn stop(&self) -> Outcome {
        Ok(self.client.quit().await?)
    }

    fn received(&self, message: Message) {
        let channel: &str = &message.channel;
        let Some(body) = message.value.into_bytes() else { return };
        if channel.starts_with("RAWS:tick:") {
            if let Ok(tick) = serde_json::from_slice::<signals::Tick>(&body) {
                std::hint::black_box(tick);
                self.counter.one();
            }
        } else if let Some((to, id)) = channel.split_once('#') {
            if to.starts_with("RAWS:response:") {
                if let Some(caller) = self.waiting.borrow_mut().remove(id) {
                    drop(caller.send(body));
                }
            } else if let Ok(ask) = serde_json::from_slice::<signals::Ask>(&body) {
                self.answer(id, ask.user_id + 1);
            }
        }
    }

    fn answer(&self, id: &str, value: u64) {
        let Ok(body) = encode_answer(value) else { return };
        let (client, channel) = (self.client.clone(), format!("RAWS:response:{RESPONDER}#{id}"));
        actix_rt::spawn(async move { client.publish::<u64, _, _>(channel, Bytes::from(body)).await });
    }

    pub async fn publish(&self) -> Outcome {
        let body = Bytes::from(serde_json::to_vec(&tick())?);
        let _receivers: u64 = self.client.publish("RAWS:tick:sends", body).await?;
        Ok(())
    }

    pub async fn call(&self) -> Outcome<u64> {
        let body = Bytes::from(serde_json::to_vec(&ask())?);
        let id = format!("{:032x}", self.ids.replace(self.ids.get() + 1));
        let channel = format!("RAWS:ask:sends#{id}");
        let (sender, answered) = oneshot::channel();
        self.waiting.borrow_mut().insert(id, sender);
        let _receivers: u64 = self.client.publish(channel, body).await?;
        decode_answer(&answered.await?)
    }
}
