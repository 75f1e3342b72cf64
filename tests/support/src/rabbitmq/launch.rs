//! How a node comes up.

use std::io;
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::console::{self, Console};
use super::home::{Home, Ports};
use super::{Options, Server, options, program};
use crate::port::Port;
use crate::process::Child;
use crate::wait;

/// It takes three seconds on an idle machine.
const START: Duration = Duration::from_secs(60);
const HELLO: Duration = Duration::from_secs(2);

/// User, password and virtual host of [`Server::url`].
pub(super) const USER: &str = "formicary";
pub(super) const PASSWORD: &str = "secret-of-the-node";

impl Server {
    pub(super) fn prepare(options: &Options) -> io::Result<Server> {
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
        settings.extend(tls.iter().flat_map(|(port, tls)| options::tls_lines(tls, port.number())));
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

    pub(super) async fn launch(&mut self) -> Result<(), String> {
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
