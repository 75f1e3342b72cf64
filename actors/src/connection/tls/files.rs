//! The files: PEM, as every tool writes it.

use std::fmt::Display;
use std::path::Path;
use std::sync::OnceLock;

use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error, InconsistentKeys, RootCertStore};

/// The authorities of a file, or of the machine.
pub(super) fn authorities(file: Option<&Path>) -> Result<RootCertStore, String> {
    let Some(path) = file else { return machine() };
    let wrong = |problem: &dyn Display| format!("the CA file {}: {problem}", path.display());
    let mut trusted = RootCertStore::empty();
    for (certificate, number) in read(path, "CA")?.into_iter().zip(1..) {
        let added = trusted.add(certificate);
        added.map_err(|_| wrong(&format_args!("its certificate {number} is broken; make the file again")))?;
    }
    Ok(trusted)
}

/// Read once for a process: some hundred certificates, most of which no connection needs. A machine that has none is
/// looked at again, since somebody may mend it.
fn machine() -> Result<RootCertStore, String> {
    static MACHINE: OnceLock<RootCertStore> = OnceLock::new();
    if let Some(trusted) = MACHINE.get() {
        return Ok(trusted.clone());
    }
    let found = rustls_native_certs::load_native_certs();
    let mut trusted = RootCertStore::empty();
    // Machines have old certificates among good ones: what cannot be read there is left out.
    trusted.add_parsable_certificates(found.certs);
    if trusted.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(format!(
            "this machine has no certificates of authorities{why}: install them (`ca-certificates`), or name the file \
             of your own authority with `ca_file`"
        ));
    }
    Ok(MACHINE.get_or_init(|| trusted).clone())
}

/// The certificate that we show, and those between it and the authority.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    read(path, "certificate")
}

fn read(path: &Path, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |problem: &str| format!("the {what} file {}: {problem}", path.display());
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|error| wrong(&words(&error)))?;
    if certificates.is_empty() {
        return Err(wrong("it holds no certificate, which begins with -----BEGIN CERTIFICATE-----"));
    }
    Ok(certificates)
}

/// The key of the certificate that we show.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| {
        let problem = match error {
            pem::Error::NoItemsFound => {
                "it holds no private key, which begins with -----BEGIN PRIVATE KEY----- (one with a \
                 password cannot be read: take the password off with `openssl pkey`)"
                    .to_owned()
            }
            other => words(&other),
        };
        format!("the key file {}: {problem}", path.display())
    })
}

/// Why a certificate and a key make no pair.
pub(super) fn mismatch(certificate: &Path, key: &Path, error: &Error) -> String {
    let (certificate, key) = (certificate.display(), key.display());
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            format!("the key file {key} is not the key of the certificate file {certificate}")
        }
        // Of what it is made of nothing is told.
        _ => format!("the key file {key}, or the certificate file {certificate}, is of a kind that is not known"),
    }
}

// The library quotes what it cannot read: it may be a part of a key.
fn words(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "it is empty".to_owned(),
        _ => "it is no PEM file, or a broken one".to_owned(),
    }
}
