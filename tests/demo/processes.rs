//! The demo in several processes on one server.

use formicary_test_support::process::Signal;
use formicary_test_support::{rabbitmq, redis, require_rabbitmq, require_redis};

use super::common::{Demo, SOON, Summary, texts, until};

fn on<'a>(url: &'a str, args: &[&'a str]) -> Demo {
    let mut all = vec!["--bus", url, "--broker", url];
    all.extend(args);
    Demo::start(&all)
}

fn sum(summaries: &[&Summary], key: &str) -> u64 {
    summaries.iter().map(|summary| summary.get(key)).sum()
}

#[tokio::test]
async fn three_processes_are_one_cluster() {
    if require_redis("three_processes_are_one_cluster") {
        let server = redis::Server::start().await;
        three_processes_are_one_cluster_on(&server.url()).await;
    }
}

#[tokio::test]
async fn on_rabbitmq_three_processes_are_one_cluster() {
    let test = "on_rabbitmq_three_processes_are_one_cluster";
    if require_rabbitmq(test) {
        three_processes_are_one_cluster_on(&rabbitmq::shared(test).await.url()).await;
    }
}

async fn three_processes_are_one_cluster_on(url: &str) {
    let email = on(url, &["--agents", "email"]);
    let comment = on(url, &["--agents", "comment"]);
    email.started("email_agent").await;
    comment.started("comment_agent").await;
    let user = on(url, &["--agents", "user", "--rate", "50", "--for", "2s"]);

    let of_user = user.ends(0).await;
    comment.process.signal(Signal::TERM);
    let of_comment = comment.ends(0).await;
    let queued = sum(&[&of_user, &of_comment], "queued");
    until(SOON, "every mail", async || email.mails().len() as u64 >= queued).await;
    email.process.signal(Signal::TERM);
    let of_email = email.ends(0).await;

    let all = [&of_user, &of_comment, &of_email];
    let users = of_user.get("signals_sent") / 2;
    assert!(users >= 60, "{all:?}");
    // The user agent stops at once: what it sent last finds nobody, which is no loss of a signal.
    let most = [("calls_answered", users), ("signals_received", 3 * users), ("queued", 2 * users + 1)];
    for (key, most) in most {
        assert!((most * 9 / 10..=most).contains(&sum(&all, key)), "{key} of {all:?}");
    }
    assert_eq!((of_user.get("left"), of_comment.get("left")), (0, 0), "{all:?}");
    assert_eq!(queued, sum(&all, "consumed") + of_email.get("left"), "{all:?}");
    assert_eq!(texts(&email.mails()).len() as u64, of_user.get("queued") + 1, "{all:?}");
}

#[tokio::test]
async fn sigterm_under_load_loses_nothing() {
    if require_redis("sigterm_under_load_loses_nothing") {
        let server = redis::Server::start().await;
        sigterm_under_load_loses_nothing_on(&server.url()).await;
    }
}

#[tokio::test]
async fn on_rabbitmq_sigterm_under_load_loses_nothing() {
    let test = "on_rabbitmq_sigterm_under_load_loses_nothing";
    if require_rabbitmq(test) {
        sigterm_under_load_loses_nothing_on(&rabbitmq::shared(test).await.url()).await;
    }
}

async fn sigterm_under_load_loses_nothing_on(url: &str) {
    let first = on(url, &["--agents", "email", "--mail-delay", "20ms"]);
    first.started("email_agent").await;
    let senders = on(url, &["--agents", "user,comment", "--rate", "200", "--for", "3s"]);
    until(SOON, "mails", async || first.mails().len() >= 100).await;
    first.process.signal(Signal::TERM);
    let of_first = first.ends(0).await;
    let of_senders = senders.ends(0).await;
    let second = on(url, &["--agents", "email", "--for", "1s"]);
    let of_second = second.ends(0).await;

    let all = [&of_first, &of_senders, &of_second];
    let found = sum(&all, "consumed") + sum(&all, "dead_lettered") + of_second.get("left");
    assert!(sum(&all, "queued") <= found, "{all:?}");
    assert!(of_second.get("consumed") > 0, "it was stopped under load: {all:?}");
    assert_eq!((of_second.get("left"), sum(&all, "dead_lettered")), (0, 0), "{all:?}");

    let mails: Vec<_> = first.mails().into_iter().chain(second.mails()).collect();
    let texts = texts(&mails);
    assert_eq!(of_senders.get("dropped"), 0, "{all:?}");
    assert!(of_senders.get("queued") >= 600, "400 a second for 3 s: {all:?}");
    // Each welcome counts once, however often it was mailed.
    let welcomes = texts.keys().filter(|text| text.starts_with("Welcome")).count() as u64;
    let others: u64 = texts.iter().filter(|(text, _)| !text.starts_with("Welcome")).map(|(_, times)| times).sum();
    assert!(welcomes + others >= of_senders.get("queued"), "{all:?}");
}
