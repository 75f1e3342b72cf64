//! TLS on a connection: whom we trust, who we are, and what is wrong when a handshake fails.

mod files;
mod refusal;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring;

/// Whom a connection trusts, and who it says that it is.
///
/// The default trusts the authorities of the machine and shows no certificate. The certificate of a server is always
/// verified, and so is its name.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Authorities to trust in place of the machine's.
    authorities: Option<PathBuf>,
    /// What is shown to a server that asks for a certificate.
    own: Option<Own>,
}

/// A certificate of our own, and its key.
#[derive(Clone, Debug)]
struct Own {
    certificate: PathBuf,
    key: PathBuf,
}

impl Tls {
    /// Trusts the authorities of a file in place of the machine's.
    pub(crate) fn trust(&mut self, file: PathBuf) {
        self.authorities = Some(file);
    }

    /// Shows a certificate.
    pub(crate) fn show(&mut self, certificate: PathBuf, key: PathBuf) {
        self.own = Some(Own { certificate, key });
    }

    /// What a connection needs, if its URL `asks` for TLS. Reads the files. They are read anew for every connection: a certificate that was renewed needs no restart.
    ///
    /// # Errors
    /// Says which file, what is wrong with it and what to do. Never shows what is in it.
    pub(crate) fn config(&self, asks: bool) -> Result<Option<Arc<ClientConfig>>, String> {
        if !asks {
            return self.unused().map_or(Ok(None), Err);
        }
        let trusted = files::authorities(self.authorities.as_deref())?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?
            .with_root_certificates(trusted);
        let config = match &self.own {
            None => config.with_no_client_auth(),
            Some(Own { certificate, key }) => config
                .with_client_auth_cert(files::certificates(certificate)?, files::key(key)?)
                .map_err(|error| files::mismatch(certificate, key, &error))?,
        };
        Ok(Some(Arc::new(config)))
    }

    /// Why nothing of this can be kept on a connection without TLS, if something is set.
    fn unused(&self) -> Option<String> {
        let file: &Path = match (&self.authorities, &self.own) {
            (Some(file), _) => file,
            (None, Some(own)) => &own.certificate,
            (None, None) => return None,
        };
        let file = file.display();
        Some(format!("{file} is set, but the URL asks for no TLS: write rediss:// or amqps://, or leave the file out"))
    }

    /// What a handshake, or the first answer after it, failed on; `None` when TLS has nothing to do with it. `debug` is the
    /// `Debug` text of the I/O error: of the Redis driver there is no more, and the tests hold what is read out of it.
    pub(crate) fn explain(&self, debug: &str) -> Option<String> {
        refusal::explain(debug, self.authorities.as_deref(), self.own.is_some())
    }
}
