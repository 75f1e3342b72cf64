use std::process::Command;

use formicary_test_support::process::{Child, example};

use super::common::{Demo, SOON, Summary, texts};

#[tokio::test]
async fn a_run_in_memory_adds_up_to_the_last_mail() {
    let demo = Demo::start(&["--for", "2s", "--rate", "50"]);
    let summary = demo.ends(0).await;
    summary.adds_up();
    let users = summary.get("signals_sent") / 2;
    assert!((60..=110).contains(&users), "50 a second for 2 s: {summary:?}");
    // user_created has one receiver, user_comment two.
    assert_eq!(summary.get("signals_received"), 3 * users, "{summary:?}");
    assert_eq!(summary.get("calls_answered"), users, "{summary:?}");
    assert_eq!(summary.get("queued"), summary.get("consumed"), "{summary:?}");
    for none in ["calls_failed", "retried", "dead_lettered", "returned", "left", "restarts", "dropped"] {
        assert_eq!(summary.get(none), 0, "{none} of {summary:?}");
    }

    let mails = demo.mails();
    assert_eq!(mails.len() as u64, summary.get("consumed"));
    assert!(mails.iter().all(|mail| mail["attempt"] == 1 && mail["message_id"].is_string()), "{mails:?}");
    let texts = texts(&mails);
    for user in 1..=users {
        assert_eq!(texts.get(&format!("Welcome user {user}")), Some(&1), "user {user}");
    }
    assert_eq!(texts["Comment"], users);
    // A minute may have begun meanwhile.
    assert!(texts.get("Report").is_none_or(|reports| *reports == 1));
}

#[tokio::test]
async fn the_summary_is_all_that_stdout_holds() {
    let mut command = Command::new(example("cluster"));
    command.args(["--for", "200ms", "--rate", "20", "--summary", "-"]);
    let process = Child::spawn(command);
    assert_eq!(process.wait(SOON).await, 0, "{}", process.stderr());
    let lines = process.stdout_lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(Summary::parse(&lines[0]).get("signals_sent") > 0);
}

#[tokio::test]
async fn a_high_rate_is_met() {
    let demo = Demo::start(&["--for", "2s", "--rate", "1000"]);
    let summary = demo.ends(0).await;
    summary.adds_up();
    let sent = summary.get("signals_sent");
    assert!((3_000..=4_100).contains(&sent), "2 × 1,000 a second for 2 s: {summary:?}");
}

#[tokio::test]
async fn no_rate_sends_nothing() {
    let summary = Demo::start(&["--for", "100ms", "--rate", "0"]).ends(0).await;
    assert_eq!(summary.get("signals_sent"), 0);
    assert_eq!(summary.get("signals_received"), 0);
}

#[tokio::test]
async fn without_the_email_agent_memory_tells_what_is_left() {
    let demo = Demo::start(&["--for", "500ms", "--rate", "20", "--agents", "user,comment"]);
    let summary = demo.ends(0).await;
    summary.adds_up();
    assert!(summary.get("left") > 0, "{summary:?}");
    assert_eq!(summary.get("left"), summary.get("queued"), "{summary:?}");
}
