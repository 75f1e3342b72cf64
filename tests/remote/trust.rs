//! https: whom it trusts.

use formicary::{Error, Remote};

use crate::common::*;
use crate::server::*;

#[test]
fn https_trusts_the_file_of_authorities_and_no_stranger() {
    let (identity, stranger) = (Identity::new(), Identity::new());
    let server = Server::start_tls(&identity, |request| request.answer(ok(DOCUMENT)));
    let remote = Remote::new(&server.url("/a.json"));
    let (ca, other) = (Copy::of(&identity.pem), Copy::of(&stranger.pem));
    assert!(load(&remote.clone().ca_file(ca.path())).unwrap().signal("from_server").is_some());
    let distrusted = refused(&remote.ca_file(other.path()));
    // The certificate is for `localhost`, and not for its address.
    let address = format!("https://127.0.0.1:{}/a.json", server.port());
    let misnamed = refused(&Remote::new(&address).ca_file(ca.path()));
    for error in [distrusted, misnamed] {
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains("no TLS: ") && error.to_string().contains("`Remote::ca_file`"), "{error}");
    }
    assert_eq!(server.heads().len(), 1);
}

#[test]
fn a_server_without_tls_is_told() {
    let server = Server::saying(ok(DOCUMENT));
    let ca = Copy::of(&Identity::new().pem);
    let url = server.url("/a.json").replace("http://", "https://");
    let error = refused(&Remote::new(&url).ca_file(ca.path()).timeout(SOON));
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("no TLS: "), "{error}");
}
