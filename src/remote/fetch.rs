//! The text of a document: requests, redirects, bounds.

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode};

use super::Remote;
use super::address::Address;
use super::connect::{connect, no_answer};
use crate::Error;

/// The most bytes of a response before its body.
const MAX_HEAD: usize = 64 * 1024;

/// The text behind an address.
pub(super) async fn fetch(remote: &Remote, start: &Address) -> Result<String, Error> {
    let mut address = start.clone();
    for _ in 0..=remote.redirects {
        // Who redirects us elsewhere gets no password of ours to send there.
        let authorization = start.authorization().filter(|_| address.origin() == start.origin());
        let response = ask(remote, &address, authorization).await?;
        if !leads_elsewhere(response.status()) {
            return document(remote, &address, response).await;
        }
        address = follow(&address, response.headers())?;
    }
    let cure = "is it a loop? `Remote::redirects` sets how many are followed";
    Err(unfit(start, format_args!("more than {} redirects; {cure}", remote.redirects)))
}

async fn ask(
    remote: &Remote,
    address: &Address,
    authorization: Option<HeaderValue>,
) -> Result<Response<Incoming>, Error> {
    let mut request = Request::get(address.target())
        .header(header::HOST, address.authority())
        .header(header::ACCEPT, "application/json")
        // What is not compressed cannot grow when it is unpacked.
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::USER_AGENT, concat!("formicary/", env!("CARGO_PKG_VERSION")));
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|_| Error::Settings(format!("the URL of the declarations {address} cannot be asked for")))?;
    let stream = connect(address, remote.ca_file.as_deref()).await?;
    let lost = |error: hyper::Error| no_answer(address, lost(&error));
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(MAX_HEAD).handshake(stream).await.map_err(lost)?;
    // It ends with the runtime, which lives for this one loading. Its error is the request's too.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(lost)
}

fn leads_elsewhere(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn follow(address: &Address, headers: &HeaderMap) -> Result<Address, Error> {
    let location = headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
    let location = location.ok_or_else(|| unfit(address, "a redirect that names no place"))?;
    let next =
        address.join(location).map_err(|reason| unfit(address, format_args!("a redirect to a place that {reason}")))?;
    if address.is_https() && !next.is_https() {
        return Err(unfit(address, format_args!("a redirect from https to {next}, where anybody could change them")));
    }
    Ok(next)
}

/// The text of the response, when that is a whole and plain one within the bound.
async fn document(remote: &Remote, address: &Address, response: Response<Incoming>) -> Result<String, Error> {
    let status = response.status();
    match status.as_u16() {
        200 => {}
        408 | 429 | 500.. => return Err(no_answer(address, format_args!("the server answers {status}"))),
        400.. => {
            let what = format!("loading the declarations {address}");
            return Err(Error::Refused { what, reason: format!("{status}{}", cure(status)) });
        }
        _ => return Err(unfit(address, format_args!("the server answers {status}, and not 200"))),
    }
    if response.headers().get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(unfit(
            address,
            "they are compressed, which was not asked for: make the server send them as they are",
        ));
    }
    let mut body = response.into_body();
    let too_large = || {
        let cure = "`Remote::max_size` sets the bound";
        unfit(address, format_args!("they are larger than {} bytes; {cure}", remote.max_size))
    };
    // Where the length is known before, nothing is read.
    if body.size_hint().lower() > remote.max_size as u64 {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| no_answer(address, lost(&error)))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > remote.max_size - bytes.len() {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    String::from_utf8(bytes).map_err(|_| unfit(address, "they are not UTF-8"))
}

/// The error of an answer that is no document.
fn unfit(address: &Address, reason: impl std::fmt::Display) -> Error {
    Error::Remote { url: address.to_string(), reason: reason.to_string() }
}

fn lost(error: &hyper::Error) -> String {
    let mut text = format!("the connection broke: {error}");
    if let Some(source) = std::error::Error::source(error) {
        text.push_str(&format!(": {source}"));
    }
    text
}

fn cure(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => ": give a user and a password in the URL, as https://user:password@host/path",
        403 => ": is the URL right, and may this machine read it?",
        404 | 410 => ": correct the URL",
        _ => "",
    }
}
