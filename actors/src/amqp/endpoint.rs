//! Where a server is: `amqp://[user:password@]host[:port][/vhost]`.

use crate::connection::url::{Part, decode, host_and_port};
use std::{fmt, str::FromStr};

const DEFAULT_PORT: u16 = 5672;
const DEFAULT_TLS_PORT: u16 = 5671;

/// The address of a RabbitMQ server, parsed from `amqp://[user:password@]host[:port][/vhost]`.
///
/// The port is 5672 (5671 with `amqps://`), user and password are `guest` and the virtual host is `/` unless given. All
/// three may be percent-encoded: the virtual host `/a/b` is written `%2Fa%2Fb`. `Debug` and `Display` show `***` in place
/// of the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) vhost: String,
    pub(super) user: String,
    pub(super) password: String,
}

/// Why a text is not the URL of a RabbitMQ server. Quotes nothing of the text, since any part may be a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The text does not begin with `amqp://`.
    #[error("an AMQP URL begins with `amqp://`: write amqp://[user:password@]host[:port][/vhost]")]
    Scheme,
    /// The text begins with `amqps://`, and this program was built without TLS.
    #[error("`amqps://` needs the feature `tls`, without which this program was built")]
    Tls,
    /// No host is named.
    #[error("the AMQP URL names no host: write amqp://[user:password@]host[:port][/vhost]")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error(
        "the port of the AMQP URL is not a number from 1 to 65535 (a `/` or `@` in a password is written %2F, %40)"
    )]
    Port,
    /// More than one name behind the host.
    #[error("the virtual host of the AMQP URL holds a `/`: write it %2F")]
    Vhost,
    /// A user without a password.
    #[error("the AMQP URL has a user without a password: write amqp://user:password@host")]
    Password,
    /// A percent escape that is not two hex digits of UTF-8.
    #[error("the AMQP URL has a broken percent escape: a `%` itself is written %25")]
    Escape,
    /// A query or fragment.
    #[error(
        "an AMQP URL takes no `?` or `#` part here: settings are methods of `AmqpConfig`; in a password they are %3F and %23"
    )]
    Query,
}

impl Endpoint {
    /// Replaces the password in a text, e.g. in a server's error.
    pub(super) fn scrub(&self, text: &str) -> String {
        // The password that everybody knows is also the name of the user.
        if self.password.is_empty() || self.password == self.user {
            return text.to_owned();
        }
        text.replace(self.password.as_str(), "***")
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(url: &str) -> Result<Self, EndpointError> {
        let (tls, rest) = match url.split_once("://") {
            Some(("amqp", rest)) => (false, rest),
            Some(("amqps", rest)) if cfg!(feature = "tls") => (true, rest),
            Some(("amqps", _)) => return Err(EndpointError::Tls),
            _ => return Err(EndpointError::Scheme),
        };
        if rest.contains(['?', '#']) {
            return Err(EndpointError::Query);
        }
        let decode = |text| decode(text).ok_or(EndpointError::Escape);
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, rest),
        };
        let (user, password) = match credentials {
            None => ("guest".to_owned(), "guest".to_owned()),
            Some(text) => {
                let (user, password) = text.split_once(':').ok_or(EndpointError::Password)?;
                (decode(user)?, decode(password)?)
            }
        };
        let (authority, vhost) = match place.split_once('/') {
            None | Some((_, "")) => (place.trim_end_matches('/'), "/".to_owned()),
            Some((_, vhost)) if vhost.contains('/') => return Err(EndpointError::Vhost),
            Some((authority, vhost)) => (authority, decode(vhost)?),
        };
        let default_port = if tls { DEFAULT_TLS_PORT } else { DEFAULT_PORT };
        let (host, port) = host_and_port(authority, default_port).map_err(|part| match part {
            Part::Host => EndpointError::Host,
            Part::Port => EndpointError::Port,
        })?;
        Ok(Self { tls, host, port, vhost, user, password })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "amqps" } else { "amqp" };
        let vhost = self.vhost.replace('%', "%25").replace('/', "%2F");
        write!(f, "{scheme}://{}:***@{}:{}/{vhost}", self.user, self.host, self.port)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, EndpointError};

    #[test]
    fn urls_are_read() {
        for (url, shown) in [
            ("amqp://h", "amqp://guest:***@h:5672/%2F"),
            ("amqp://h/", "amqp://guest:***@h:5672/%2F"),
            ("amqp://h:1/%2f", "amqp://guest:***@h:1/%2F"),
            ("amqp://h/shop", "amqp://guest:***@h:5672/shop"),
            ("amqp://[::1]:7000/%2Fa%2Fb", "amqp://guest:***@[::1]:7000/%2Fa%2Fb"),
            ("amqp://anna:s%40cret@h:7", "amqp://anna:***@h:7/%2F"),
            ("amqp://anna:sec@ret@h:7", "amqp://anna:***@h:7/%2F"),
        ] {
            let endpoint: Endpoint = url.parse().unwrap();
            assert_eq!(endpoint.to_string(), shown);
            assert!(!format!("{endpoint:?}").contains("cret"));
        }
        let endpoint: Endpoint = "amqp://anna:s%40cret@h".parse().unwrap();
        assert_eq!(endpoint.password, "s@cret");
        assert_eq!(endpoint.scrub("beginning with `s@cret`"), "beginning with `***`");
    }

    #[test]
    fn errors_never_hold_the_password() {
        use EndpointError::*;
        for (url, error) in [
            ("anna:secret@h", Scheme),
            ("http://anna:secret@h", Scheme),
            ("amqp://anna:secret", Port),
            ("amqp://secret@h", Password),
            ("amqp://anna:secret@", Host),
            ("amqp://anna:secret@h:0", Port),
            ("amqp://anna:secret@h/a/b", Vhost),
            ("amqp://anna:secret%4@h", Escape),
            ("amqp://anna:secret%ff@h", Escape),
            ("amqp://anna:secret@h/%zz", Escape),
            ("amqp://anna:secret#1@h", Query),
            ("amqp://anna:secret@h?heartbeat=3", Query),
            ("amqp://", Host),
        ] {
            let got = url.parse::<Endpoint>().unwrap_err();
            assert_eq!(got, error, "{url}");
            assert!(!format!("{got} {got:?}").contains("secret"));
        }
    }
}
