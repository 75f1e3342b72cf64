//! Declarations from a server, over http or https.

mod address;
mod cache;
mod connect;
mod fetch;
mod work;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use formicary_protocol::Declarations;
use tokio::sync::oneshot;

use crate::Error;
use address::Address;
use work::ended;

/// Declarations on a server, loaded over http or https. Needs the cargo feature `remote-declarations`.
///
/// ```no_run
/// use std::time::Duration;
/// use formicary::Remote;
///
/// # async fn run() -> Result<(), formicary::Error> {
/// let mut declarations = formicary::load("signals.json")?;
/// let shared = Remote::new("https://declarations.example.org/signals.json")
///     .timeout(Duration::from_secs(2))
///     .cache("/var/cache/greeter/signals.json");
/// declarations.merge(shared.load().await?)?;
/// # Ok(()) }
/// ```
///
/// - The document is what the server answers with status 200, in UTF-8, without a content encoding.
/// - A user and a password in the URL (`https://user:password@host/…`, percent-encoded where needed) go out as basic
///   authentication, to the origin of the URL and to no other. They and the query (`?token=…`) are shown in no error,
///   no log and no `Debug`. A path is shown: put no secret there.
/// - A redirect from https to http is refused.
/// - The certificates that https trusts are the machine's (`SSL_CERT_FILE` and `SSL_CERT_DIR` are heeded) and those of
///   [`ca_file`](Self::ca_file).
/// - No proxy is used: `HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY` are ignored.
#[derive(Clone)]
#[must_use = "nothing is loaded until `load` or `load_blocking`"]
pub struct Remote {
    address: Result<Address, &'static str>,
    timeout: Duration,
    max_size: usize,
    redirects: u32,
    ca_file: Option<PathBuf>,
    cache: Option<PathBuf>,
}

impl Remote {
    /// The document at a URL with `http://` or `https://`. A wrong URL is the error of the loading.
    pub fn new(url: &str) -> Self {
        Self {
            address: Address::parse(url),
            timeout: Duration::from_secs(5),
            max_size: 1024 * 1024,
            redirects: 5,
            ca_file: None,
            cache: None,
        }
    }

    /// How long everything may take from the first name lookup to the last byte, redirects included. 5 s unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The most bytes that the document may have. 1 MiB unless set.
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes;
        self
    }

    /// How many redirects are followed. 5 unless set; with 0, a redirect is an error.
    pub fn redirects(mut self, most: u32) -> Self {
        self.redirects = most;
        self
    }

    /// A PEM file with certificates of authorities that https trusts beside the machine's own.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Keeps a copy of the document in this file, and uses it when the server fails. No copy is kept unless set.
    ///
    /// The file is replaced as a whole after each loading of a document without mistakes, and readable by its owner
    /// only; its directory must exist. A copy that cannot be written is a warning.
    ///
    /// The copy stands in, with a warning that tells its age, when the server cannot be reached or does not answer in
    /// time, when it answers 408, 429 or 5xx, and when what it sends is no document: too large, redirected too often or
    /// from https to http, with mistakes. Any other 4xx, such as 403 and 404, is the server's word that this URL is
    /// wrong or forbidden: it stays an error, since a copy would hide for ever that the document was moved.
    pub fn cache(mut self, path: impl Into<PathBuf>) -> Self {
        self.cache = Some(path.into());
        self
    }

    /// Loads the document. The work is done on a thread of its own, with a clock of its own: it holds no arbiter, needs
    /// no runtime, and a paused clock does not cut it short. Dropping the future ends it.
    ///
    /// # Errors
    /// - [`Error::Settings`]: the URL or the CA file is wrong.
    /// - [`Error::Unreachable`]: no connection, a certificate that is not trusted, a connection that was lost, 408, 429
    ///   or 5xx.
    /// - [`Error::Timeout`]: it took too long.
    /// - [`Error::Refused`]: another 4xx.
    /// - [`Error::Remote`]: what came is no text within the bounds.
    /// - [`Error::Protocol`]: the document has mistakes, all of them listed.
    /// - [`Error::NoCachedCopy`]: [`cache`](Self::cache) is set, and the copy cannot stand in either.
    pub async fn load(&self) -> Result<Declarations, Error> {
        let (mut result, loaded) = oneshot::channel();
        self.spawn(move |remote| {
            let outcome = remote.run(result.closed());
            // Whoever asked may have gone meanwhile.
            drop(result.send(outcome));
        })?;
        loaded.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Loads the document and blocks the calling thread meanwhile, for a `main` that is not async.
    ///
    /// # Errors
    /// As [`load`](Self::load); also [`Error::Settings`] on the thread of an arbiter, which would stand still.
    pub fn load_blocking(&self) -> Result<Declarations, Error> {
        if actix::Arbiter::try_current().is_some() {
            let url = self.shown();
            let cure = "it would hold this arbiter: write `Remote::new(..).load().await`";
            return Err(Error::Settings(format!("the declarations {url} cannot be loaded in a blocking way: {cure}")));
        }
        self.spawn(|remote| remote.run(std::future::pending()))?.join().unwrap_or_else(|_| Err(ended()))
    }

    fn shown(&self) -> &dyn fmt::Display {
        match &self.address {
            Ok(address) => address,
            Err(_) => &"(no URL)",
        }
    }
}

impl fmt::Debug for Remote {
    /// Shows the URL without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("url", &format_args!("{}", self.shown()))
            .field("timeout", &self.timeout)
            .field("max_size", &self.max_size)
            .field("redirects", &self.redirects)
            .field("ca_file", &self.ca_file)
            .field("cache", &self.cache)
            .finish()
    }
}
