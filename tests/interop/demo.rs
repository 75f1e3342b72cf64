//! The demo cluster with any one of its three agents replaced by its Python twin.

use formicary::Value;
use formicary_test_support::process::Signal;
use formicary_test_support::wait;

use crate::demo_stage::{Demo, PLAUSIBLE, RATE, number, sorts, summary};
use crate::stage::SOON;

#[actix::test]
async fn the_email_agent_may_be_python() {
    let Some(demo) = Demo::new("the_email_agent_may_be_python").await else { return };
    let email = demo.python("email_agent.py", &["--outbox", &demo.outbox()]).await;
    let summary = summary(demo.rust("user,comment", &["--for", "3s"])).await;

    // Every mail that Rust sent, Python delivered.
    let mails = demo.mails_until(number(&summary, "queued")).await;
    assert_eq!(mails.len() as u64, number(&summary, "queued"), "{summary}");
    let (pairs, (welcomes, comments, _)) = (number(&summary, "signals_sent") / 2, sorts(&mails));
    assert!(PLAUSIBLE.contains(&pairs) && welcomes > 0 && comments > 0, "{summary}");
    // What entered an inbox became a mail or a call; the last signals may have been under way when the agents stopped.
    let received = number(&summary, "signals_received");
    assert_eq!(welcomes + comments + number(&summary, "calls_answered"), received, "{summary}");
    assert!(received <= 3 * pairs, "{summary}");
    for key in ["calls_failed", "consumed", "left", "restarts", "dropped"] {
        assert_eq!(number(&summary, key), 0, "{key}: {summary}");
    }
    assert_eq!(email.stop().await, 0);
}

#[actix::test]
async fn the_comment_agent_may_be_python() {
    let Some(demo) = Demo::new("the_comment_agent_may_be_python").await else { return };
    let comment = demo.python("comment_agent.py", &[]).await;
    let summary = summary(demo.rust("user,email", &["--for", "3s", "--outbox", &demo.outbox()])).await;

    let pairs = number(&summary, "signals_sent") / 2;
    assert!(PLAUSIBLE.contains(&pairs), "{summary}");
    let heard = comment.wait_jsons(pairs as usize, |line| line["saw"] == "user_comment", SOON).await;
    assert_eq!(heard.len() as u64, pairs);
    // Every call of Rust was answered by Python.
    assert_eq!(number(&summary, "calls_answered"), pairs, "{summary}");
    let answered = comment.wait_jsons(pairs as usize, |line| line["answered"] == "rpc_comments_count", SOON).await;
    assert_eq!(answered.len() as u64, pairs);

    // Every mail of Python was delivered by Rust, but those that came after its end.
    let (welcomes, comments, reports) = sorts(&demo.mails());
    let waiting = async || demo.stage.ask(&["LLEN", "mailer"]).await as u64;
    wait::until(SOON, "the last mails of Python", async || comments + waiting().await >= pairs).await;
    assert_eq!(comment.stop().await, 0);
    assert_eq!((welcomes, comments + waiting().await), (pairs, pairs), "{summary}");
    assert_eq!(number(&summary, "queued"), welcomes + reports, "{summary}");
    assert_eq!(number(&summary, "consumed"), welcomes + comments + reports, "{summary}");
    for key in ["calls_failed", "left", "dead_lettered", "retried", "restarts", "dropped"] {
        assert_eq!(number(&summary, key), 0, "{key}: {summary}");
    }
}

#[actix::test]
async fn the_user_agent_may_be_python() {
    let Some(demo) = Demo::new("the_user_agent_may_be_python").await else { return };
    let cluster = demo.rust("comment,email", &["--for", "1m", "--outbox", &demo.outbox()]);
    // Two patterns of answers and two of signals: the comment agent, which starts last, listens.
    wait::until(SOON, "the Rust agents", async || match demo.stage.ask(&["PUBSUB", "NUMPAT"]).await {
        4.. => Ok(()),
        fewer => Err(fewer),
    })
    .await;
    let user = demo.python("user_agent.py", &["--rate", RATE, "--users", "7"]).await;

    // Python's calls are answered by Rust, with counts that grow.
    let count_of = |call: &Value| call["answer"]["CommentAgent.rpc_count"].as_u64().unwrap_or_else(|| panic!("{call}"));
    let calls = user.wait_jsons(40, |line| line["did"] == "call", SOON).await;
    assert!(calls.iter().any(|call| count_of(call) > 2), "{calls:?}");
    for call in &calls {
        let sent = user.jsons(|line| line["did"] == "sent" && line["user_id"] == call["user_id"]).len() as u64;
        assert!(count_of(call) <= sent + 1, "{call} of {sent}");
    }

    let process = user.process();
    process.signal(Signal::TERM);
    assert_eq!(process.wait(SOON).await, 0);
    let lines = |key: &str, value: &str| user.jsons(|line| line[key] == value).len() as u64;
    let (sent, welcomed) = (lines("did", "sent"), lines("saw", "user_created"));

    // Python sends mails, Rust sends mails, and Rust delivers them all.
    wait::until(SOON, format!("{sent} mails of comments"), async || match sorts(&demo.mails()) {
        (_, comments, _) if comments >= sent && demo.stage.ask(&["LLEN", "mailer"]).await == 0 => Ok(()),
        sorts => Err(sorts),
    })
    .await;
    cluster.signal(Signal::TERM);
    let summary = summary(cluster).await;
    let mails = demo.mails();
    let (welcomes, comments, _) = sorts(&mails);
    // Its end may cut Python off between sending and saying so, or between hearing and mailing.
    assert!((sent..=sent + 1).contains(&comments), "{comments} of {sent}: {summary}");
    assert!(welcomes <= welcomed && welcomes + 3 >= welcomed, "{welcomes} of {welcomed}: {summary}");
    assert_eq!(number(&summary, "signals_received"), comments, "{summary}");
    assert_eq!(number(&summary, "queued"), comments, "{summary}");
    assert_eq!(number(&summary, "consumed"), mails.len() as u64, "{summary}");
    for key in ["signals_sent", "calls", "left", "dead_lettered", "retried", "restarts", "dropped"] {
        assert_eq!(number(&summary, key), 0, "{key}: {summary}");
    }
}
