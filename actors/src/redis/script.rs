//! Lua scripts, called by hash.

use super::{CommandError, Connection, Reply};
use bytes::Bytes;
use std::time::Duration;

/// A Lua script and its hash.
#[derive(Clone, Debug)]
pub struct Script {
    text: Bytes,
    hash: Bytes,
}

impl Script {
    /// A script of this text. Its errors must begin with a word in capitals, as `redis.error_reply('ERR ...')` has it.
    pub fn new(text: &'static str) -> Self {
        Self { text: Bytes::from_static(text.as_bytes()), hash: fred::util::sha1_hash(text).into() }
    }

    /// The arguments of `EVALSHA`.
    pub(super) fn by_hash(&self, keys: &[Bytes], args: &[Bytes]) -> Vec<Bytes> {
        with(&self.hash, keys, args)
    }
}

impl Connection {
    /// Runs a script. One that the server does not know (after a restart or `SCRIPT FLUSH`) is sent whole, which is
    /// safe: the server ran nothing.
    ///
    /// Let scripts nest lists that begin with bytes chosen by others: see [`request`](Connection::request).
    pub async fn run(
        &self,
        script: &Script,
        keys: &[Bytes],
        args: &[Bytes],
        within: Duration,
    ) -> Result<Reply, CommandError> {
        let deadline = tokio::time::Instant::now() + within;
        match self.request("EVALSHA", script.by_hash(keys, args), within).await {
            Err(error) if error.has_code("NOSCRIPT") => {
                let left = deadline.saturating_duration_since(tokio::time::Instant::now());
                self.request("EVAL", with(&script.text, keys, args), left).await
            }
            result => result,
        }
    }
}

fn with(head: &Bytes, keys: &[Bytes], args: &[Bytes]) -> Vec<Bytes> {
    let mut all = Vec::with_capacity(2 + keys.len() + args.len());
    all.extend([head.clone(), keys.len().to_string().into()]);
    all.extend(keys.iter().chain(args).cloned());
    all
}
