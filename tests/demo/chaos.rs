use std::collections::HashSet;

use super::common::Demo;

#[tokio::test]
async fn chaos_heals_and_loses_no_mail() {
    let demo = Demo::start(&["--chaos", "--for", "3s", "--rate", "150"]);
    let summary = demo.ends(0).await;
    summary.adds_up();
    // One signal in 200 of about 1,300, one mail in 20 of about 900.
    assert!(summary.get("restarts") >= 3, "{summary:?}");
    assert!(summary.get("retried") >= 20, "{summary:?}");
    assert_eq!(summary.get("left"), 0, "{summary:?}");
    assert_eq!(summary.get("dead_lettered"), 0, "{summary:?}");

    let mails = demo.mails();
    let ids: HashSet<_> = mails.iter().map(|mail| mail["message_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len() as u64, summary.get("queued"), "every mail that was queued, {summary:?}");
    assert!(mails.iter().any(|mail| mail["attempt"] == 2), "a mail that failed came back");
}

#[tokio::test]
async fn a_panic_is_a_line_and_not_a_text() {
    let demo = Demo::start(&["--chaos", "--for", "2s", "--rate", "100"]);
    demo.ends(0).await;
    let said = demo.process.stderr();
    assert!(said.contains("crashed: chaos: one signal in 200"), "{said}");
    assert!(!said.contains("RUST_BACKTRACE") && !said.contains("thread '"), "{said}");
}
