//! A queue on Redis: RPUSH, and the loops that consume at least once.
//!
//! The connection lives on a thread of its own, as that of our broker.

use std::time::Duration;

use actix_rt::Arbiter;
use formicary::protocol::Bytes;
use fred::clients::Client;
use fred::interfaces::{ClientLike, ListInterface};
use fred::types::lists::LMoveDirection;
use fred::types::scripts::Script;
use fred::types::{ClusterHash, CustomCommand, Value};
use tokio::sync::oneshot;

use super::bus::connect;
use crate::counter::Counter;
use crate::ours::job;
use crate::{Outcome, queues};

pub const LIST: &str = "raw-jobs";
pub const STREAM: &str = "raw-stream";
pub const GROUP: &str = "raw-group";
const TAKEN: &str = "raw-jobs:taken";
const AT_ONCE: usize = 64;

/// KEYS: list, taken. ARGV: most, number of the first id, then the ids of what was taken before and is handled.
/// Returns {id, body, id, body, ...}.
const TAKE: &str = "
if #ARGV > 2 then redis.call('HDEL', KEYS[2], unpack(ARGV, 3)) end
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
    pub fn sender(&self, list: &'static str) -> impl AsyncFn() -> Outcome + 'static {
        let client = self.client.clone();
        async move || {
            let body = Bytes::from(serde_json::to_vec(&job())?);
            let _length: u64 = client.rpush(list, body).await?;
            Ok(())
        }
    }

    fn handle(&self, body: &[u8]) -> Outcome {
        let job: queues::Jobs = serde_json::from_slice(body)?;
        std::hint::black_box(job);
        self.counter.one();
        Ok(())
    }

    /// The best loop known: takes 64 by script, handles them, and removes them in the script of the next take.
    pub async fn by_script(&self) -> Outcome {
        let mut next = 0;
        let mut handled = Vec::new();
        loop {
            let args: Vec<_> = [AT_ONCE.to_string(), next.to_string()].into_iter().chain(handled.drain(..)).collect();
            let pairs: Vec<Value> = self.take.evalsha(&self.client, vec![LIST, TAKEN], args).await?;
            if pairs.is_empty() {
                return Ok(());
            }
            next += AT_ONCE;
            let mut pairs = pairs.into_iter();
            while let (Some(id), Some(body)) = (pairs.next(), pairs.next()) {
                self.handle(&body.into_bytes().ok_or("a body that is no bytes")?)?;
                handled.push(id.into_string().ok_or("an id that is no text")?);
            }
        }
    }

    /// Reads 64 of a stream, handles them, and acknowledges them with one command.
    pub async fn by_stream(&self) -> Outcome {
        let command = |name| CustomCommand::new_static(name, ClusterHash::FirstKey, false);
        let at_once = AT_ONCE.to_string();
        loop {
            let args = vec!["GROUP", GROUP, "raw", "COUNT", &at_once, "STREAMS", STREAM, ">"];
            // {stream: [[id, [field, body]], ...]}
            let read: Value = self.client.custom(command("XREADGROUP"), args).await?;
            if read.is_null() {
                return Ok(());
            }
            let (_, entries) = read.into_map()?.inner().into_iter().next().ok_or("a stream without its name")?;
            let mut handled = vec![Value::from(STREAM), Value::from(GROUP)];
            for entry in entries.into_array() {
                let [id, fields] =
                    <[Value; 2]>::try_from(entry.into_array()).map_err(|_| "an entry of another form")?;
                let body = fields.into_array().pop().and_then(Value::into_bytes).ok_or("an entry without a body")?;
                self.handle(&body)?;
                handled.push(id);
            }
            let _acknowledged: u64 = self.client.custom(command("XACK"), handled).await?;
        }
    }

    /// Moves one at a time to another list, handles it, and removes it there.
    pub async fn one_by_one(&self, count: usize) -> Outcome {
        for _ in 0..count {
            let body: Bytes = self.client.blmove(LIST, TAKEN, LMoveDirection::Left, LMoveDirection::Right, 5.0).await?;
            self.handle(&body)?;
            let _removed: u64 = self.client.lrem(TAKEN, 1, body).await?;
        }
        Ok(())
    }

    /// Waits for messages and handles them, at most once.
    pub async fn pop(&self, count: usize) -> Outcome {
        for _ in 0..count {
            let (_, body): (String, Bytes) = self.client.blpop(LIST, Duration::from_secs(5).as_secs_f64()).await?;
            self.handle(&body)?;
        }
        Ok(())
    }
}
