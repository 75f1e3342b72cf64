//! Where a document is. What is shown of it holds no secret.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use percent_encoding::percent_decode_str;
use url::{Origin, Url};

/// The longest URL that is taken, in bytes. Servers take 8,000 or less.
const LONGEST: usize = 8_000;

/// A URL with http or https.
///
/// It is shown as `https://***@host/path?***`.
#[derive(Clone)]
pub(super) struct Address(Url);

impl Address {
    /// What is wrong is said without a word of the text, any part of which may be a password.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        Self::checked(text, Url::parse)
    }

    /// Where a `Location` leads to, which may be relative.
    pub(super) fn join(&self, location: &str) -> Result<Self, &'static str> {
        Self::checked(location, |text| self.0.join(text))
    }

    fn checked(text: &str, parse: impl Fn(&str) -> Result<Url, url::ParseError>) -> Result<Self, &'static str> {
        if text.len() > LONGEST {
            return Err("is longer than 8,000 bytes");
        }
        let url = parse(text).map_err(|error| match error {
            url::ParseError::EmptyHost => "names no host",
            url::ParseError::InvalidPort => "has a port that is not a number from 0 to 65535",
            url::ParseError::RelativeUrlWithoutBase => "begins with neither http:// nor https://",
            _ => "cannot be understood",
        })?;
        match url.scheme() {
            "http" | "https" => Ok(Self(url)),
            _ => Err("begins with neither http:// nor https://"),
        }
    }

    pub(super) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    pub(super) fn origin(&self) -> Origin {
        self.0.origin()
    }

    /// The host as a resolver and a certificate know it: an IPv6 address without its brackets.
    pub(super) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    pub(super) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// The value of the header `Host`.
    pub(super) fn authority(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// What a request asks for: path and query.
    pub(super) fn target(&self) -> &str {
        let url = &self.0;
        &url[url::Position::BeforePath..url::Position::AfterQuery]
    }

    /// The value of the header `Authorization`, when there are a user or a password.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = (self.0.username(), self.0.password());
        if user.is_empty() && password.is_none() {
            return None;
        }
        let mut pair: Vec<u8> = percent_decode_str(user).collect();
        pair.push(b':');
        pair.extend(percent_decode_str(password.unwrap_or_default()));
        let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(url) = self;
        let user = if url.username().is_empty() && url.password().is_none() { "" } else { "***@" };
        let query = if url.query().is_some() { "?***" } else { "" };
        write!(f, "{}://{user}{}{}{query}", url.scheme(), self.authority(), url.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        for (given, shown) in [
            ("https://ann:secret@host/a.json?token=secret#secret", "https://***@host/a.json?***"),
            ("https://secret@host:8443", "https://***@host:8443/"),
            ("http://:secret@[::1]:80/a", "http://***@[::1]/a"),
            ("HTTP:/host/a b", "http://host/a%20b"),
        ] {
            assert_eq!(Address::parse(given).unwrap().to_string(), shown);
        }
        for wrong in [
            "https://secret:99999@host:port/",
            "ftp://ann:secret@host/",
            "ann:secret@host",
            "https://",
            "",
            "http://a b",
        ] {
            let reason = Address::parse(wrong).err().unwrap_or_else(|| panic!("{wrong} was taken"));
            assert!(!reason.contains("secret"), "{reason}");
        }
    }

    #[test]
    fn a_location_may_be_relative_and_is_http_again() {
        let base = Address::parse("https://host/a/b.json?x=1").unwrap();
        assert_eq!(base.join("c.json").unwrap().to_string(), "https://host/a/c.json");
        assert_eq!(base.join("//other/d").unwrap().to_string(), "https://other/d");
        assert!(base.join("file:///etc/passwd").is_err());
        assert!(base.join(&"x".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn what_goes_out_is_decoded_and_whole() {
        let address = Address::parse("http://a%40b:p%3Aw@[::1]:8080/x?token=1#part").unwrap();
        let value = address.authorization().unwrap();
        assert_eq!(value, format!("Basic {}", STANDARD.encode("a@b:p:w")).as_str());
        assert!(value.is_sensitive());
        assert_eq!((address.host(), address.port()), ("::1", 8080));
        assert_eq!((address.authority().as_str(), address.target()), ("[::1]:8080", "/x?token=1"));
    }
}
