//! The node's process: start, stop, restart, freeze, ask.

use std::fmt;
use std::io;
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::console::{self, Console};
use super::home::{Home, Ports};
use super::{Options, Place, Program, program};
use crate::process::{Child, Signal};
use crate::wait;
use formicary_conformance::port::Port;

/// It takes three seconds on an idle machine.
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(30);
const HELLO: Duration = Duration::from_secs(2);
const TRIES: usize = 5;

/// User, password and virtual host of [`Server::url`].
const USER: &str = "formicary";
const PASSWORD: &str = "secret-of-the-node";

/// A RabbitMQ of its own for one test: its own node name, data, logs and ports of 127.0.0.1; killed when dropped, and when
/// the test's process ends. It has no plugins.
pub struct Server {
    // Dropped in this order: the processes go before their folder and their ports.
    node: Option<Child>,
    _mapper: Child,
    home: Home,
    program: Program,
    console: Console,
    amqp: Port,
    tls: Option<Port>,
    _erlang: [Port; 2],
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
        match ctl.wait(START).await {
            0 => Ok(ctl.stdout()),
            _ => Err(format!("{}{}", ctl.stdout(), ctl.stderr())),
        }
    }

    /// The node's log.
    pub fn log(&self) -> String {
        self.home.log()
    }

    fn prepare(options: &Options) -> io::Result<Server> {
        let program = program().ok_or_else(|| io::Error::other("RabbitMQ is not installed (run scripts/test)"))?;
        let (amqp, erlang, mapper) = (Port::take(), Port::take(), Port::take());
        let tls = options.tls.as_ref().map(|tls| (Port::take(), tls));
        let mut settings = vec![
            format!("listeners.tcp.1 = 127.0.0.1:{}", amqp.number()),
            format!("default_user = {USER}"),
            format!("default_pass = {PASSWORD}"),
            format!("default_vhost = {USER}"),
            "vm_memory_high_watermark.absolute = 2GB".into(),
            "disk_free_limit.absolute = 50MB".into(),
        ];
        settings.extend(tls.iter().flat_map(|(port, tls)| tls.lines(port.number())));
        settings.extend(options.lines.iter().cloned());
        let ports = Ports { amqp: amqp.number(), erlang: erlang.number(), mapper: mapper.number() };
        let mut epmd = Command::new("epmd");
        epmd.args(["-address", "127.0.0.1", "-port", &ports.mapper.to_string()]);
        Ok(Server {
            node: None,
            _mapper: Child::spawn_bound(epmd),
            home: Home::make(&program, ports, &settings)?,
            program,
            console: Console::default(),
            amqp,
            tls: tls.map(|(port, _)| port),
            _erlang: [erlang, mapper],
        })
    }

    async fn launch(&mut self) -> Result<(), String> {
        let mut command = self.home.command(&self.program, "rabbitmq-server");
        // The script becomes the node, so that its process id is that of the node, which reads its stdin.
        command.env("RABBITMQ_ALLOW_INPUT", "1");
        command.args(["-noshell", "-kernel", "inet_dist_use_interface", "{127,0,0,1}", "-eval", console::LOOP]);
        let node = Child::spawn_bound(command);
        let up = wait::until(START, format!("{} on port {}", self.node(), self.port()), async || {
            if node.exit_code().is_some() {
                return Some(Err(format!("{}{}{}", self.log(), node.stdout(), node.stderr())));
            }
            node.stdout_lines().iter().find(|line| *line == console::READY)?;
            answers(self.port()).await.ok()?;
            Some(Ok(()))
        });
        up.await?;
        self.node = Some(node);
        Ok(())
    }
}

/// Whether a server of AMQP takes connections: it opens with a frame of a method.
async fn answers(port: u16) -> io::Result<()> {
    let hello = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        match stream.read_u8().await? {
            1 => Ok(()),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    };
    tokio::time::timeout(HELLO, hello).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("rabbitmq::Server").field("port", &self.port()).field("pid", &self.pid()).finish_non_exhaustive()
    }
}
