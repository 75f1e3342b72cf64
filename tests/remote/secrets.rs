//! Passwords and tokens stay secret.

use std::sync::Mutex;
use std::time::Duration;

use formicary::{Error, Remote};

use crate::common::*;
use crate::server::*;

const SECRET: &str = "swordfish-7c1f";

/// Lines of dependencies that write to `log`.
static FOREIGN: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Foreign;

impl log::Log for Foreign {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        FOREIGN.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

fn is_silent(what: &str, text: &str) {
    assert!(!text.contains(SECRET) && !text.contains("c3dvcmRmaXNo"), "a secret in {what}: {text}");
}

#[test]
fn no_secret_of_a_url_is_shown_anywhere() {
    log::set_logger(&Foreign).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let with_secrets =
        |url: &str| format!("{}?token={SECRET}#{SECRET}", url.replace("://", &format!("://ann:{SECRET}@")));
    let identity = Identity::new();
    let secure = Server::start_tls(&identity, |request| request.answer(ok(DOCUMENT)));
    let silent = Server::start(|request| assert!(request.hung_up_within(LONG)));
    let answers = [
        ok(DOCUMENT),
        ok("broken"),
        ok(r#"{"signals": 1}"#),
        response("404 Not Found", "", ""),
        response("500 Oh", "", ""),
        response("204 No Content", "", ""),
        response("200 OK", "Content-Encoding: gzip\r\n", ""),
        redirect(&format!("/loop?token={SECRET}")),
        redirect(&format!("http://ann:{SECRET}@localhost:99999/")),
        redirect(&format!("ftp://ann:{SECRET}@localhost/")),
        redirect(&with_secrets(&nowhere())),
        "nonsense".to_owned(),
    ];
    let servers: Vec<_> = answers.into_iter().map(Server::saying).collect();
    let mut urls: Vec<_> =
        servers.iter().chain([&secure, &silent]).map(|it| with_secrets(&it.url("/a.json"))).collect();
    urls.push(with_secrets(&nowhere()));
    // No URLs, as people write them.
    urls.extend([
        format!("https:/ann:{SECRET}@host:port/"),
        format!("//ann:{SECRET}@host/"),
        format!("ftp://ann:{SECRET}@host/"),
    ]);

    let copy = Copy::of(DOCUMENT);
    let mut failed = 0;
    for url in &urls {
        let plain = Remote::new(url).timeout(Duration::from_millis(300));
        for remote in [plain.clone(), plain.clone().cache(copy.path()), plain.cache("/missing/copy.json")] {
            is_silent("Debug", &format!("{remote:?} {remote:#?}"));
            let (loaded, lines) = logged(|| load(&remote));
            is_silent("a log line", &lines.join("\n"));
            let Err(error) = loaded else { continue };
            failed += 1;
            is_silent("an error", &format!("{error} {error:?} {error:#?}"));
        }
    }
    assert!(failed > 2 * urls.len() - 4, "{failed} of {} have failed", 3 * urls.len());
    is_silent("a line of a dependency", &FOREIGN.lock().unwrap().join("\n"));

    // On an arbiter too, where it is refused unasked.
    let (error, _) = actix::System::new().block_on(async { logged(|| formicary::load(&urls[0]).unwrap_err()) });
    assert!(matches!(error, Error::Settings(_)), "{error:?}");
    is_silent("an error", &format!("{error} {error:?}"));
}
