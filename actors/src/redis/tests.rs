//! The connection against a real server, with faults that the adapters' tests do not reach.

mod line;

use super::{Command, CommandError, ConnectError, Connection, Incoming, Job, Line, Reply, Script, Settings, State};
use crate::contract;
use bytes::Bytes;
use formicary_test_support::{
    proxy::{Mode, Proxy},
    redis::Server,
    require_redis, wait,
};
use std::{
    cell::RefCell,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::time::Instant as Tick;

const S: Duration = Duration::from_secs(1);

fn quick() -> Settings {
    Settings { heartbeat: Duration::from_millis(400), ..Settings::default() }
}

#[derive(Clone, Default)]
struct Seen {
    states: Rc<RefCell<Vec<State>>>,
    bodies: Rc<RefCell<Vec<Bytes>>>,
}

impl Seen {
    fn ups(&self) -> usize {
        self.states.borrow().iter().filter(|state| matches!(state, State::Up { .. })).count()
    }

    fn down(&self) -> Option<ConnectError> {
        match self.states.borrow().last() {
            Some(State::Down { reason }) => Some(reason.clone()),
            _ => None,
        }
    }

    async fn until_down(&self, within: Duration) -> ConnectError {
        wait::until(within, "the loss", async || self.down()).await
    }

    async fn until_up(&self, times: usize) {
        wait::until(8 * S, "the connection", async || self.ups() == times && self.down().is_none()).await;
    }
}

fn open(url: &str, settings: Settings) -> (Connection, Seen) {
    let seen = Seen::default();
    let (states, bodies) = (seen.states.clone(), seen.bodies.clone());
    let observer = Box::new(move |state: &State| states.borrow_mut().push(state.clone()));
    let sink = Box::new(move |incoming: Incoming<'_>| match incoming {
        Incoming::Message { body, .. } => bodies.borrow_mut().push(body),
        other => panic!("{other:?}"),
    });
    (Connection::open(url.parse().unwrap(), "test", settings, fastrand::f64, observer, Some(sink)), seen)
}

/// A job that tells its outcome.
struct Asked {
    command: (&'static str, String),
    deadline: Tick,
    reply: contract::Reply<Result<u64, CommandError>>,
}

impl Job for Asked {
    fn deadline(&self) -> Tick {
        self.deadline
    }

    fn command(&mut self) -> Command {
        let (place, body) = (self.command.0, Bytes::from(self.command.1.clone()));
        match place.split_once(':') {
            Some(_) => Command::Publish { channel: place.to_owned(), body },
            None => Command::Push { list: place.into(), entries: vec![body] },
        }
    }

    fn end(self, outcome: Result<u64, CommandError>) {
        self.reply.send(outcome);
    }
}

/// Publishes when the place has a colon, and else pushes. It is in the line when this returns.
fn ask<B: ToString>(
    line: &Line<Asked>,
    place: &'static str,
    body: B,
    within: Duration,
) -> impl Future<Output = Result<u64, CommandError>> + use<B> {
    let (reply, outcome) = contract::Reply::new();
    line.push(Asked { command: (place, body.to_string()), deadline: Tick::now() + within, reply });
    async move { outcome.await.expect("every job is ended") }
}

async fn publish(line: &Line<Asked>, body: &str, within: Duration) -> Result<u64, CommandError> {
    ask(line, "P:a:x", body, within).await
}

#[actix::test]
async fn waiting_is_bounded() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = Settings { max_waiting: 2.try_into().unwrap(), ..quick() };
    let (connection, _) = open(&format!("redis://127.0.0.1:{closed}"), settings);
    let line = Line::new(connection);
    let start = Instant::now();
    let ask = || ask(&line, "q", "x", S / 2);
    let (a, b, c) = tokio::join!(ask(), ask(), async {
        let result = ask().await;
        assert!(start.elapsed() < S / 4, "refused at once");
        result
    });
    for result in [a, b, c] {
        assert!(matches!(&result, Err(CommandError::NotSent(_))), "{result:?}");
    }
    assert!(start.elapsed() >= S / 2);
}

#[actix::test]
async fn a_frozen_server_is_found_and_what_was_given_up_stays_so() {
    if !require_redis("a_frozen_server_is_found_and_what_was_given_up_stays_so") {
        return;
    }
    let server = Server::start().await;
    let (bus, seen) = open(&server.url(), quick());
    let line = Line::new(bus.clone());
    bus.subscribe("P:a:*", S).await.unwrap();
    server.pause();
    assert!(matches!(publish(&line, "unknown", S / 5).await, Err(CommandError::Unknown(_))));
    seen.until_down(2 * S).await;
    assert!(matches!(publish(&line, "never", S / 5).await, Err(CommandError::NotSent(_))));
    server.resume();
    seen.until_up(2).await;
    assert_eq!(publish(&line, "new", S).await, Ok(1));
    wait::until(S, "the new message", async || seen.bodies.borrow().contains(&"new".into())).await;
    assert!(!seen.bodies.borrow().contains(&"never".into()));
}

#[actix::test]
async fn a_pattern_is_kept_when_its_subscription_was_cut_off() {
    if !require_redis("a_pattern_is_kept_when_its_subscription_was_cut_off") {
        return;
    }
    let server = Server::start().await;
    let proxy = Proxy::start(server.port()).await;
    proxy.refuse().await;
    let (bus, seen) = open(&proxy.url(), quick());
    assert!(matches!(bus.subscribe("P:a:*", S / 10).await, Err(CommandError::NotSent(_))));
    proxy.accept().await;
    seen.until_up(1).await;
    let line = Line::new(bus.clone());
    assert_eq!(publish(&line, "x", S).await, Ok(1));
    bus.unsubscribe("P:a:*", S).await.unwrap();
    assert_eq!(publish(&line, "x", S).await, Ok(0));
}

#[actix::test]
async fn a_refused_subscription_is_an_error_and_the_connection_recovers() {
    if !require_redis("a_refused_subscription_is_an_error_and_the_connection_recovers") {
        return;
    }
    let server = Server::start().await;
    server.command(&["ACL", "SETUSER", "bus", "on", ">pw", "+@all", "~*", "resetchannels", "&P:*"]).await.unwrap();
    let (bus, seen) = open(&format!("redis://bus:pw@127.0.0.1:{}", server.port()), quick());
    bus.subscribe("P:*", S).await.unwrap();
    let error = bus.subscribe("Q:*", S).await.unwrap_err();
    assert!(error.has_code("NOPERM"), "{error:?}");
    seen.until_up(2).await;
    let line = Line::new(bus);
    for _ in 0..10 {
        assert_eq!(publish(&line, "x", S).await, Ok(1));
    }
}

fn length() -> Script {
    Script::new("return redis.call('LLEN', KEYS[1])")
}

/// Waits, and returns the length of the list, which the script behind the wait has found.
async fn wait_for_entry(reader: &Connection, block: Duration) -> Result<i64, CommandError> {
    let list = Bytes::from_static(b"q");
    let waited = reader.wait_and_run(&list, block, &length(), std::slice::from_ref(&list), &[]).await?;
    assert_eq!(waited.refusal, None);
    Ok(waited.ran?.int().unwrap())
}

#[actix::test]
async fn a_half_open_blocking_read_is_found_within_ten_seconds() {
    if !require_redis("a_half_open_blocking_read_is_found_within_ten_seconds") {
        return;
    }
    let server = Server::start().await;
    let proxy = Proxy::start(server.port()).await;
    let (reader, seen) = open(&proxy.url(), Settings::default());
    let unknown = wait_for_entry(&reader, S / 10).await;
    assert!(unknown.is_err_and(|error| error.has_code("NOSCRIPT")));
    reader.run(&length(), &[Bytes::from_static(b"q")], &[], S).await.unwrap();
    assert_eq!(wait_for_entry(&reader, S / 10).await, Ok(0));
    server.command(&["RPUSH", "q", "mail"]).await.unwrap();
    assert_eq!(wait_for_entry(&reader, S).await, Ok(1));
    assert_eq!(server.command(&["LLEN", "q"]).await.unwrap().integer(), Some(1), "nothing was taken");
    server.command(&["DEL", "q"]).await.unwrap();
    let start = Instant::now();
    let silence = async { proxy.set(Mode::Blackhole) };
    let (result, ()) = tokio::join!(wait_for_entry(&reader, 5 * S), silence);
    assert!(matches!(result, Err(CommandError::Unknown(_))), "{result:?}");
    assert!(start.elapsed() < 10 * S, "{:?}", start.elapsed());
    proxy.set(Mode::Pass);
    seen.until_up(2).await;
    assert_eq!(wait_for_entry(&reader, S / 10).await, Ok(0));
}

#[actix::test]
async fn a_healthy_blocking_reader_is_never_pinged_to_death() {
    if !require_redis("a_healthy_blocking_reader_is_never_pinged_to_death") {
        return;
    }
    let server = Server::start().await;
    let (reader, seen) = open(&server.url(), Settings { heartbeat: S / 10, ..Settings::default() });
    reader.run(&length(), &[Bytes::from_static(b"q")], &[], S).await.unwrap();
    for _ in 0..5 {
        assert_eq!(wait_for_entry(&reader, S / 5).await, Ok(0));
    }
    assert_eq!(seen.states.borrow().len(), 1);
}

#[actix::test]
async fn a_stall_of_our_own_is_not_a_dead_connection() {
    if !require_redis("a_stall_of_our_own_is_not_a_dead_connection") {
        return;
    }
    let server = Server::start().await;
    let (connection, seen) = open(&server.url(), Settings { heartbeat: S / 10, ..Settings::default() });
    seen.until_up(1).await;
    let mut beat = tokio::time::interval(Duration::from_millis(95));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 0..20 {
        // The stall itself: long enough for a ping and its deadline, at different points of the round.
        std::thread::sleep(Duration::from_millis(210 + 7 * round));
        beat.tick().await;
    }
    assert_eq!(connection.request("PING", Vec::new(), S).await, Ok(Reply::Bytes("PONG".into())));
    assert_eq!(seen.states.borrow().len(), 1);
}

#[actix::test]
async fn credentials_and_age_are_said_without_the_password() {
    if !require_redis("credentials_and_age_are_said_without_the_password") {
        return;
    }
    let server = Server::options().password("right").start().await;
    let old = fake_server(|word| match word {
        "HELLO" => "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n6.2.1\r\n",
        _ => "+OK\r\n",
    });
    let older = fake_server(|word| match word {
        "HELLO" => "-ERR unknown command `HELLO`, with args beginning with: `3`\r\n",
        _ => "+OK\r\n",
    });
    let parrot = fake_server(|_| "-ERR unknown command `AUTH`, with args beginning with: `secret`\r\n");
    for (port, said) in [
        (server.port(), "refuses the user or password"),
        (old, "Redis 6.2.1 is too old: 7 or newer is needed"),
        (older, "Redis 5 or older is too old"),
        (parrot, ""),
    ] {
        let (_connection, seen) = open(&format!("redis://:secret@127.0.0.1:{port}"), quick());
        let error = seen.until_down(5 * S).await;
        assert!(error.to_string().contains(said), "{error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}

#[actix::test]
async fn scripts_are_loaded_when_the_server_forgot_them() {
    if !require_redis("scripts_are_loaded_when_the_server_forgot_them") {
        return;
    }
    let server = Server::start().await;
    let (connection, _) = open(&server.url(), quick());
    let echo = Script::new("return { 1, ARGV[1], KEYS[1], false, { 'a' } }");
    let (key, arg) = ([Bytes::from("k")], [Bytes::from_static(b"\xff\x00\r\n")]);
    for _ in 0..3 {
        let list = connection.run(&echo, &key, &arg, S).await.unwrap().list().unwrap();
        let nested = Reply::List(vec![Reply::Bytes("a".into())]);
        let all = [Reply::Int(1), Reply::Bytes(arg[0].clone()), Reply::Bytes("k".into()), Reply::Nil, nested];
        assert_eq!(list, all);
        server.command(&["SCRIPT", "FLUSH"]).await.unwrap();
    }
    let broken = Script::new("return redis.error_reply('LATE lost lease')");
    let error = connection.run(&broken, &[], &[], S).await.unwrap_err();
    assert!(error.has_code("LATE"), "{error:?}");
}

#[actix::test]
async fn closing_flushes_what_was_accepted() {
    if !require_redis("closing_flushes_what_was_accepted") {
        return;
    }
    let server = Server::start().await;
    let (connection, seen) = open(&server.url(), quick());
    seen.until_up(1).await;
    let line = Line::new(connection.clone());
    let pushes: Vec<_> = (0..1000).map(|n| ask(&line, "q", n, S)).collect();
    line.idle().await;
    assert!(connection.close(5 * S).await);
    for push in pushes {
        push.await.unwrap();
    }
    assert!(matches!(ask(&line, "q", "x", S).await, Err(CommandError::NotSent(_))));
    assert_eq!(server.command(&["LLEN", "q"]).await.unwrap().integer(), Some(1000));
    wait::until(S, "the end of the connection", async || {
        !server.command(&["CLIENT", "LIST"]).await.unwrap().text().unwrap().contains("formicary")
    })
    .await;
}

/// A server that answers each command by its name; ends with the test's process.
fn fake_server(answer: fn(&str) -> &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                let mut reader = BufReader::new(stream);
                while let Some(name) = command(&mut reader) {
                    if writer.write_all(answer(&name).as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// Reads one command, a list of words or a plain line, and returns its first word.
fn command(reader: &mut impl BufRead) -> Option<String> {
    let line = |reader: &mut dyn BufRead| {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim().to_owned())
    };
    let first = line(reader)?;
    let Some(count) = first.strip_prefix('*') else { return first.split(' ').next().map(str::to_uppercase) };
    let mut words = Vec::new();
    for _ in 0..count.parse().ok()? {
        let mut word = vec![0; line(reader)?.strip_prefix('$')?.parse::<usize>().ok()? + 2];
        reader.read_exact(&mut word).ok()?;
        words.push(String::from_utf8_lossy(&word).trim().to_uppercase());
    }
    words.into_iter().next()
}
