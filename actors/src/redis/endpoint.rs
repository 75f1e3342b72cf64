//! Where a server is: `redis://[user:password@]host[:port][/db]`, or `rediss://…`.

use crate::connection::url::{Part, decode, digits, host_and_port};
use std::{fmt, str::FromStr};

const DEFAULT_PORT: u16 = 6379;

/// The address of a Redis server, parsed from `redis://[user:password@]host[:port][/db]`.
///
/// With `rediss://` it is reached by TLS. The port is 6379 and the database 0 unless given; user and password may be percent-encoded; IPv6 hosts stand in
/// brackets. `Debug` and `Display` show `***` in place of the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: u8,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

/// Why a text is not the URL of a Redis server. Quotes nothing of the text, since any part may be a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The text does not begin with `redis://`.
    #[error("a Redis URL begins with `redis://`: write redis://[user:password@]host[:port][/db]")]
    Scheme,
    /// The text begins with `rediss://`, and this program was built without TLS.
    #[error("`rediss://` needs the feature `tls`, without which this program was built")]
    Tls,
    /// No host is named.
    #[error("the Redis URL names no host: write redis://[user:password@]host[:port][/db]")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error(
        "the port of the Redis URL is not a number from 1 to 65535 (a `/` or `@` in a password is written %2F, %40)"
    )]
    Port,
    /// The database is not a number from 0 to 255.
    #[error("the database of the Redis URL is not a number from 0 to 255: write redis://host:port/0")]
    Database,
    /// A user without a password.
    #[error("the Redis URL has a user without a password: write redis://user:password@host, or redis://:password@host")]
    Password,
    /// A percent escape in user or password that is not two hex digits of UTF-8.
    #[error("the user or password of the Redis URL has a broken percent escape: a `%` itself is written %25")]
    Escape,
    /// A query or fragment.
    #[error("a Redis URL takes no `?` or `#` part: percent-encode them in a password as %3F and %23")]
    Query,
}

impl Endpoint {
    /// Replaces the password in a text, e.g. in a server's error that repeats the command.
    pub(super) fn scrub(&self, text: &str) -> String {
        match &self.password {
            Some(password) if !password.is_empty() => text.replace(password.as_str(), "***"),
            _ => text.to_owned(),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(url: &str) -> Result<Self, EndpointError> {
        let (tls, rest) = match url.split_once("://") {
            Some(("redis", rest)) => (false, rest),
            Some(("rediss", rest)) if cfg!(feature = "tls") => (true, rest),
            Some(("rediss", _)) => return Err(EndpointError::Tls),
            _ => return Err(EndpointError::Scheme),
        };
        if rest.contains(['?', '#']) {
            return Err(EndpointError::Query);
        }
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, rest),
        };
        let (authority, database) = match place.split_once('/') {
            Some((authority, "")) => (authority, 0),
            Some((authority, db)) => (authority, digits(db).ok_or(EndpointError::Database)?),
            None => (place, 0),
        };
        let (host, port) = host_and_port(authority, DEFAULT_PORT).map_err(|part| match part {
            Part::Host => EndpointError::Host,
            Part::Port => EndpointError::Port,
        })?;
        let (user, password) = match credentials {
            None => (None, None),
            Some(text) => {
                let (user, password) = text.split_once(':').ok_or(EndpointError::Password)?;
                if password.is_empty() {
                    return Err(EndpointError::Password);
                }
                let decode = |text| decode(text).ok_or(EndpointError::Escape);
                let user = decode(user)?;
                ((!user.is_empty()).then_some(user), Some(decode(password)?))
            }
        };
        Ok(Self { tls, host, port, database, user, password })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "rediss://" } else { "redis://" })?;
        if self.password.is_some() {
            write!(f, "{}:***@", self.user.as_deref().unwrap_or_default())?;
        }
        write!(f, "{}:{}/{}", self.host, self.port, self.database)
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
            ("redis://h", "redis://h:6379/0"),
            ("redis://h/", "redis://h:6379/0"),
            ("redis://h:1/15", "redis://h:1/15"),
            ("redis://[::1]:7000", "redis://[::1]:7000/0"),
            ("redis://:s%40cret@h", "redis://:***@h:6379/0"),
            ("redis://anna:secret@h:7", "redis://anna:***@h:7/0"),
            ("redis://anna:sec@ret@h:7", "redis://anna:***@h:7/0"),
            #[cfg(feature = "tls")]
            ("rediss://:s%40cret@h", "rediss://:***@h:6379/0"),
        ] {
            let endpoint: Endpoint = url.parse().unwrap();
            assert_eq!(endpoint.to_string(), shown);
            assert!(!format!("{endpoint:?}").contains("cret"));
        }
        let endpoint: Endpoint = "redis://:s%40cret@h".parse().unwrap();
        assert_eq!(endpoint.password.as_deref(), Some("s@cret"));
        assert_eq!(endpoint.scrub("beginning with `s@cret`"), "beginning with `***`");
    }

    #[test]
    fn errors_never_hold_the_password() {
        use EndpointError::*;
        for (url, error) in [
            ("anna:secret@h", Scheme),
            ("http://anna:secret@h", Scheme),
            #[cfg(not(feature = "tls"))]
            ("rediss://anna:secret@h", Tls),
            ("redis://anna:secret", Port),
            ("redis://secret@h", Password),
            ("redis://secret:@h", Password),
            ("redis://anna:secret@", Host),
            ("redis://anna:secret@h:0", Port),
            ("redis://anna:secret@h:+1", Port),
            ("redis://anna:secret@h/one", Database),
            ("redis://anna:secret@h/256", Database),
            ("redis://anna:secret%4@h", Escape),
            ("redis://anna:secret%ff@h", Escape),
            ("redis://anna:secret#1@h", Query),
            ("redis://[::1", Host),
            ("redis://", Host),
        ] {
            let got = url.parse::<Endpoint>().unwrap_err();
            assert_eq!(got, error, "{url}");
            assert!(!format!("{got} {got:?}").contains("secret"));
        }
    }
}
