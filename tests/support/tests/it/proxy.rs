//! The proxy in front of an echo server.

use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::{A_WHILE, SOON};

async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await.ok();
                write.shutdown().await.ok();
            });
        }
    });
    port
}

async fn client(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(("127.0.0.1", proxy.port())).await.expect("a connection")
}

async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    timeout(SOON, stream.read_exact(&mut bytes)).await.expect("in time").expect("bytes");
    bytes
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    timeout(A_WHILE, stream.read(&mut byte)).await.is_err()
}

async fn error_of(stream: &mut TcpStream) -> Option<ErrorKind> {
    let mut byte = [0];
    timeout(SOON, stream.read(&mut byte)).await.expect("in time").err().map(|error| error.kind())
}

#[tokio::test]
async fn passes_bytes_and_the_end_of_the_stream() {
    let proxy = Proxy::start(echo().await).await;
    let mut stream = client(&proxy).await;
    let sent: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    let (mut reader, mut writer) = stream.split();
    let mut received = Vec::new();
    let write = async {
        writer.write_all(&sent).await.expect("a write");
        writer.shutdown().await.expect("a shutdown");
    };
    let (_, read) =
        timeout(SOON, async { tokio::join!(write, reader.read_to_end(&mut received)) }).await.expect("in time");
    read.expect("an end");
    assert!(received == sent);
    wait::until(SOON, "the end of the connection", async || proxy.connections() == 0).await;
}

#[tokio::test]
async fn delays_one_direction() {
    let proxy = Proxy::start(echo().await).await;
    let mut stream = client(&proxy).await;
    proxy.set_to_client(Mode::Delay(Duration::from_millis(200)));
    let start = Instant::now();
    stream.write_all(b"ab").await.expect("a write");
    assert_eq!(read(&mut stream, 2).await, b"ab");
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(200), "{took:?}");

    proxy.set(Mode::Pass);
    let start = Instant::now();
    stream.write_all(b"cd").await.expect("a write");
    assert_eq!(read(&mut stream, 2).await, b"cd");
    assert!(start.elapsed() < Duration::from_millis(200), "{:?}", start.elapsed());
}

#[tokio::test]
async fn swallows_each_direction_and_keeps_the_connection() {
    let proxy = Proxy::start(echo().await).await;
    for set in [Proxy::set_to_server, Proxy::set_to_client] {
        let mut stream = client(&proxy).await;
        stream.write_all(b"a").await.expect("a write");
        assert_eq!(read(&mut stream, 1).await, b"a");
        set(&proxy, Mode::Blackhole);
        stream.write_all(b"lost").await.expect("a write");
        assert!(is_silent(&mut stream).await);
        set(&proxy, Mode::Pass);
        stream.write_all(b"b").await.expect("a write");
        assert_eq!(read(&mut stream, 1).await, b"b");
    }
}

#[tokio::test]
async fn a_black_hole_takes_new_connections_and_hides_their_end() {
    let proxy = Proxy::start(echo().await).await;
    proxy.set(Mode::Blackhole);
    let mut stream = client(&proxy).await;
    stream.write_all(b"lost").await.expect("a write");
    stream.shutdown().await.expect("a shutdown");
    assert!(is_silent(&mut stream).await);
    wait::until(SOON, "one connection", async || proxy.connections() == 1).await;
    proxy.set(Mode::Pass);
    assert_eq!(error_of(&mut stream).await, None);
}

#[tokio::test]
async fn resets_every_connection() {
    let proxy = Proxy::start(echo().await).await;
    let mut streams = [client(&proxy).await, client(&proxy).await];
    for stream in &mut streams {
        stream.write_all(b"a").await.expect("a write");
        assert_eq!(read(stream, 1).await, b"a");
    }
    wait::until(SOON, "two connections", async || proxy.connections() == 2).await;
    proxy.drop_all().await;
    for stream in &mut streams {
        assert_eq!(error_of(stream).await, Some(ErrorKind::ConnectionReset));
    }
    let mut next = client(&proxy).await;
    next.write_all(b"b").await.expect("a write");
    assert_eq!(read(&mut next, 1).await, b"b");
}

#[tokio::test]
async fn refuses_and_accepts_again_on_the_same_port() {
    let proxy = Proxy::start(echo().await).await;
    let mut old = client(&proxy).await;
    old.write_all(b"a").await.expect("a write");
    assert_eq!(read(&mut old, 1).await, b"a");
    proxy.refuse().await;
    let refused = TcpStream::connect(("127.0.0.1", proxy.port())).await.expect_err("a refusal");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    old.write_all(b"b").await.expect("a write");
    assert_eq!(read(&mut old, 1).await, b"b");

    proxy.accept().await;
    let mut new = client(&proxy).await;
    new.write_all(b"c").await.expect("a write");
    assert_eq!(read(&mut new, 1).await, b"c");
}

#[tokio::test]
async fn a_dead_server_resets_the_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let proxy = Proxy::start(port).await;
    // The reset may be quicker than the client's own look at its new connection.
    let seen = match TcpStream::connect(("127.0.0.1", proxy.port())).await {
        Ok(mut stream) => error_of(&mut stream).await,
        Err(error) => Some(error.kind()),
    };
    assert_eq!(seen, Some(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn trickles_in_pieces() {
    let proxy = Proxy::start(echo().await).await;
    let mut stream = client(&proxy).await;
    proxy.set_to_client(Mode::Trickle(NonZeroUsize::new(10).expect("some")));
    let sent: Vec<u8> = (0..100).collect();
    stream.write_all(&sent).await.expect("a write");
    let mut received = read(&mut stream, 10).await;
    let first = Instant::now();
    received.extend(read(&mut stream, 90).await);
    assert_eq!(received, sent);
    assert!(first.elapsed() >= Duration::from_millis(80), "nine pieces came within {:?}", first.elapsed());
}

#[tokio::test]
async fn counts_how_often_it_is_asked() {
    let proxy = Proxy::start(echo().await).await;
    assert_eq!(proxy.asked(), 0);
    let mut stream = client(&proxy).await;
    for _ in 0..3 {
        stream.write_all(b"ask").await.expect("a write");
        read(&mut stream, 3).await;
    }
    assert_eq!(proxy.asked(), 4, "a connection and three pieces");
    // Also what is lost.
    proxy.set_to_server(Mode::Blackhole);
    stream.write_all(b"ask").await.expect("a write");
    wait::until(SOON, "the last piece", async || proxy.asked() == 5).await;
}
