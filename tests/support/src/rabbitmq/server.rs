//! The node's process: start, stop, restart, freeze, ask.

use std::fmt;
use std::time::Duration;

use super::console::Console;
use super::home::Home;
use super::launch::{PASSWORD, USER};
use super::{Options, Place, Program};
use crate::port::Port;
use crate::process::{Child, Signal};

const STOP: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(60);
const TRIES: usize = 5;

/// A RabbitMQ of its own for one test: its own node name, data, logs and ports of 127.0.0.1; killed when dropped, and when
/// the test's process ends. It has no plugins.
pub struct Server {
    // Dropped in this order: the processes go before their folder and their ports.
    pub(super) node: Option<Child>,
    pub(super) _mapper: Child,
    pub(super) home: Home,
    pub(super) program: Program,
    pub(super) console: Console,
    pub(super) amqp: Port,
    pub(super) tls: Option<Port>,
    pub(super) _erlang: [Port; 2],
}

impl Server {
    /// Starts a node; see [`Server::options`] for more. It takes seconds: [`shared`](super::shared) is for tests that leave the
    /// node alone.
    ///
    /// # Panics
    ///
    /// When RabbitMQ is missing (ask [`require_rabbitmq`](crate::require_rabbitmq) first) or does not answer in a minute.
    pub async fn start() -> Server {
        Server::start_with(Options::default()).await
    }

    /// Settings to start a node with.
    ///
    /// ```no_run
    /// # use formicary_test_support::rabbitmq::Server;
    /// # async fn a_test() {
    /// let server = Server::options().setting("consumer_timeout = 1000").start().await;
    /// # }
    /// ```
    pub fn options() -> Options {
        Options::default()
    }

    pub(super) async fn start_with(options: Options) -> Server {
        let mut said = String::new();
        for _ in 0..TRIES {
            let mut server =
                Server::prepare(&options).unwrap_or_else(|error| panic!("no folder for RabbitMQ: {error}"));
            match server.launch().await {
                Ok(()) => return server,
                // Somebody else was quicker on one of its ports: others will do.
                Err(log) if log.contains("eaddrinuse") || log.contains("already in use") => said = log,
                Err(log) => panic!("rabbitmq-server did not start: {log}"),
            }
        }
        panic!("rabbitmq-server found no free ports in {TRIES} tries: {said}");
    }

    /// `amqp://<user>:<password>@127.0.0.1:<port>/<vhost>`.
    pub fn url(&self) -> String {
        self.url_by(self.port())
    }

    /// The same by another port, such as that of a proxy.
    pub fn url_by(&self, port: u16) -> String {
        format!("amqp://{USER}:{PASSWORD}@127.0.0.1:{port}/{USER}")
    }

    /// The port of 127.0.0.1; the same after a restart.
    pub fn port(&self) -> u16 {
        self.amqp.number()
    }

    /// The port for TLS, if [`Options::tls`] asked for it.
    pub fn tls_port(&self) -> Option<u16> {
        self.tls.as_ref().map(Port::number)
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.node.as_ref().map(Child::pid)
    }

    /// The name of the node.
    pub fn node(&self) -> String {
        self.home.node()
    }

    /// Ends the node (SIGTERM, after 30 s SIGKILL) and waits for it. The port stays reserved.
    pub async fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            node.signal(Signal::CONT);
            node.signal(Signal::TERM);
            node.end(STOP).await;
        }
    }

    /// Ends the node with SIGKILL, as a crash of its machine would, and waits for it.
    pub async fn kill(&mut self) {
        if let Some(node) = self.node.take() {
            node.signal(Signal::KILL);
            node.end(STOP).await;
        }
    }

    /// Starts the node again on the same port and data, after stopping it if it still runs.
    ///
    /// # Panics
    ///
    /// When it does not answer within a minute.
    pub async fn restart(&mut self) {
        self.stop().await;
        if let Err(log) = self.launch().await {
            panic!("rabbitmq-server did not start again on port {}: {log}", self.port());
        }
    }

    /// Freezes the node (SIGSTOP): connections stay open, nothing is answered.
    pub fn pause(&self) {
        if let Some(node) = &self.node {
            node.signal(Signal::STOP);
        }
    }

    /// Lets a frozen node go on (SIGCONT).
    pub fn resume(&self) {
        if let Some(node) = &self.node {
            node.signal(Signal::CONT);
        }
    }

    /// Raises or ends the alarm of memory: while it lasts, the node reads nothing from those who publish.
    pub async fn memory_alarm(&self, on: bool) {
        let share = if on { "0.0000001" } else { "{absolute, \"2GB\"}" };
        self.eval(&format!("vm_memory_monitor:set_vm_memory_high_watermark({share})")).await;
    }

    /// A virtual host and its user, made if they are not there. The place `formicary` is that of [`Server::url`].
    pub async fn place(&self, name: &str) -> Place<'_> {
        Place::make(self, name).await
    }

    /// The value of an Erlang expression on the node, as Erlang writes it: what `rabbitmqctl eval` does, at once.
    ///
    /// # Panics
    ///
    /// When the node is down, fails at it, or does not answer in 20 s.
    pub async fn eval(&self, expression: &str) -> String {
        let Some(node) = &self.node else { panic!("{} is down", self.node()) };
        let answer = self.console.ask(node, expression).await;
        answer.unwrap_or_else(|why| panic!("{} can't do {expression}: {why}", self.node()))
    }

    /// What `rabbitmqctl` prints, with these arguments. It takes a second or two.
    ///
    /// # Errors
    ///
    /// What it prints when it fails.
    pub async fn ctl(&self, args: &[&str]) -> Result<String, String> {
        let mut command = self.home.command(&self.program, "rabbitmqctl");
        command.arg("--quiet").args(args);
        let ctl = Child::spawn_bound(command);
        ctl.close_stdin();
        match ctl.wait(ANSWER).await {
            0 => Ok(ctl.stdout()),
            _ => Err(format!("{}{}", ctl.stdout(), ctl.stderr())),
        }
    }

    /// The node's log.
    pub fn log(&self) -> String {
        self.home.log()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("rabbitmq::Server").field("port", &self.port()).field("pid", &self.pid()).finish_non_exhaustive()
    }
}
