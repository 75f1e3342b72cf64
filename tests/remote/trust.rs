//! https: whom it trusts.

use std::process::Command;

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

/// The environment of a process cannot be changed safely, so that this test runs itself in another.
#[test]
fn https_trusts_the_machine_and_uses_no_proxy() {
    const URL: &str = "FORMICARY_TEST_REMOTE_URL";
    if let Ok(url) = std::env::var(URL) {
        load(&Remote::new(&url)).unwrap();
        return;
    }
    let identity = Identity::new();
    let ca = Copy::of(&identity.pem);
    let server = Server::start_tls(&identity, |request| request.answer(ok(DOCUMENT)));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "trust::https_trusts_the_machine_and_uses_no_proxy"]);
    command.env(URL, server.url("/a.json")).env("SSL_CERT_FILE", ca.path()).env_remove("SSL_CERT_DIR");
    for proxy in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"] {
        command.env(proxy, nowhere());
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(server.heads().len(), 1);
}
