//! A queue on Redis: RPUSH, and a loop that takes by script, handles, and removes what it took.
//!
//! The connection lives on a thread of its own, as that of our broker.

use actix_rt::Arbiter;
use formicary::protocol::Bytes;
use fred::clients::Client;
use fred::interfaces::{ClientLike, HashesInterface, ListInterface};
use fred::types::Value;
use fred::types::scripts::Script;
use tokio::sync::oneshot;

use super::bus::connect;
use crate::counter::Counter;
use crate::ours::job;
use crate::{Outcome, queues};

pub const LIST: &str = "raw-jobs";
const TAKEN: &str = "raw-jobs:taken";
const AT_ONCE: usize = 64;

/// KEYS: list, taken. ARGV: most, number of the first id. Returns {id, body, id, body, ...}.
const TAKE: &str = "
local got = redis.call('LPOP', KEYS[1], ARGV[1])
if not got then return {} end
local pairs = {}
for i, body in ipairs(got) do
  pairs[2 * i - 1] = ARGV[2] + i
  pairs[2 * i] = body
end
redis.call('HSET', KEYS[2], unpack(pairs))
return pairs";

pub struct RawQueue {
    client: Client,
    thread: Arbiter,
    take: Script,
    pub counter: Counter,
}

impl RawQueue {
    pub async fn start(url: String) -> Outcome<Self> {
        let thread = Arbiter::new();
        let (sender, connected) = oneshot::channel();
        thread.spawn(async move {
            drop(sender.send(connect(&url).await.map_err(|error| error.to_string())));
        });
        let client = connected.await??;
        let take = Script::from_lua(TAKE);
        take.load(&client).await?;
        Ok(Self { client, thread, take, counter: Counter::default() })
    }

    pub async fn stop(self) -> Outcome {
        self.client.quit().await?;
        self.thread.stop();
        Ok(())
    }

    /// A way to send with.
    pub fn sender(&self) -> impl AsyncFn() -> Outcome + 'static {
        let client = self.client.clone();
        async move || {
            let body = Bytes::from(serde_json::to_vec(&job())?);
            let _length: u64 = client.rpush(LIST, body).await?;
            Ok(())
        }
    }

    /// Takes and handles until the list is empty, at most 64 in hand.
    pub async fn consume(&self) -> Outcome {
        let mut next = 0;
        loop {
            let args = vec![AT_ONCE.to_string(), next.to_string()];
            let pairs: Vec<Value> = self.take.evalsha(&self.client, vec![LIST, TAKEN], args).await?;
            if pairs.is_empty() {
                return Ok(());
            }
            next += AT_ONCE;
            let mut ids = Vec::with_capacity(pairs.len() / 2);
            let mut pairs = pairs.into_iter();
            while let (Some(id), Some(body)) = (pairs.next(), pairs.next()) {
                let body = body.into_bytes().ok_or("a body that is no bytes")?;
                let job: queues::Jobs = serde_json::from_slice(&body)?;
                std::hint::black_box(job);
                self.counter.one();
                ids.push(id.into_string().ok_or("an id that is no text")?);
            }
            let _removed: u64 = self.client.hdel(TAKEN, ids).await?;
        }
    }
}
