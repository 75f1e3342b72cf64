//! Time and size.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use formicary::{Error, Remote};

use crate::common::*;
use crate::server::*;

const SHORT: Duration = Duration::from_millis(400);

/// Refused because of its time, and in about that time.
#[track_caller]
fn times_out(server: &Server) {
    let begun = Instant::now();
    let error = refused(&Remote::new(&server.url("/a.json")).timeout(SHORT));
    assert!(matches!(error, Error::Timeout { after: SHORT, .. }), "{error:?}");
    assert!(error.to_string().contains(&server.url("/a.json")), "{error}");
    assert!((SHORT..SOON).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[test]
fn a_server_that_says_nothing_is_given_up_in_time() {
    times_out(&Server::start(|request| assert!(request.hung_up_within(LONG))));
}

#[test]
fn a_server_that_drips_is_given_up_in_time() {
    let drips = Arc::new(AtomicUsize::new(0));
    for start in ["", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"] {
        let counted = drips.clone();
        let server = Server::start(move |request| {
            request.send(start);
            while !request.hung_up_within(Duration::from_millis(10)) {
                counted.fetch_add(1, Ordering::SeqCst);
                request.send(if start.is_empty() { "H" } else { " " });
            }
        });
        times_out(&server);
    }
    // A bound for each byte would not have ended it.
    assert!(drips.load(Ordering::SeqCst) > 10);
}

#[test]
fn redirects_do_not_begin_the_time_anew() {
    let server = Server::start(|request| {
        if !request.hung_up_within(SHORT / 4) {
            request.send(redirect("/again"));
        }
    });
    let begun = Instant::now();
    let error = refused(&Remote::new(&server.url("/a.json")).redirects(1_000).timeout(SHORT));
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(begun.elapsed() < SOON);
    assert!(server.heads().len() > 1);
}

#[test]
fn too_large_a_document_is_refused_before_and_while_it_is_read() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let known = Server::start(|request| {
        // The document never comes: its length alone decides.
        request.send("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n");
        assert!(request.hung_up_within(LONG));
    });
    let endless = Server::start(move |request| {
        request.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        let block = [b' '; 4096];
        while request.send(block) {
            counted.fetch_add(block.len(), Ordering::SeqCst);
        }
    });
    for server in [&known, &endless] {
        let error = refused(&Remote::new(&server.url("/a.json")).timeout(LONG));
        assert!(matches!(error, Error::Remote { .. }), "{error:?}");
        assert!(error.to_string().contains("larger than 1048576 bytes; `Remote::max_size` sets the bound"), "{error}");
    }
    // What the sockets hold comes on top.
    drop(endless);
    assert!(sent.load(Ordering::SeqCst) < 32 * 1024 * 1024);
}

#[test]
fn a_document_of_just_the_bound_is_taken() {
    let server = Server::saying(ok(DOCUMENT));
    let remote = Remote::new(&server.url("/a.json"));
    assert!(load(&remote.clone().max_size(DOCUMENT.len())).is_ok());
    assert!(matches!(refused(&remote.max_size(DOCUMENT.len() - 1)), Error::Remote { .. }));
}

#[test]
fn endless_headers_are_refused() {
    let server = Server::start(|request| {
        request.send("HTTP/1.1 200 OK\r\n");
        while request.send("X-Filler: 0123456789012345678901234567890123456789\r\n") {}
    });
    let error = refused(&Remote::new(&server.url("/a.json")).timeout(LONG));
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}
