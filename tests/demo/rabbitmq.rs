//! What is different on a RabbitMQ: processes that are killed, and what is told of a queue.

use formicary_test_support::process::Signal;
use formicary_test_support::rabbitmq::shared;
use formicary_test_support::require_rabbitmq;

use super::common::{Demo, SOON, until};
use super::killed::{delivered, inspect};

const COUNTS: &str = "what is in flight or delayed this server does not tell";

#[tokio::test]
async fn chaos_on_a_rabbitmq_kills_the_email_agent_and_loses_no_mail() {
    let test = "chaos_on_a_rabbitmq_kills_the_email_agent_and_loses_no_mail";
    if !require_rabbitmq(test) {
        return;
    }
    let url = shared(test).await.url();
    let demo = Demo::start(&["--chaos", "--bus", &url, "--broker", &url, "--for", "8s", "--rate", "100"]);
    let summary = demo.ends(0).await;
    summary.adds_up();
    let said = demo.process.stderr();
    assert!(said.matches("killed by `kill -9`").count() >= 1, "{said}");
    for (key, least) in [("retried", 20), ("restarts", 3), ("dead_lettered", 1)] {
        assert!(summary.get(key) >= least, "{key} of {summary:?}");
    }
    assert_eq!(summary.get("left"), 0, "{summary:?}\n{said}");
    // A mail that failed again and again may still be delayed, of which this server does not tell.
    let queued = summary.get("queued");
    let rest = Demo::start(&["--bus", &url, "--broker", &url, "--agents", "email"]);
    until(SOON, "every mail", async || match delivered(&[&demo, &rest]) {
        all if all >= queued => Ok(()),
        fewer => Err(format!("{fewer} of {queued}, {summary:?}")),
    })
    .await;
    rest.started("email_agent").await;
    rest.process.signal(Signal::TERM);
    rest.ends(0).await;
    assert_eq!(delivered(&[&demo, &rest]), queued, "{summary:?}");

    let shown = inspect(&url).await;
    assert!(shown.starts_with(&format!("mailer: 0 waiting, 1 dead; {COUNTS}\n")), "{shown}");
    assert!(shown.contains("undecodable  attempt 1") && shown.contains("\"no mail at all\""), "{shown}");
}

#[tokio::test]
async fn on_a_rabbitmq_an_email_process_that_is_killed_loses_no_mail() {
    let test = "on_a_rabbitmq_an_email_process_that_is_killed_loses_no_mail";
    if !require_rabbitmq(test) {
        return;
    }
    let url = shared(test).await.url();
    // 200 mails a second, so that about 12 are in hand when it dies.
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
    let queued = senders.ends(0).await.get("queued");
    until(SOON, "every mail", async || match delivered(&[&first, &second]) {
        all if all >= queued => Ok(()),
        fewer => Err(format!("{fewer} of {queued}")),
    })
    .await;
    second.process.signal(Signal::TERM);
    let of_second = second.ends(0).await;
    assert_eq!((of_second.get("left"), of_second.get("dead_lettered")), (0, 0), "{of_second:?}");
    assert_eq!(delivered(&[&first, &second]), queued);
}

#[tokio::test]
async fn on_a_rabbitmq_nobody_is_connected_when_the_demo_has_ended() {
    let test = "on_a_rabbitmq_nobody_is_connected_when_the_demo_has_ended";
    if !require_rabbitmq(test) {
        return;
    }
    let place = shared(test).await;
    let url = place.url();
    let args = ["--chaos", "--bus", &url, "--broker", &url, "--rate", "50"];
    for signal in [Signal::TERM, Signal::KILL] {
        let demo = Demo::start(&args);
        until(SOON, "mails", async || demo.mails().len() >= 20).await;
        demo.process.signal(signal);
        demo.process.wait(SOON).await;
        // The process of the email agent ends with the one that started it, however that ends.
        until(SOON, "no connections", async || match place.connections().await {
            0 => Ok(()),
            some => Err(some),
        })
        .await;
    }
}

#[tokio::test]
async fn inspect_on_a_rabbitmq_shows_letters_and_takes_nothing() {
    let test = "inspect_on_a_rabbitmq_shows_letters_and_takes_nothing";
    if !require_rabbitmq(test) {
        return;
    }
    let place = shared(test).await;
    let url = place.url();
    assert_eq!(inspect(&url).await, format!("mailer: 0 waiting, 0 dead; {COUNTS}"));
    let senders = Demo::start(&["--bus", &url, "--broker", &url, "--agents", "user", "--rate", "50", "--for", "1s"]);
    let queued = senders.ends(0).await.get("queued");
    assert!(queued > 0);
    for _ in 0..2 {
        assert_eq!(inspect(&url).await, format!("mailer: {queued} waiting, 0 dead; {COUNTS}"));
    }
    assert_eq!(place.queue("mailer").await.map(|queue| (queue.ready, queue.unacked)), Some((queued, 0)));
}
