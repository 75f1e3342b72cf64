//! Certificates made in the test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use tempfile::TempDir;

use super::Tls;

/// Signs certificates. Their files lie in a temporary folder, which goes with this value.
///
/// ```no_run
/// # use formicary_test_support::{redis, tls::Authority};
/// # async fn a_test() {
/// let authority = Authority::new();
/// let server = redis::Server::options().tls(authority.server("localhost")).start().await;
/// let trusted = authority.file();
/// # }
/// ```
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
    file: PathBuf,
    made: AtomicU32,
}

impl Authority {
    /// An authority like all others by its name, and of a key of its own.
    ///
    /// # Panics
    ///
    /// Here and below: when a key cannot be made or a file not be written.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "no two are alike")]
    pub fn new() -> Self {
        Self::named("authority of a test")
    }

    /// An authority of another name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = key();
        let certificate = params.self_signed(&key).unwrap_or_else(|error| panic!("no authority: {error}"));
        let folder = tempfile::Builder::new().prefix("formicary-tls-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no folder for certificates: {error}"));
        let file = write(folder.path().join("authority.pem"), &certificate.pem());
        Self { issuer: Issuer::new(params, key), folder, file, made: AtomicU32::new(0) }
    }

    /// Its certificate, for `ca_file`.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// A server that has this name or address, and asks its clients for no certificate.
    #[must_use]
    pub fn server(&self, name: &str) -> Tls {
        self.listener(params("server", &[name]))
    }

    /// A server whose certificate has expired.
    #[must_use]
    pub fn expired(&self, name: &str) -> Tls {
        let mut params = params("server", &[name]);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.listener(params)
    }

    /// The certificate of a client, and its key.
    #[must_use]
    pub fn client(&self, name: &str) -> (PathBuf, PathBuf) {
        self.sign(params(name, &[]))
    }

    fn listener(&self, params: CertificateParams) -> Tls {
        let (certificate, key) = self.sign(params);
        Tls { certificate, key, authority: self.file.clone(), client_certificate: false }
    }

    fn sign(&self, params: CertificateParams) -> (PathBuf, PathBuf) {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer);
        let certificate = certificate.unwrap_or_else(|error| panic!("no certificate: {error}"));
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let path = |what: &str| self.folder.path().join(format!("{number}-{what}.pem"));
        (write(path("certificate"), &certificate.pem()), write(path("key"), &key.serialize_pem()))
    }
}

fn params(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let params = CertificateParams::new(hosts);
    let mut params = params.unwrap_or_else(|error| panic!("no certificate can hold these names: {error}"));
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap_or_else(|error| panic!("no key: {error}"))
}

fn write(path: PathBuf, text: &str) -> PathBuf {
    std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path
}
