//! The work of a loading, on a thread and a runtime of its own.

use std::future::Future;
use std::thread::JoinHandle;

use formicary_protocol::Declarations;
use tracing::dispatcher;

use super::address::Address;
use super::{Remote, cache, fetch};
use crate::Error;

impl Remote {
    /// Starts the thread.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce(Self) -> T + Send + 'static,
    ) -> Result<JoinHandle<T>, Error> {
        let remote = self.clone();
        // A subscriber of the calling thread hears the warnings too.
        let subscriber = dispatcher::get_default(Clone::clone);
        std::thread::Builder::new()
            .name("formicary-remote".to_owned())
            .spawn(move || dispatcher::with_default(&subscriber, || work(remote)))
            .map_err(|error| Error::Settings(format!("cannot start a thread to load declarations: {error}")))
    }

    /// Runs on a thread of its own, until `gone`.
    pub(super) fn run(self, gone: impl Future<Output = ()>) -> Result<Declarations, Error> {
        let address = self.address.clone().map_err(|reason| {
            Error::Settings(format!(
                "the URL of the declarations {reason}: write https://[user:password@]host[:port]/path"
            ))
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Settings(format!("cannot start a runtime to load declarations: {error}")))?;
        let fetched = runtime.block_on(async {
            tokio::select! {
                biased;
                () = gone => Err(ended()),
                fetched = tokio::time::timeout(self.timeout, fetch::fetch(&self, &address)) => {
                    fetched.unwrap_or_else(|_| Err(self.too_slow(&address)))
                }
            }
        });
        // A name lookup that hangs in the system's resolver must not hold us.
        runtime.shutdown_background();
        let parsed = fetched.and_then(|text| {
            let declarations = Declarations::parse(&text, &address.to_string())?;
            Ok((text, declarations))
        });
        match (parsed, &self.cache) {
            (Ok((text, declarations)), Some(copy)) => {
                cache::keep(copy, &text, &address);
                Ok(declarations)
            }
            (Ok((_, declarations)), None) => Ok(declarations),
            (Err(error), Some(copy)) if cache::may_stand_in(&error) => {
                cache::stand_in(copy, self.max_size, &address, error)
            }
            (Err(error), _) => Err(error),
        }
    }

    fn too_slow(&self, address: &Address) -> Error {
        Error::Timeout { what: format!("the server of the declarations {address}"), after: self.timeout }
    }
}

/// The answer when the thread that loads has ended without one. Nobody waits for it, unless there was a panic.
pub(super) fn ended() -> Error {
    Error::Settings("the thread that loads declarations has ended without an answer; the log has its panic".to_owned())
}
