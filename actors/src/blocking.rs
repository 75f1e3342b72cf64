//! The pool of blocking handlers: threads of a group's own, as many as it says.

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::error::Error;

/// Waits for a future on this thread: the way of a blocking handler to publish, call and send.
///
/// The future's timeouts are those of its handle (every send and call has a deadline), which need no runtime here. On an
/// arbiter it would hold everything that the future waits for: use it in `blocking` handlers and on threads of your own.
///
/// ```
/// # use formicary_actors::block_on;
/// assert_eq!(block_on(async { 1 + 1 }), 2);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Threads for handlers that compute or block. They are started when they are first needed.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    threads: NonZeroUsize,
    runtime: Mutex<Option<Runtime>>,
}

impl Pool {
    pub(crate) fn new(threads: NonZeroUsize) -> Self {
        Self(Arc::new(Inner { threads, runtime: Mutex::new(None) }))
    }

    pub(crate) fn threads(&self) -> NonZeroUsize {
        self.0.threads
    }

    /// Runs it on a thread of the pool; it waits while all are taken. What waits is bounded by the handlers' concurrency.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>, Error> {
        let mut runtime = self.0.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = match &mut *runtime {
            Some(runtime) => runtime,
            none => none.insert(self.begin()?),
        };
        Ok(runtime.spawn_blocking(work))
    }

    /// Only its blocking threads are used; nothing is ever polled on it.
    fn begin(&self) -> Result<Runtime, Error> {
        let mut builder = Builder::new_current_thread();
        let builder = builder.max_blocking_threads(self.0.threads.get()).thread_name("formicary-blocking");
        builder.build().map_err(|source| Error::Blocking { source })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A thread that a handler still holds is left behind: waiting for it would hold up the end of the group.
        if let Some(runtime) = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.shutdown_background();
        }
    }
}

impl Default for Pool {
    /// Four threads.
    fn default() -> Self {
        const THREADS: NonZeroUsize = NonZeroUsize::new(4).unwrap();
        Self::new(THREADS)
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("threads", &self.0.threads).finish_non_exhaustive()
    }
}
