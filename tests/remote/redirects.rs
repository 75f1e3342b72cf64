//! Redirects: how many, and where to.

use formicary::{Error, Remote};

use crate::common::*;
use crate::server::*;

/// `/5` leads to `/4` and so on; `/0` is the document.
fn chain() -> Server {
    Server::start(|request| {
        let left: u32 = request.path().trim_start_matches('/').parse().unwrap();
        request.send(if left == 0 { ok(DOCUMENT) } else { redirect(&format!("{}", left - 1)) });
    })
}

#[test]
fn redirects_are_followed_up_to_their_bound() {
    let server = chain();
    assert!(load(&Remote::new(&server.url("/5"))).is_ok());
    assert_eq!(server.heads().len(), 6);
    for remote in [Remote::new(&server.url("/6")), Remote::new(&server.url("/1")).redirects(0)] {
        let error = refused(&remote);
        assert!(matches!(error, Error::Remote { .. }), "{error:?}");
        assert!(error.to_string().contains("redirects; is it a loop?"), "{error}");
    }
}

#[test]
fn a_loop_of_redirects_ends() {
    let server = Server::saying(redirect("/again"));
    let error = refused(&Remote::new(&server.url("/a.json"))).to_string();
    assert!(error.contains("more than 5 redirects"), "{error}");
    assert_eq!(server.heads().len(), 6);
}

#[test]
fn a_redirect_that_leads_to_no_document_is_refused() {
    for (answer, reason) in [
        (response("302 Found", "", ""), "a redirect that names no place"),
        (redirect("file:///etc/passwd"), "begins with neither http:// nor https://"),
        (redirect("http://"), "a redirect to a place that names no host"),
        (redirect(&format!("/{}", "x".repeat(9_000))), "is longer than 8,000 bytes"),
        (response("304 Not Modified", "", ""), "answers 304 Not Modified, and not 200"),
    ] {
        let server = Server::saying(answer);
        let error = refused(&Remote::new(&server.url("/a.json")));
        assert!(matches!(error, Error::Remote { .. }), "{error:?}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_redirect_from_https_to_http_is_refused() {
    let (identity, plain) = (Identity::new(), Server::saying(ok(DOCUMENT)));
    let ca = Copy::of(&identity.pem);
    let target = plain.url("/a.json?token=swordfish");
    let secure = Server::start_tls(&identity, move |request| request.answer(redirect(&target)));
    let error = refused(&Remote::new(&secure.url("/a.json")).ca_file(ca.path()));
    assert!(matches!(error, Error::Remote { .. }), "{error:?}");
    let error = error.to_string();
    assert!(error.contains("a redirect from https to http://localhost:"), "{error}");
    assert!(error.contains("?***") && !error.contains("swordfish"), "{error}");
    assert_eq!(plain.heads().len(), 0);

    // The other way is fine.
    let secure = Server::start_tls(&identity, |request| request.answer(ok(DOCUMENT)));
    let plain = Server::saying(redirect(&secure.url("/a.json")));
    assert!(load(&Remote::new(&plain.url("/a.json")).ca_file(ca.path())).is_ok());
}

#[test]
fn a_password_goes_to_its_own_origin_only() {
    let other = Server::saying(ok(DOCUMENT));
    let elsewhere = other.url("/c.json");
    let server = Server::start(move |request| {
        let next = if request.path() == "/a.json" { "/b.json" } else { &elsewhere };
        request.send(redirect(next));
    });
    let url = server.url("/a.json").replace("://", "://ann:p%40ss@");
    assert!(load(&Remote::new(&url)).is_ok());
    let sent =
        |server: &Server| server.heads().iter().map(|head| head.contains("Basic YW5uOnBAc3M=")).collect::<Vec<_>>();
    assert_eq!(sent(&server), [true, true]);
    assert_eq!(sent(&other), [false]);
    assert!(!other.heads()[0].to_lowercase().contains("authorization"));
}
