//! The cached copy: when it is written, and when it stands in.

use std::time::Duration;

use formicary::{Declarations, Error, Remote};

use crate::common::*;
use crate::server::*;

const OLD: &str = r#"{"signals": [{"name": "from_copy", "providing_args": []}]}"#;

/// The warnings among log lines.
fn warnings(lines: &[String]) -> Vec<&String> {
    lines.iter().filter(|line| line.contains("WARN formicary")).collect()
}

/// A loading that has its copy stand in, with one warning that says so.
#[track_caller]
fn stands_in(remote: Remote, reason: &str) {
    let copy = Copy::old(OLD);
    let remote = remote.cache(copy.path());
    let (loaded, lines): (Result<Declarations, Error>, _) = logged(|| load(&remote));
    assert!(loaded.unwrap().signal("from_copy").is_some());
    let warnings = warnings(&lines);
    assert_eq!(warnings.len(), 1, "{lines:?}");
    let copied = format!("are taken from their copy {}, 36", copy.path().display());
    for part in [&*copied, "s old, because: ", reason] {
        assert!(warnings[0].contains(part), "{part} is not in {}", warnings[0]);
    }
    assert_eq!(copy.text().as_deref(), Some(OLD), "the copy was touched");
}

#[test]
fn a_copy_stands_in_when_the_server_fails() {
    stands_in(Remote::new(&nowhere()), "cannot connect");
    let silent = Server::start(|request| assert!(request.hung_up_within(LONG)));
    stands_in(Remote::new(&silent.url("/")).timeout(Duration::from_millis(200)), "took longer than 200 ms");
    for status in ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests"] {
        let server = Server::saying(response(status, "", "sorry"));
        stands_in(Remote::new(&server.url("/")), status);
    }
}

#[test]
fn a_copy_stands_in_for_what_is_no_document() {
    for (answer, reason) in [
        (ok("<html>Please log in</html>"), "expected value at line 1"),
        (ok(r#"{"signals": [{"name": "a:b", "providing_args": []}]}"#), "signals[0].name"),
        (format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{DOCUMENT}"), "the connection broke"),
        (redirect("/again"), "more than 5 redirects"),
        (ok(&" ".repeat(2 * 1024 * 1024)), "larger than 1048576 bytes"),
    ] {
        let server = Server::saying(answer);
        stands_in(Remote::new(&server.url("/")), reason);
    }
}

#[test]
fn a_copy_hides_no_404() {
    for status in ["404 Not Found", "403 Forbidden", "401 Unauthorized", "410 Gone"] {
        let (server, copy) = (Server::saying(response(status, "", "")), Copy::of(OLD));
        let error = refused(&Remote::new(&server.url("/a.json")).cache(copy.path()));
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(status), "{error}");
    }
}

#[test]
fn without_a_copy_a_failure_is_an_error() {
    assert!(matches!(refused(&Remote::new(&nowhere())), Error::Unreachable { .. }));

    let (none, broken, large) = (Copy::none(), Copy::of("{"), Copy::of(OLD));
    for (copy, max_size, reason) in
        [(&none, 1024, "No such file"), (&broken, 1024, "line 1"), (&large, OLD.len() - 1, "it is larger than")]
    {
        let error = refused(&Remote::new(&nowhere()).cache(copy.path()).max_size(max_size));
        let Error::NoCachedCopy { cause, copy: path, .. } = &error else { panic!("{error:?}") };
        assert!(matches!(**cause, Error::Unreachable { .. }), "{cause:?}");
        assert_eq!(*path, copy.path());
        let error = error.to_string();
        assert!(error.contains("cannot connect") && error.contains(reason), "{error}");
    }
}

#[test]
fn a_good_document_replaces_the_copy_as_a_whole() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let server = Server::saying(ok(DOCUMENT));
    for copy in [Copy::none(), Copy::old(OLD)] {
        let before = std::fs::File::open(copy.path()).ok();
        let (loaded, lines) = logged(|| load(&Remote::new(&server.url("/")).cache(copy.path())));
        assert!(loaded.unwrap().signal("from_server").is_some());
        assert!(warnings(&lines).is_empty(), "{lines:?}");
        assert_eq!(copy.text().as_deref(), Some(DOCUMENT));
        assert_eq!(copy.files(), 1, "something was left beside the copy");
        let metadata = std::fs::metadata(copy.path()).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        // Another file, so that whoever reads meanwhile reads the old one to its end.
        assert!(before.is_none_or(|before| before.metadata().unwrap().ino() != metadata.ino()));
        drop(server.heads());
        let down = Remote::new(&nowhere()).cache(copy.path());
        assert!(load(&down).unwrap().signal("from_server").is_some());
    }
}

#[test]
fn a_copy_that_cannot_be_written_is_a_warning() {
    let (server, copy) = (Server::saying(ok(DOCUMENT)), Copy::none());
    let path = copy.path().join("missing/copy.json");
    let (loaded, lines) = logged(|| load(&Remote::new(&server.url("/")).cache(&path)));
    assert!(loaded.unwrap().signal("from_server").is_some());
    let warnings = warnings(&lines);
    assert_eq!(warnings.len(), 1, "{lines:?}");
    assert!(warnings[0].contains("cannot keep a copy"), "{}", warnings[0]);
}
