//! `amqps://`

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::tls::Authority;
use formicary_test_support::{rabbitmq, redis, require_rabbitmq, require_redis, wait};
use futures_util::future::join_all;
use lapin::BasicProperties;
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use tokio::time::Instant;

use super::super::{AmqpConfig, Connection, State};
use crate::connection::Reason;

const S: Duration = Duration::from_secs(1);

/// A connection that keeps its state.
struct Kept {
    connection: Connection,
    state: Rc<RefCell<Option<State>>>,
}

impl Kept {
    fn open(config: &AmqpConfig) -> Self {
        let state = Rc::new(RefCell::new(None));
        let told = state.clone();
        let observer = Box::new(move |new: &State| drop(told.replace(Some(new.clone()))));
        let (endpoint, settings) = (config.endpoint.clone(), config.settings.clone());
        let prepare = Box::new(|_| Box::pin(async { Ok(()) }) as _);
        Self { connection: Connection::open(endpoint, "test", settings, || 0.5, observer, prepare), state }
    }

    /// Returns when it is up; else why it is not, and whether somebody has to mend that.
    async fn outcome(&self) -> Result<(), (String, bool)> {
        wait::until(10 * S, "an outcome of the connection", async || match &*self.state.borrow() {
            Some(State::Up { .. }) => Some(Ok(())),
            Some(State::Down { reason }) => Some(Err((reason.to_string(), reason.is_permanent()))),
            None => None,
        })
        .await
    }

    async fn lasting(&self) -> String {
        let (reason, lasting) = self.outcome().await.unwrap_err();
        assert!(lasting, "{reason}");
        reason
    }
}

/// A server by another of its ports, or one that is not its own.
fn at(server: &rabbitmq::Server, port: u16, authority: &Authority) -> AmqpConfig {
    let config: AmqpConfig = server.url_by(port).replace("amqp://", "amqps://").parse().unwrap();
    config.ca_file(authority.file())
}

/// What is written does not wait in the encryption for what comes behind it, and what the socket does not take at once
/// goes out later.
async fn large_messages_pass(kept: &Kept) {
    let link = kept.connection.link(Instant::now() + S).await.unwrap();
    let channel = link.channel().await.unwrap();
    channel.queue_declare("large".into(), QueueDeclareOptions::default(), Default::default()).await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let body: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
    let publish = async || {
        let sent = channel.basic_publish(
            "".into(),
            "large".into(),
            BasicPublishOptions::default(),
            &body,
            BasicProperties::default(),
        );
        assert!(sent.await.unwrap().await.unwrap().is_ack());
    };
    join_all((0..20).map(|_| publish())).await;
    for _ in 0..20 {
        let got = channel.basic_get("large".into(), BasicGetOptions { no_ack: true }).await.unwrap().unwrap();
        assert!(got.delivery.data == body);
    }
}

#[actix::test]
async fn a_server_with_tls_is_reached_if_it_is_trusted() {
    if !require_rabbitmq("a_server_with_tls_is_reached_if_it_is_trusted") {
        return;
    }
    let authority = Authority::new();
    let server = rabbitmq::Server::options().tls(authority.server("127.0.0.1")).start().await;
    let port = server.tls_port().unwrap();
    let kept = Kept::open(&at(&server, port, &authority));
    kept.outcome().await.unwrap();
    large_messages_pass(&kept).await;

    for stranger in [Authority::new(), Authority::named("stranger")] {
        let reason = Kept::open(&at(&server, port, &stranger)).lasting().await;
        assert!(reason.contains(&format!("signed by nobody in the CA file {}", stranger.file().display())), "{reason}");
    }
    let misnamed: AmqpConfig = format!("amqps://localhost:{port}").parse().unwrap();
    let misnamed = Kept::open(&misnamed.ca_file(authority.file())).lasting().await;
    assert!(misnamed.contains("is for 127.0.0.1 and not for the host of the URL"), "{misnamed}");
    let wrong: AmqpConfig = format!("amqps://guest:swordfish@127.0.0.1:{port}").parse().unwrap();
    let wrong = Kept::open(&wrong.ca_file(authority.file())).lasting().await;
    assert!(wrong.contains("user or password") && !wrong.contains("swordfish"), "{wrong}");

    let plain: AmqpConfig = format!("amqp://127.0.0.1:{port}").parse().unwrap();
    let (reason, _) = Kept::open(&plain).outcome().await.unwrap_err();
    assert!(reason.contains("`amqps://` is for TLS"), "{reason}");
    let reason = Kept::open(&at(&server, server.port(), &authority)).lasting().await;
    assert!(reason.contains("does not speak TLS"), "{reason}");

    let proxy = Proxy::start(port).await;
    let kept = Kept::open(&at(&server, proxy.port(), &authority).heartbeat(S / 5));
    kept.outcome().await.unwrap();
    proxy.set(Mode::Blackhole);
    let down = async || matches!(&*kept.state.borrow(), Some(State::Down { .. }));
    wait::until(2 * S, "the loss of a half-open connection", down).await;
    proxy.set(Mode::Pass);
    let up = async || matches!(&*kept.state.borrow(), Some(State::Up { .. }));
    wait::until(10 * S, "the connection", up).await;
}

#[actix::test]
async fn a_server_that_demands_a_certificate_gets_ours() {
    if !require_rabbitmq("a_server_that_demands_a_certificate_gets_ours") {
        return;
    }
    let authority = Authority::new();
    let server = rabbitmq::Server::options().tls(authority.server("127.0.0.1").demand()).start().await;
    let config = at(&server, server.tls_port().unwrap(), &authority);
    let reason = Kept::open(&config).lasting().await;
    assert!(reason.contains("demands a certificate of its clients"), "{reason}");
    for stranger in [Authority::new(), Authority::named("stranger")] {
        let (certificate, key) = stranger.client("agent");
        let reason = Kept::open(&config.clone().client_certificate(certificate, key)).lasting().await;
        assert!(reason.contains("refuses our certificate"), "{reason}");
    }
    let (certificate, key) = authority.client("agent");
    Kept::open(&config.client_certificate(certificate, key)).outcome().await.unwrap();
}

/// Any server with TLS does: the handshake comes first.
#[actix::test]
async fn an_expired_certificate_is_told() {
    if !require_redis("an_expired_certificate_is_told") {
        return;
    }
    let authority = Authority::new();
    let server = redis::Server::options().tls(authority.expired("127.0.0.1")).start().await;
    let config: AmqpConfig = format!("amqps://127.0.0.1:{}", server.tls_port().unwrap()).parse().unwrap();
    let reason = Kept::open(&config.ca_file(authority.file())).lasting().await;
    assert!(reason.contains("has expired"), "{reason}");
}
