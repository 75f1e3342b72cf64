//! The line: many commands in one parcel, and still each with its own order, deadline and error.

use super::{Asked, S, Seen, ask, open, quick};
use crate::redis::{CommandError, Connection, Line, Settings};
use formicary_test_support::{
    proxy::{Mode, Proxy},
    redis::Server,
    require_redis, wait,
};
use futures_util::future::join_all;
use std::time::{Duration, Instant};

async fn connected(url: &str, settings: Settings) -> (Connection, Line<Asked>, Seen) {
    let (connection, seen) = open(url, settings);
    seen.until_up(1).await;
    let line = Line::new(connection.clone());
    (connection, line, seen)
}

/// How often the server ran a command.
async fn calls(server: &Server, command: &str) -> u64 {
    let stats = server.command(&["INFO", "commandstats"]).await.unwrap().text().unwrap();
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().unwrap())
}

#[actix::test]
async fn what_waits_goes_out_together_and_in_order() {
    if !require_redis("what_waits_goes_out_together_and_in_order") {
        return;
    }
    let server = Server::start().await;
    let (bus, line, seen) = connected(&server.url(), quick()).await;
    bus.subscribe("P:a:*", S).await.unwrap();
    server.command(&["CONFIG", "RESETSTAT"]).await.unwrap();
    let both = (0..1000).map(|n| (ask(&line, "P:a:x", n, S), ask(&line, ["q", "r"][n % 2], n, S)));
    let (published, pushed): (Vec<_>, Vec<_>) = both.unzip();
    assert!(join_all(published).await.into_iter().all(|receivers| receivers == Ok(1)));
    assert!(join_all(pushed).await.into_iter().all(|length| length.is_ok()));
    let bodies: Vec<_> = (0..1000).map(|n| n.to_string()).collect();
    wait::until(S, "the signals", async || seen.bodies.borrow().len() == 1000).await;
    assert_eq!(*seen.bodies.borrow(), bodies);
    for (list, first) in [("q", 0), ("r", 1)] {
        let entries = server.command(&["LRANGE", list, "0", "-1"]).await.unwrap();
        let entries: Vec<_> = entries.array().iter().map(|entry| entry.text().unwrap()).collect();
        let expected: Vec<_> = bodies.iter().skip(first).step_by(2).cloned().collect();
        assert_eq!(entries, expected);
    }
    // 1,000 at most 32 at once, and two lists with 500 each.
    assert_eq!((calls(&server, "eval").await, calls(&server, "rpush").await), (32, 32));
}

#[actix::test]
async fn a_lone_command_goes_out_as_itself() {
    if !require_redis("a_lone_command_goes_out_as_itself") {
        return;
    }
    let server = Server::start().await;
    let (_bus, line, _) = connected(&server.url(), quick()).await;
    server.command(&["CONFIG", "RESETSTAT"]).await.unwrap();
    assert_eq!(ask(&line, "P:a:x", "x", S).await, Ok(0));
    assert_eq!((calls(&server, "eval").await, calls(&server, "publish").await), (0, 1));
}

#[actix::test]
async fn a_bad_command_in_a_parcel_fails_alone() {
    if !require_redis("a_bad_command_in_a_parcel_fails_alone") {
        return;
    }
    let server = Server::start().await;
    server.command(&["ACL", "SETUSER", "bus", "on", ">pw", "+@all", "~*", "resetchannels", "&P:*"]).await.unwrap();
    server.command(&["SET", "text", "no list"]).await.unwrap();
    let (_bus, line, _) = connected(&format!("redis://bus:pw@127.0.0.1:{}", server.port()), quick()).await;
    let places = ["P:a:x", "Q:a:x", "q", "text", "P:a:x", "q"];
    let outcomes = join_all(places.map(|place| ask(&line, place, "x", S))).await;
    // The words of the first error differ between versions of Redis.
    for (outcome, expected) in outcomes.iter().zip([None, Some("channel"), None, Some("WRONGTYPE"), None, None]) {
        match (outcome, expected) {
            (Ok(_), None) => {}
            (Err(CommandError::Refused { message, .. }), Some(word)) => assert!(message.contains(word), "{message}"),
            _ => panic!("{outcome:?} is not {expected:?}"),
        }
    }
    assert_eq!(calls(&server, "eval").await, 2, "one that asked whether it may, and one for three publishes");
}

#[actix::test]
async fn a_full_server_takes_publishes_and_refuses_pushes() {
    if !require_redis("a_full_server_takes_publishes_and_refuses_pushes") {
        return;
    }
    let server = Server::start().await;
    let (_bus, line, _) = connected(&server.url(), quick()).await;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).await.unwrap();
    let outcomes = join_all(["P:a:x", "P:a:y", "q", "q"].map(|place| ask(&line, place, "x", S))).await;
    assert_eq!(outcomes[..2], [Ok(0), Ok(0)]);
    assert!(outcomes[2..].iter().all(|pushed| pushed.as_ref().is_err_and(|error| error.has_code("OOM"))));
}

#[actix::test]
async fn who_may_run_no_scripts_publishes_one_by_one() {
    if !require_redis("who_may_run_no_scripts_publishes_one_by_one") {
        return;
    }
    let server = Server::start().await;
    server.command(&["ACL", "SETUSER", "bus", "on", ">pw", "+@all", "-@scripting", "~*", "&*"]).await.unwrap();
    let (bus, line, seen) = connected(&format!("redis://bus:pw@127.0.0.1:{}", server.port()), quick()).await;
    bus.subscribe("P:a:*", S).await.unwrap();
    let published = join_all((0..100).map(|n| ask(&line, "P:a:x", n, S))).await;
    assert!(published.into_iter().all(|receivers| receivers == Ok(1)));
    wait::until(S, "the signals", async || seen.bodies.borrow().len() == 100).await;
    assert_eq!(*seen.bodies.borrow(), (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[actix::test]
async fn a_parcel_is_bounded_in_bytes_and_a_large_command_goes_alone() {
    if !require_redis("a_parcel_is_bounded_in_bytes_and_a_large_command_goes_alone") {
        return;
    }
    let server = Server::start().await;
    let settings = Settings { parcel_bytes: 10.try_into().unwrap(), ..quick() };
    let (_bus, line, _) = connected(&server.url(), settings).await;
    server.command(&["CONFIG", "RESETSTAT"]).await.unwrap();
    let sizes = [3, 3, 30, 3, 3, 3, 3];
    let pushed = join_all(sizes.map(|size| ask(&line, "q", "x".repeat(size), S))).await;
    assert_eq!(pushed, [Ok(2), Ok(2), Ok(3), Ok(6), Ok(6), Ok(6), Ok(7)]);
    assert_eq!(calls(&server, "rpush").await, 4);
}

#[actix::test]
async fn each_deadline_is_kept_while_it_waits_and_while_it_is_out() {
    if !require_redis("each_deadline_is_kept_while_it_waits_and_while_it_is_out") {
        return;
    }
    let server = Server::start().await;
    let proxy = Proxy::start(server.port()).await;
    // No heartbeat comes between.
    let (_bus, line, seen) = connected(&proxy.url(), Settings { heartbeat: 60 * S, ..Settings::default() }).await;
    let keeps_deadlines = async |code: fn(&CommandError) -> bool| {
        let start = Instant::now();
        // The last comes first, so that the alarm must be moved.
        let all = [400, 100, 250].map(Duration::from_millis).map(|within| {
            let asked = ask(&line, "P:a:x", "never", within);
            async move { (asked.await, within, start.elapsed()) }
        });
        for (outcome, within, took) in join_all(all).await {
            assert!(outcome.as_ref().is_err_and(code), "{outcome:?}");
            assert!(took >= within && took < within + Duration::from_millis(100), "{within:?} became {took:?}");
        }
    };
    proxy.set(Mode::Blackhole);
    keeps_deadlines(|error| matches!(error, CommandError::Unknown(_))).await;
    proxy.refuse().await;
    proxy.drop_all().await;
    seen.until_down(S).await;
    keeps_deadlines(|error| matches!(error, CommandError::NotSent(_))).await;
    proxy.set(Mode::Pass);
    proxy.accept().await;
    seen.until_up(2).await;
    assert_eq!(ask(&line, "P:a:x", "now", S).await, Ok(0));
}

#[actix::test]
async fn what_was_left_in_a_dropped_line_is_carried_out() {
    if !require_redis("what_was_left_in_a_dropped_line_is_carried_out") {
        return;
    }
    let server = Server::start().await;
    let (connection, line, _) = connected(&server.url(), quick()).await;
    let pushes: Vec<_> = (0..10).map(|n| ask(&line, "q", n, S)).collect();
    drop((line, connection));
    assert!(join_all(pushes).await.into_iter().all(|push| push == Ok(10)));
    wait::until(S, "the end of the connection", async || {
        !server.command(&["CLIENT", "LIST"]).await.unwrap().text().unwrap().contains("formicary")
    })
    .await;
}
