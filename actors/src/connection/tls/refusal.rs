//! What a failed handshake means, in words that tell who has to change what.

use std::path::Path;

/// `debug` is the `Debug` text of an I/O error around one of rustls. `shown`: whether we have a certificate of our own.
pub(super) fn explain(debug: &str, authorities: Option<&Path>, shown: bool) -> Option<String> {
    if let Some(problem) = inside(debug, "InvalidCertificate(") {
        return Some(certificate(problem, authorities));
    }
    if let Some(said) = inside(debug, "AlertReceived(") {
        return Some(alert(said, shown));
    }
    if debug.contains("InvalidMessage(") {
        return Some("what listens there does not speak TLS; check the port, or write redis:// or amqp://".to_owned());
    }
    (debug.contains("PeerIncompatible(") || debug.contains("PeerMisbehaved("))
        .then(|| "the server does TLS in a way that is not known here; 1.2 or 1.3 is needed".to_owned())
}

fn certificate(problem: &str, authorities: Option<&Path>) -> String {
    let named = |name| problem.starts_with(name);
    // A bad signature is that of another authority of the same name: one that was made anew.
    if named("UnknownIssuer") || named("BadSignature") {
        return match authorities {
            Some(file) => format!("the server's certificate is signed by nobody in the CA file {}", file.display()),
            None => "the server's certificate is signed by no authority that this machine trusts; if it is one of your own, \
                 name its file with `ca_file`"
                .to_owned(),
        };
    }
    if named("Expired") {
        return "the server's certificate has expired; it has to be renewed (or the clock of this machine is wrong)"
            .to_owned();
    }
    if named("NotValidYet") {
        return "the server's certificate is not valid yet; is the clock of this machine right?".to_owned();
    }
    if named("NotValidForName") {
        let names = names(problem);
        let names = if names.is_empty() { "another name".to_owned() } else { names.join(", ") };
        return format!("the server's certificate is for {names} and not for the host of the URL");
    }
    format!("the server's certificate is refused: {problem}")
}

/// What the server said before it hung up. Some servers say `HandshakeFailure` of a certificate that is missing, and
/// `DecryptError` of one that another authority of the same name has signed.
fn alert(said: &str, shown: bool) -> String {
    let about_us = said.contains("Certificate")
        || ["UnknownCA", "AccessDenied", "DecryptError", "HandshakeFailure"].contains(&said);
    match (about_us, shown) {
        (true, false) if said == "HandshakeFailure" => format!(
            "the server refuses the handshake ({said}): it demands a certificate of its clients, which you name with \
             `client_certificate`, or it shares no cipher of TLS 1.2 or 1.3 with us"
        ),
        (true, true) => format!(
            "the server refuses our certificate ({said}); is it signed by an authority that the server trusts, and not \
             expired?"
        ),
        (true, false) => {
            format!("the server demands a certificate of its clients ({said}); name yours with `client_certificate`")
        }
        (false, _) => format!("the server refuses the handshake ({said})"),
    }
}

/// What stands between `opening` and the parenthesis that closes it.
fn inside<'a>(text: &'a str, opening: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(opening)?;
    let mut depth = 1_u32;
    let end = rest.find(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    Some(&rest[..end.unwrap_or(rest.len())])
}

/// The first names of a certificate: `… presented: ["DnsName(\"a\")", "IpAddress(127.0.0.1)"] }`.
fn names(problem: &str) -> Vec<&str> {
    let (_, presented) = problem.split_once("presented: [").unwrap_or_default();
    let presented = presented.split(']').next().unwrap_or_default();
    let names = presented.split(", ").filter_map(|name| name.split_once('('));
    names.map(|(_, name)| name.trim_matches(|c| "\\\"()".contains(c))).filter(|name| !name.is_empty()).take(5).collect()
}
