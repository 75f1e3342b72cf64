//! Processes of the demo that are killed on a Redis.

use std::collections::HashSet;
use std::process::Command;

use formicary_test_support::process::{Child, Signal, example};
use formicary_test_support::redis::Server;
use formicary_test_support::require_redis;

use super::common::{Demo, SOON, mails, until};

/// How many mails there are, each counted once.
pub fn delivered(demos: &[&Demo]) -> u64 {
    let mails: Vec<_> = demos.iter().flat_map(|demo| demo.mails()).collect();
    let ids: HashSet<_> = mails.iter().map(|mail| mail["message_id"].as_str().unwrap().to_owned()).collect();
    ids.len() as u64
}

pub async fn inspect(url: &str) -> String {
    let mut command = Command::new(example("cluster"));
    command.args(["--broker", url, "--inspect"]).env_remove("RUST_LOG");
    let process = Child::spawn(command);
    assert_eq!(process.wait(SOON).await, 0, "{}", process.stderr());
    process.stdout()
}

#[tokio::test]
async fn chaos_on_a_redis_kills_the_email_agent_and_loses_no_mail() {
    if !require_redis("chaos_on_a_redis_kills_the_email_agent_and_loses_no_mail") {
        return;
    }
    let server = Server::start().await;
    let url = server.url();
    let demo = Demo::start(&["--chaos", "--bus", &url, "--broker", &url, "--for", "8s", "--rate", "100"]);
    let summary = demo.ends(0).await;
    summary.adds_up();
    let said = demo.process.stderr();
    assert!(said.matches("killed by `kill -9`").count() >= 1, "{said}");
    for (key, least) in [("retried", 20), ("restarts", 3), ("dead_lettered", 1)] {
        assert!(summary.get(key) >= least, "{key} of {summary:?}");
    }
    assert!(said.contains("reclaimed="), "{said}");
    assert_eq!(summary.get("left"), 0, "{summary:?}\n{said}");
    assert_eq!(delivered(&[&demo]), summary.get("queued"), "every mail that was queued, {summary:?}");

    let shown = inspect(&url).await;
    assert!(shown.starts_with("mailer: 0 waiting, 0 in flight, 0 delayed, 1 dead (1 undecodable)\n"), "{shown}");
    assert!(shown.contains("undecodable  attempt 1") && shown.contains("\"no mail at all\""), "{shown}");
}

#[tokio::test]
async fn an_email_process_that_is_killed_and_started_again_loses_no_mail() {
    if !require_redis("an_email_process_that_is_killed_and_started_again_loses_no_mail") {
        return;
    }
    let server = Server::start().await;
    let url = server.url();
    // 200 mails a second, so that about 12 are in hand whenever it dies.
    let email = || {
        let args = ["--chaos", "--bus", &url, "--broker", &url, "--agents", "email", "--mail-delay", "60ms"];
        Demo::start(&args)
    };
    let first = email();
    first.started("email_agent").await;
    let senders =
        Demo::start(&["--bus", &url, "--broker", &url, "--agents", "user,comment", "--rate", "100", "--for", "3s"]);
    until(SOON, "mails", async || first.mails().len() >= 100).await;
    first.process.signal(Signal::KILL);
    first.process.wait(SOON).await;
    let second = email();
    let of_senders = senders.ends(0).await;
    let queued = of_senders.get("queued");
    until(SOON, "every mail", async || match delivered(&[&first, &second]) {
        all if all >= queued => Ok(()),
        fewer => Err(format!("{fewer} of {queued}")),
    })
    .await;
    second.process.signal(Signal::TERM);
    let of_second = second.ends(0).await;
    assert_eq!((of_second.get("left"), of_second.get("dead_lettered")), (0, 0), "{of_second:?}");
    assert_eq!(delivered(&[&first, &second]), queued);
    assert!(second.process.stderr().contains("reclaimed="), "{}", second.process.stderr());
}

#[tokio::test]
async fn sigterm_ends_both_processes_with_a_summary() {
    if !require_redis("sigterm_ends_both_processes_with_a_summary") {
        return;
    }
    let server = Server::start().await;
    let url = server.url();
    let demo = Demo::start(&["--chaos", "--bus", &url, "--broker", &url, "--rate", "50"]);
    until(SOON, "mails", async || demo.mails().len() >= 50).await;
    demo.process.signal(Signal::TERM);
    let summary = demo.ends(0).await;
    summary.adds_up();
    assert_eq!(demo.process.stderr().matches("stopping").count(), 1, "the other one is told by this one");
    let clients = server.command(&["CLIENT", "LIST"]).await.unwrap().text().unwrap();
    assert_eq!(clients.lines().count(), 1, "{clients}");
}

#[tokio::test]
async fn the_email_process_ends_with_the_one_that_started_it() {
    if !require_redis("the_email_process_ends_with_the_one_that_started_it") {
        return;
    }
    let server = Server::start().await;
    let url = server.url();
    let demo = Demo::start(&["--chaos", "--bus", &url, "--broker", &url, "--rate", "50"]);
    until(SOON, "mails", async || !demo.mails().is_empty()).await;
    demo.process.signal(Signal::KILL);
    demo.process.wait(SOON).await;
    until(SOON, "nobody at the Redis but the test", async || {
        let clients = server.command(&["CLIENT", "LIST"]).await.unwrap().text().unwrap();
        clients.lines().count() == 1
    })
    .await;
    assert!(!mails(&demo.outbox()).is_empty());
}

#[tokio::test]
async fn inspect_shows_counts_and_letters_and_takes_nothing() {
    if !require_redis("inspect_shows_counts_and_letters_and_takes_nothing") {
        return;
    }
    let server = Server::start().await;
    let url = server.url();
    assert_eq!(inspect(&url).await, "mailer: 0 waiting, 0 in flight, 0 delayed, 0 dead");
    server.command(&["RPUSH", "mailer", "\u{1b}[2Jno mail", "{\"text\": 1}"]).await.unwrap();
    assert_eq!(inspect(&url).await, "mailer: 2 waiting, 0 in flight, 0 delayed, 0 dead");
    let email = Demo::start(&["--bus", &url, "--broker", &url, "--agents", "email", "--for", "1s"]);
    assert_eq!(email.ends(0).await.get("dead_lettered"), 2);
    let shown = inspect(&url).await;
    assert!(shown.starts_with("mailer: 0 waiting, 0 in flight, 0 delayed, 2 dead (2 undecodable)\n"), "{shown}");
    assert!(shown.contains("email_agent.deliver: cannot decode Mailer"), "{shown}");
    assert!(shown.contains("·[2Jno mail") && !shown.contains('\u{1b}'), "{shown}");
}
