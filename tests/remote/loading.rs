//! Good documents, and answers that are none.

use formicary::{Error, Remote};

use crate::common::*;
use crate::server::*;

#[test]
fn a_document_is_loaded_over_http() {
    let server = Server::saying(ok(DOCUMENT));
    let declarations = load(&Remote::new(&server.url("/a/signals.json?x=1"))).unwrap();
    assert!(declarations.signal("from_server").is_some());
    let heads = server.heads();
    assert_eq!(heads.len(), 1);
    let head = heads[0].to_lowercase();
    assert!(head.starts_with("get /a/signals.json?x=1 http/1.1\r\n"), "{head}");
    for line in [&*format!("host: localhost:{}", server.port()), "accept-encoding: identity", "user-agent: formicary/"]
    {
        assert!(head.contains(&format!("\r\n{line}")), "{line} is not in {head}");
    }
    assert!(!head.contains("authorization"), "{head}");
}

#[test]
fn a_document_may_come_in_chunks_or_end_with_the_connection() {
    let (first, second) = DOCUMENT.split_at(20);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let chunks = format!("{}{}0\r\n\r\n", chunk(first), chunk(second));
    for answer in [
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"),
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{DOCUMENT}"),
        format!("HTTP/1.0 200 OK\r\n\r\n{DOCUMENT}"),
    ] {
        let server = Server::saying(answer);
        assert!(load(&Remote::new(&server.url("/"))).unwrap().signal("from_server").is_some());
    }
}

#[test]
fn files_and_urls_are_merged_and_may_be_loaded_again() {
    let server = Server::saying(ok(DOCUMENT));
    let url = server.url("/a.json");
    let file = formicary::load("signals.json").unwrap();
    let both = formicary::load_all(["signals.json", &url, "signals.json", &url]).unwrap();
    assert_eq!(both.signals().count(), file.signals().count() + 1);
    assert!(both.signal("user_created").is_some() && both.signal("from_server").is_some());

    let other = Copy::of(r#"{"signals": [{"name": "from_server", "providing_args": []}]}"#);
    let error = formicary::load_all([&*url, other.path().to_str().unwrap()]).unwrap_err().to_string();
    assert!(error.contains("contradict") && error.contains("from_server"), "{error}");
}

#[test]
fn a_document_with_mistakes_is_refused_with_all_of_them() {
    let server = Server::saying(ok(r#"{"signals": [{"name": "a:b", "providing_args": []}, {"name": "c"}]}"#));
    let error = refused(&Remote::new(&server.url("/a.json")));
    assert!(matches!(error, Error::Protocol(_)), "{error:?}");
    let error = error.to_string();
    assert!(error.contains(&server.url("/a.json")), "{error}");
    assert!(error.contains("signals[0].name") && error.contains("signals[1]"), "{error}");
}

#[test]
fn an_answer_that_is_no_document_says_why() {
    for (answer, reason) in [
        (response("404 Not Found", "", ""), "404 Not Found: correct the URL"),
        (response("403 Forbidden", "", ""), "403 Forbidden"),
        (response("401 Unauthorized", "", ""), "give a user and a password in the URL"),
        (response("500 Internal Server Error", "", ""), "the server answers 500 Internal Server Error"),
        (response("429 Too Many Requests", "", ""), "the server answers 429 Too Many Requests"),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), "answers 204 No Content, and not 200"),
        (response("206 Partial Content", "", DOCUMENT), "answers 206 Partial Content, and not 200"),
        (response("200 OK", "Content-Encoding: gzip\r\n", DOCUMENT), "they are compressed"),
        (ok(&DOCUMENT.replace("from_server\"", "from_server")), "line 1"),
        (format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{DOCUMENT}"), "the connection broke"),
        ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), "the connection broke"),
        (String::new(), "the connection broke"),
    ] {
        let server = Server::saying(&*answer);
        let error = refused(&Remote::new(&server.url("/a.json"))).to_string();
        assert!(error.contains(reason), "{answer:?} gave {error}");
        assert!(error.contains(&server.url("/a.json")), "{error}");
    }
    let latin = Server::start(|request| request.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\xff"));
    assert!(refused(&Remote::new(&latin.url("/"))).to_string().contains("not UTF-8"));
}

#[test]
fn wrong_urls_and_files_of_authorities_are_settings() {
    let empty = Copy::of("no certificate");
    for (remote, reason) in [
        (Remote::new("signals.json"), "begins with neither http:// nor https://"),
        (Remote::new("ftp://host/a.json"), "begins with neither http:// nor https://"),
        (Remote::new("https://host:99999/"), "a port that is not a number"),
        (Remote::new("https://localhost:1/").ca_file("/missing.pem"), "the CA file /missing.pem"),
        (Remote::new("https://localhost:1/").ca_file(empty.path()), "it holds no certificate"),
    ] {
        let copy = Copy::of(DOCUMENT);
        let error = refused(&remote.cache(copy.path()));
        assert!(matches!(error, Error::Settings(_)), "{error:?}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}
