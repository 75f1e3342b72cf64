//! The server's process: start, stop, restart, freeze, ask.

use std::fmt;
use std::io;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{Connection, Options, Reply};
use crate::port::Port;
use crate::process::{Child, Signal};
use crate::wait;

const START: Duration = Duration::from_secs(10);
const STOP: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(5);
const TRIES: usize = 5;

/// A Redis of its own for one test: free port of 127.0.0.1, data in a temporary folder; killed when dropped.
pub struct Server {
    // Dropped in this order: the process goes before its folder and its port.
    process: Option<Child>,
    folder: TempDir,
    port: Port,
    tls: Option<Port>,
    options: Options,
}

impl Server {
    /// Starts a server without persistence and password. See [`Server::options`] for others.
    ///
    /// # Panics
    ///
    /// When `redis-server` is missing (ask [`require_redis`](crate::require_redis) first) or does not answer in 10 s.
    pub async fn start() -> Server {
        Server::start_with(Options::default()).await
    }

    /// Settings to start a server with.
    ///
    /// ```no_run
    /// # use formicary_test_support::redis::Server;
    /// # async fn a_test() {
    /// let server = Server::options().append_only().password("secret").start().await;
    /// # }
    /// ```
    pub fn options() -> Options {
        Options::default()
    }

    pub(super) async fn start_with(options: Options) -> Server {
        let mut said = String::new();
        for _ in 0..TRIES {
            let folder = tempfile::Builder::new().prefix("formicary-redis-").tempdir();
            let folder = folder.unwrap_or_else(|error| panic!("no temporary folder for redis-server: {error}"));
            let tls = options.tls.is_some().then(Port::take);
            let mut server = Server { options: options.clone(), port: Port::take(), tls, folder, process: None };
            match server.launch().await {
                Ok(()) => return server,
                // Somebody else was quicker on this port: another one will do.
                Err(log) if log.contains("Address already in use") => said = log,
                Err(log) => panic!("redis-server did not start: {log}"),
            }
        }
        panic!("redis-server found no free port in {TRIES} tries: {said}");
    }

    /// `redis://127.0.0.1:<port>`, with the password if it has one.
    pub fn url(&self) -> String {
        match &self.options.password {
            Some(password) => format!("redis://:{password}@127.0.0.1:{}", self.port()),
            None => format!("redis://127.0.0.1:{}", self.port()),
        }
    }

    /// The port of 127.0.0.1; the same after a restart.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The port for TLS, if [`Options::tls`] asked for it.
    pub fn tls_port(&self) -> Option<u16> {
        self.tls.as_ref().map(Port::number)
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::pid)
    }

    /// Ends the server (SIGTERM, after 10 s SIGKILL) and waits for it. The port stays reserved.
    pub async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.signal(Signal::CONT);
            process.signal(Signal::TERM);
            process.end(STOP).await;
        }
    }

    /// Ends the server with SIGKILL, as a crash of its machine would, and waits for it.
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.signal(Signal::KILL);
            process.end(STOP).await;
        }
    }

    /// Starts the server again on the same port and data, after stopping it if it still runs.
    ///
    /// # Panics
    ///
    /// When it does not answer within 10 s.
    pub async fn restart(&mut self) {
        self.stop().await;
        if let Err(log) = self.launch().await {
            panic!("redis-server did not start again on port {}: {log}", self.port());
        }
    }

    /// Freezes the process (SIGSTOP): connections stay open, nothing is answered.
    pub fn pause(&self) {
        if let Some(process) = &self.process {
            process.signal(Signal::STOP);
        }
    }

    /// Lets a frozen process go on (SIGCONT).
    pub fn resume(&self) {
        if let Some(process) = &self.process {
            process.signal(Signal::CONT);
        }
    }

    /// A connection of the test's own, logged in; for subscriptions and raw bytes.
    ///
    /// # Errors
    ///
    /// The socket's; the server's own when it refuses the password.
    pub async fn connect(&self) -> io::Result<Connection> {
        let mut connection = Connection::open(self.port()).await?;
        if let Some(password) = &self.options.password {
            connection.command(&["AUTH", password]).await?;
        }
        Ok(connection)
    }

    /// Sends one command on a connection of its own. Arguments are text or bytes.
    ///
    /// ```no_run
    /// # async fn a_test(server: formicary_test_support::redis::Server) -> std::io::Result<()> {
    /// server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await?;
    /// server.command(&[&b"PUBLISH"[..], b"PUBSUB:started:me", b"\xff"]).await?;
    /// assert_eq!(server.command(&["LLEN", "mailer"]).await?.integer(), Some(0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The socket's, [`io::ErrorKind::TimedOut`] after 5 s, and the server's own with its text.
    pub async fn command<A: AsRef<[u8]>>(&self, args: &[A]) -> io::Result<Reply> {
        let ask = async { self.connect().await?.command(args).await };
        tokio::time::timeout(ANSWER, ask).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// The server's log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("redis.log")).unwrap_or_default()
    }

    async fn launch(&mut self) -> Result<(), String> {
        let Some(program) = super::program() else {
            return Err("redis-server is not installed (run scripts/test)".into());
        };
        let mut command = Command::new(program);
        command.args(["--port", &self.port().to_string(), "--bind", "127.0.0.1", "--daemonize", "no"]);
        command.arg("--dir").arg(self.folder.path());
        command.arg("--logfile").arg(self.folder.path().join("redis.log"));
        command.args(self.options.command_line(self.tls_port()));
        command.envs(self.options.env.iter().cloned());
        let process = Child::spawn(command);

        let pid = format!("process_id:{}\r\n", process.pid());
        let up = wait::until(START, format!("redis-server on port {}", self.port()), async || {
            if process.exit_code().is_some() {
                return Some(Err(format!("{}{}", self.log(), process.stdout())));
            }
            // Asks for its id: on a port that was lost in a race, another server would answer.
            let info = self.command(&["INFO", "server"]).await.ok()?.text()?;
            // While it loads its data, it tells its id, but does not answer a PING.
            self.command(&["PING"]).await.ok()?;
            info.contains(&pid).then_some(Ok(()))
        });
        up.await?;
        self.process = Some(process);
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("port", &self.port()).field("pid", &self.pid()).finish_non_exhaustive()
    }
}
