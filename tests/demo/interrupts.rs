use std::time::{Duration, Instant};

use formicary_test_support::process::Signal;

use super::common::{Demo, SOON, until};

/// Waits until a mail is being delivered; only the lines of the log tell.
async fn delivering(demo: &Demo) {
    let busy = |line: &str| line.contains("in_flight=") && !line.contains("in_flight=0");
    demo.process.wait_stderr(busy, SOON).await;
}

#[tokio::test]
async fn sigint_stops_with_a_summary() {
    let demo = Demo::start(&["--rate", "50"]);
    until(SOON, "mails", async || demo.mails().len() >= 10).await;
    demo.process.signal(Signal::INT);
    let summary = demo.ends(0).await;
    summary.adds_up();
    assert_eq!(summary.get("consumed"), demo.mails().len() as u64);
    assert!(demo.process.stderr().contains("SIGINT: stopping"), "{}", demo.process.stderr());
}

#[tokio::test]
async fn a_hanging_mail_goes_back_at_the_deadline() {
    let demo = Demo::start(&["--rate", "5", "--mail-delay", "1h"]);
    delivering(&demo).await;
    let asked = Instant::now();
    demo.process.signal(Signal::TERM);
    let summary = demo.ends(0).await;
    assert!(asked.elapsed() < Duration::from_secs(12), "the deadline is 10 s: {:?}", asked.elapsed());
    summary.adds_up();
    assert!(summary.get("returned") > 0, "{summary:?}");
    assert_eq!(summary.get("consumed"), 0, "{summary:?}");
    assert_eq!(summary.get("dead_lettered"), 0, "{summary:?}");
    assert_eq!(summary.get("left"), summary.get("queued"), "nothing is lost: {summary:?}");
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    for second in [Signal::INT, Signal::TERM] {
        let demo = Demo::start(&["--rate", "5", "--mail-delay", "1h"]);
        delivering(&demo).await;
        demo.process.signal(Signal::INT);
        demo.process.wait_stderr(|line| line.contains("SIGINT: stopping"), SOON).await;
        let asked = Instant::now();
        demo.process.signal(second);
        assert_eq!(demo.process.wait(SOON).await, 1, "{}", demo.process.stderr());
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
        assert!(!demo.has_summary());
    }
}
