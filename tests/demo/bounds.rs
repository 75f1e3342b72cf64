use std::time::Duration;

use formicary_test_support::process::Signal;
use formicary_test_support::redis::{Connection, Server};
use formicary_test_support::require_redis;

use super::common::{Demo, SOON};

const BODIES: usize = 10;
const SENDERS: usize = 20_000;
const MOST: u64 = 120 * 1024 * 1024;

#[tokio::test]
async fn huge_bodies_and_many_senders_leave_memory_flat() {
    if !require_redis("huge_bodies_and_many_senders_leave_memory_flat") {
        return;
    }
    // Redis itself would cut off a subscriber that is behind by more than 32 MB.
    let limit = ["--client-output-buffer-limit", "pubsub", "0", "0", "0"];
    let options = limit.into_iter().fold(Server::options(), |options, arg| options.arg(arg));
    let server = options.start().await;
    let url = server.url();
    let demo = Demo::start(&["--bus", &url, "--broker", &url, "--rate", "0"]);
    demo.started("user_agent").await;

    let mut redis = Connection::open(server.port()).await.unwrap();
    let huge = format!("{{\"user_id\": 1, \"pad\": \"{}\"}}", "x".repeat(10_000_000));
    for at in 0..BODIES {
        redis.command(&["PUBLISH", &format!("PUBSUB:user_created:huge{at}"), &huge]).await.unwrap();
    }
    for at in 0..SENDERS {
        redis.command(&["PUBLISH", &format!("PUBSUB:user_created:sender{at}"), "{\"user_id\": 7}"]).await.unwrap();
    }
    // Counted together with what the inbox had no room for: every signal is accounted for.
    let counted = |line: &str| {
        let count = |word: &str| {
            let found = line.split(' ').find_map(|pair| pair.strip_prefix(word)?.strip_prefix('='));
            found.map_or(0, |number| number.parse::<usize>().unwrap())
        };
        count("bad_input") == BODIES && count("signals_received") + count("dropped") == SENDERS
    };
    demo.process.wait_stderr(counted, SOON + Duration::from_secs(10)).await;
    let peak = demo.process.peak_rss_bytes().unwrap();
    assert!(peak < MOST, "{} MiB at the peak", peak / (1024 * 1024));

    demo.process.signal(Signal::TERM);
    let summary = demo.ends(0).await;
    summary.adds_up();
    assert!(summary.get("queued") > 0, "{summary:?}");
}
