//! Where a loading runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use formicary::{Error, Remote};
use formicary_test_support::wait::until;

use crate::common::*;
use crate::server::*;

/// A server that answers when it is told to.
fn gated() -> (Server, Arc<AtomicBool>) {
    let open = Arc::new(AtomicBool::new(false));
    let gate = open.clone();
    let server = Server::start(move |request| {
        while !gate.load(Ordering::SeqCst) {
            if request.hung_up_within(Duration::from_millis(5)) {
                return;
            }
        }
        request.send(ok(DOCUMENT));
    });
    (server, open)
}

#[test]
fn a_loading_does_not_hold_the_arbiter() {
    let (server, open) = gated();
    actix::System::new().block_on(async {
        let remote = Remote::new(&server.url("/a.json")).timeout(LONG);
        let loading = actix::spawn(async move { remote.load().await });
        // Were the arbiter held, nobody would open the gate.
        until(SOON, "the request", async || server.heads().len() == 1).await;
        open.store(true, Ordering::SeqCst);
        assert!(loading.await.unwrap().unwrap().signal("from_server").is_some());
    });
}

#[test]
fn what_would_hold_an_arbiter_is_refused_with_the_cure() {
    let server = Server::saying(ok(DOCUMENT));
    let error = actix::System::new().block_on(async { formicary::load(&server.url("/a.json")).unwrap_err() });
    assert!(matches!(error, Error::Settings(_)), "{error:?}");
    assert!(error.to_string().contains("write `Remote::new(..).load().await`"), "{error}");
    assert_eq!(server.heads().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_does_not_cut_a_loading_short() {
    let (server, open) = gated();
    let remote = Remote::new(&server.url("/a.json"));
    let loading = tokio::spawn(async move { remote.load().await });
    tokio::time::advance(Duration::from_secs(60)).await;
    open.store(true, Ordering::SeqCst);
    assert!(loading.await.unwrap().unwrap().signal("from_server").is_some());
}

#[test]
fn a_loading_needs_no_runtime_around_it() {
    let server = Server::saying(ok(DOCUMENT));
    let remote = Remote::new(&server.url("/a.json"));
    assert!(block_on(remote.load()).unwrap().signal("from_server").is_some());
}

#[tokio::test]
async fn a_loading_in_tokio_may_block_and_does_not_panic() {
    let server = Server::saying(ok(DOCUMENT));
    assert!(formicary::load(&server.url("/a.json")).unwrap().signal("from_server").is_some());
}

#[tokio::test]
async fn a_dropped_loading_ends() {
    let ended = Arc::new(AtomicBool::new(false));
    let told = ended.clone();
    let server = Server::start(move |request| told.store(request.hung_up_within(LONG), Ordering::SeqCst));
    let remote = Remote::new(&server.url("/a.json")).timeout(10 * LONG);
    let loading = tokio::spawn(async move { remote.load().await });
    until(SOON, "the request", async || server.heads().len() == 1).await;
    loading.abort();
    until(SOON, "the end of the connection", async || ended.load(Ordering::SeqCst)).await;
}

/// A runtime that is no tokio.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
