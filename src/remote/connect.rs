//! Connections: TCP, and TLS on top for https.

use std::io;
use std::path::Path;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::address::Address;
use crate::Error;

/// What a connection is, whatever it is made of.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to the server of an address.
pub(super) async fn connect(address: &Address, ca_file: Option<&Path>) -> Result<TokioIo<Box<dyn Stream>>, Error> {
    // Before the network: what is wrong with our own settings is no fault of a server.
    let config = if address.is_https() { Some(tls(ca_file)?) } else { None };
    let tcp = TcpStream::connect((address.host(), address.port())).await;
    let tcp = tcp.map_err(|error| no_answer(address, format_args!("cannot connect: {error}")))?;
    let stream: Box<dyn Stream> = match config {
        None => Box::new(tcp),
        Some(config) => Box::new(handshake(address, config, tcp).await.map_err(|error| {
            let cure = "for an authority of your own, set `Remote::ca_file`";
            no_answer(address, format_args!("no TLS: {error}; {cure}"))
        })?),
    };
    Ok(TokioIo::new(stream))
}

/// The error of a server that does not do its part.
pub(super) fn no_answer(address: &Address, reason: impl std::fmt::Display) -> Error {
    Error::Unreachable { what: "declarations", address: address.to_string(), reason: reason.to_string() }
}

async fn handshake(address: &Address, config: ClientConfig, tcp: TcpStream) -> io::Result<impl Stream + use<>> {
    let name = ServerName::try_from(address.host().to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}

fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, Error> {
    let roots = roots(ca_file).map_err(Error::Settings)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Settings(format!("cannot set up TLS: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The authorities of the machine and those of the file.
fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let machine = rustls_native_certs::load_native_certs();
    // Machines have old certificates among good ones: what cannot be read there is left out.
    roots.add_parsable_certificates(machine.certs);
    if let Some(path) = ca_file {
        let wrong = |problem: &dyn std::fmt::Display| format!("the CA file {}: {problem}", path.display());
        let before = roots.len();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
            roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
        }
        if roots.len() == before {
            return Err(wrong(&"it holds no certificate: it begins with -----BEGIN CERTIFICATE-----"));
        }
    }
    if roots.is_empty() {
        let cure = "install them (`ca-certificates`), or set `Remote::ca_file`";
        return Err(format!("this machine has no certificates of authorities for https: {cure}"));
    }
    Ok(roots)
}
