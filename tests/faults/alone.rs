//! Tests in processes of their own.

use std::process::Command;
use std::time::Duration;

use formicary_test_support::process::Child;

use crate::server::Kind;

const ALONE: &str = "FORMICARY_FAULT_ALONE";
const LIMIT: Duration = Duration::from_secs(120);

/// Makes tests on Redis that run in a process of their own, in an actix system.
macro_rules! alone {
    ($($(#[doc = $doc:literal])+ async fn $name:ident() $body:block)+) => {
        $(
            $(#[doc = $doc])+
            #[test]
            fn $name() {
                let test = concat!(module_path!(), "::", stringify!($name));
                crate::alone::run(test, crate::server::Kind::Redis, async |_| $body);
            }
        )+
    };
}
pub(crate) use alone;

/// As `on_servers!`: makes two such tests out of each body, an `async fn(Kind)`.
macro_rules! alone_on_servers {
    ($($name:ident,)+) => {
        mod redis {
            $(
                #[test]
                fn $name() {
                    let test = concat!(module_path!(), "::", stringify!($name));
                    crate::alone::run(test, crate::server::Kind::Redis, super::$name);
                }
            )+
        }
        mod rabbitmq {
            $(
                #[test]
                fn $name() {
                    let test = concat!(module_path!(), "::", stringify!($name));
                    crate::alone::run(test, crate::server::Kind::RabbitMq, super::$name);
                }
            )+
        }
    };
}
pub(crate) use alone_on_servers;

/// Runs `body` in a process that runs nothing else: this program again, with the name of the test.
pub fn run(test: &str, kind: Kind, body: impl AsyncFnOnce(Kind)) {
    if !kind.is_there(test) {
        return;
    }
    let name = test.split_once("::").map_or(test, |(_, name)| name);
    if std::env::var_os(ALONE).is_some_and(|alone| alone == name) {
        return actix::System::new().block_on(body(kind));
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]).env(ALONE, name);
    let child = Child::spawn(command);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let code = runtime.block_on(child.wait(LIMIT));
    let said = child.stdout();
    assert_eq!(code, 0, "{said}\n{}", child.stderr());
    assert!(said.contains("1 passed"), "the process ran no test named {name}: {said}");
    for (_, measured) in said.lines().filter_map(|line| line.split_once("measured: ")) {
        println!("{name}: {measured}");
    }
}
