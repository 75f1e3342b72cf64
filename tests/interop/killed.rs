//! A Rust process that is killed again and again, beside a Python consumer on the same list.

use std::collections::BTreeSet;

use formicary_test_support::process::{Child, Signal};
use formicary_test_support::wait;
use serde_json::json;

use crate::demo_stage::{Demo, number, summary};
use crate::stage::{SOON, command};

const KILLS: usize = 3;
const EACH: usize = 200;

/// Python and Rust send mails, Python and Rust deliver them, and ours is killed three times with mails in hand: every mail
/// is delivered.
#[actix::test]
async fn nothing_is_lost_beside_python_when_ours_is_killed() {
    let Some(demo) = Demo::new("nothing_is_lost_beside_python_when_ours_is_killed").await else { return };
    let outbox = demo.outbox();
    let python = demo.python("email_agent.py", &["--outbox", &outbox]).await;
    let sender = demo.python("peer.py", &[]).await;
    let ours = || demo.rust("email", &["--outbox", &outbox, "--mail-delay", "50ms"]);
    let mut expected = BTreeSet::new();
    for kill in 0..KILLS {
        let victim = ours();
        started(&victim).await;
        // Python takes one by one what ours leaves: ours must have some in hand when it dies.
        for n in 0..EACH {
            let text = format!("Welcome user {}", kill * EACH + n);
            let mail = json!({"do": "queue_send", "queue": "mailer", "message": {"text": text, "email": "x"}, "id": n});
            sender.send(&mail);
            expected.insert(text);
        }
        wait::until(SOON, "mails in our hands", async || taken(&demo).await > 0).await;
        victim.signal(Signal::KILL);
        victim.wait(SOON).await;
        assert!(taken(&demo).await > 0, "it was killed with empty hands");
    }
    let last = ours();
    wait::until(SOON, "every mail", async || {
        let delivered: BTreeSet<String> = demo.mails().into_iter().collect();
        let missing: Vec<_> = expected.difference(&delivered).take(5).cloned().collect();
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    })
    .await;
    wait::until(SOON, "empty hands", async || taken(&demo).await == 0).await;
    last.signal(Signal::TERM);
    let summary = summary(last).await;
    assert_eq!((number(&summary, "left"), number(&summary, "dead_lettered")), (0, 0), "{summary}");
    assert_eq!(command(&sender, json!({"do": "queue_length", "queue": "mailer"})).await["length"], 0);
    assert_eq!(python.stop().await, 0);
}

async fn started(ours: &Child) {
    ours.wait_stderr(|line| line.contains("started agent=email_agent"), SOON).await;
}

/// How many mails stand in the places of Rust consumers.
async fn taken(demo: &Demo) -> i64 {
    let mut held = 0;
    for key in demo.stage.server.command(&["KEYS", "mailer:taken:*"]).await.unwrap().array() {
        held += demo.stage.ask(&["HLEN", &key.text().unwrap()]).await;
    }
    held
}
