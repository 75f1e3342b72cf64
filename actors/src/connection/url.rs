//! The parts of a server's URL that all URLs have alike.

use std::str::FromStr;

/// Which part is wrong. Quotes nothing, since any part may hold a password.
pub(crate) enum Part {
    Host,
    Port,
}

/// `host[:port]`; IPv6 hosts stand in brackets, and keep them.
pub(crate) fn host_and_port(authority: &str, default_port: u16) -> Result<(String, u16), Part> {
    let split = match authority.rfind(']') {
        Some(end) if authority.starts_with('[') => end + 1,
        end if end.is_some() || authority.contains('[') => return Err(Part::Host),
        _ => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(split);
    if host.is_empty() || host == "[]" || host.contains(char::is_whitespace) {
        return Err(Part::Host);
    }
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => default_port,
        None => return Err(Part::Port),
        Some(text) => digits::<u16>(text).filter(|port| *port > 0).ok_or(Part::Port)?,
    };
    Ok((host.to_owned(), port))
}

/// A host without the brackets of an IPv6 address: as the system and certificates know it.
#[cfg(any(feature = "amqp", feature = "tls"))]
pub(crate) fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// `parse` alone would take "+1".
pub(crate) fn digits<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A text without its percent escapes; `None` when one is broken or they make no UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|hex| char::from(hex).to_digit(16));
        match (digit(), digit()) {
            (Some(high), Some(low)) => out.push((high * 16 + low) as u8),
            _ => return None,
        }
    }
    String::from_utf8(out).ok()
}
