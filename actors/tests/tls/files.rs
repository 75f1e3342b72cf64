//! What is wrong with our own files is told before any server is asked.

use std::path::{Path, PathBuf};

use formicary_actors::RedisConfig;
use formicary_test_support::tls::Authority;

use crate::common::*;

async fn complaint(config: RedisConfig) -> String {
    let bus = formicary_actors::bus::redis::start(&config, env()).unwrap();
    lasting(|| bus.connection()).await
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[actix::test]
async fn what_is_wrong_with_a_file_is_told_without_its_contents() {
    const SECRET: &str = "c3dvcmRmaXNo";
    let folder = tempfile::tempdir().unwrap();
    let (authority, other) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.client("agent");
    let missing = folder.path().join("missing.pem");
    let text = file(folder.path(), "text.pem", SECRET);
    let begun = file(folder.path(), "begun.pem", &format!("-----BEGIN PRIVATE KEY-----\n{SECRET}!?\n"));
    let odd = file(folder.path(), "odd.pem", &format!("-----BEGIN {SECRET}\n"));
    let not_base64 = format!("-----BEGIN CERTIFICATE-----\n{SECRET}!?\n-----END CERTIFICATE-----\n");
    let not_base64 = file(folder.path(), "not-base64.pem", &not_base64);
    let no_certificate = not_base64_free(folder.path(), SECRET);
    let no_key = format!("-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n");
    let no_key = file(folder.path(), "no-key.pem", &no_key);
    let config: RedisConfig = format!("rediss://127.0.0.1:{}", nowhere().await).parse().unwrap();
    let trusting = |file: &Path| config.clone().ca_file(file);
    let showing = |certificate: &Path, key: &Path| trusting(authority.file()).client_certificate(certificate, key);
    for (config, named, told) in [
        (trusting(&missing), &missing, "No such file"),
        (trusting(folder.path()), &folder.path().to_owned(), "Is a directory"),
        (trusting(&text), &text, "-----BEGIN CERTIFICATE-----"),
        (trusting(&key), &key, "-----BEGIN CERTIFICATE-----"),
        (trusting(&odd), &odd, "no PEM file"),
        (trusting(&not_base64), &not_base64, "no PEM file"),
        (trusting(&no_certificate), &no_certificate, "certificate 1 is broken"),
        (showing(&missing, &key), &missing, "No such file"),
        (showing(&certificate, &missing), &missing, "No such file"),
        (showing(&certificate, &text), &text, "-----BEGIN PRIVATE KEY-----"),
        (showing(&certificate, &begun), &begun, "no PEM file"),
        (showing(&certificate, &no_key), &no_key, "of a kind that is not known"),
        (showing(&certificate, &other.client("agent").1), &certificate, "is not the key of"),
    ] {
        let reason = complaint(config).await;
        assert!(reason.contains(&named.display().to_string()) && reason.contains(told), "{reason}");
        assert!(!reason.contains(SECRET) && !reason.contains("swordfish"), "{reason}");
    }
}

/// PEM around what is no certificate.
fn not_base64_free(folder: &Path, inside: &str) -> PathBuf {
    let text = format!("-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n");
    file(folder, "no-certificate.pem", &text)
}

#[actix::test]
async fn files_without_tls_are_told() {
    let authority = Authority::new();
    let (certificate, key) = authority.client("agent");
    let config: RedisConfig = format!("redis://127.0.0.1:{}", nowhere().await).parse().unwrap();
    for config in [config.clone().ca_file(authority.file()), config.client_certificate(certificate, key)] {
        let reason = complaint(config).await;
        assert!(reason.contains("is set, but the URL asks for no TLS: write rediss://"), "{reason}");
    }
}
