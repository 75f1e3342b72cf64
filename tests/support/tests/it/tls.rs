//! Servers that listen for TLS, asked by a client that is none of ours.

use std::path::Path;
use std::process::Command;

use formicary_test_support::process::Child;
use formicary_test_support::{Tls, rabbitmq, redis, require_openssl, require_rabbitmq, require_redis};

use crate::SOON;

/// A certificate that has signed itself, for `localhost`.
async fn certificate(folder: &Path) -> Tls {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-out"]);
    command.arg(&certificate).arg("-keyout").arg(&key);
    let made = Child::spawn(command);
    assert_eq!(made.wait(SOON).await, 0, "{}", made.stderr());
    Tls { authority: certificate.clone(), certificate, key, client_certificate: false }
}

/// Whether the certificate of the server on this port is that of the authority.
async fn greets(port: u16, tls: &Tls) {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-brief", "-verify_return_error", "-connect", &format!("127.0.0.1:{port}"), "-CAfile"]);
    command.arg(&tls.authority);
    let client = Child::spawn(command);
    client.close_stdin();
    client.wait(SOON).await;
    assert!(client.stderr().contains("Verification: OK"), "{}", client.stderr());
}

#[tokio::test]
async fn redis_listens_for_tls_beside_the_plain_port() {
    let test = "redis_listens_for_tls_beside_the_plain_port";
    if !require_openssl(test) || !require_redis(test) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let tls = certificate(folder.path()).await;
    let mut server = redis::Server::options().tls(tls.clone()).start().await;
    let port = server.tls_port().expect("a port for TLS");
    greets(port, &tls).await;
    server.restart().await;
    assert_eq!(server.tls_port(), Some(port));
    greets(port, &tls).await;
}

#[tokio::test]
async fn rabbitmq_listens_for_tls_beside_the_plain_port() {
    let test = "rabbitmq_listens_for_tls_beside_the_plain_port";
    if !require_openssl(test) || !require_rabbitmq(test) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let tls = certificate(folder.path()).await;
    let server = rabbitmq::Server::options().tls(tls.clone()).start().await;
    greets(server.tls_port().expect("a port for TLS"), &tls).await;
}
