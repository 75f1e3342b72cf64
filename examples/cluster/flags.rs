//! The flags, and what they must be. Wrong usage ends the process with exit code 2.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use formicary::{BrokerConfig, BusConfig, Prefix};

use crate::outbox::Outbox;
use crate::summary::Target;

/// Runs the demo cluster: user, comment and email agents that work together.
#[derive(Debug, Parser)]
#[command(name = "cluster", allow_negative_numbers = true)]
struct Flags {
    /// Bus of the signals: memory://, redis://host:port or amqp://host:port [default: memory://]
    #[arg(long, value_name = "URL", default_value = "memory://", hide_default_value = true)]
    bus: String,
    /// Broker of the queues: memory://, redis://host:port or amqp://host:port [default: memory://]
    #[arg(long, value_name = "URL", default_value = "memory://", hide_default_value = true)]
    broker: String,
    /// First word of every channel [default: PUBSUB]
    #[arg(long)]
    prefix: Option<String>,
    /// Which agents this process runs [default: user,comment,email]
    #[arg(long, value_name = "LIST", value_enum, value_delimiter = ',', hide_possible_values = true)]
    agents: Vec<Kind>,
    /// How many user_created and user_comment the user agent sends a second; 0 = none [default: 5]
    #[arg(long, value_name = "N", default_value = "5", hide_default_value = true, value_parser = rate)]
    rate: f64,
    /// How long to run, such as 10s or 2m [default: until interrupted]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    run_for: Option<Duration>,
    /// File that gets one JSON line for each mail delivered [default: none]
    #[arg(long, value_name = "PATH")]
    outbox: Option<PathBuf>,
    /// How long one mail takes, such as 50ms [default: 0s]
    #[arg(long, value_name = "DURATION", default_value = "0s", hide_default_value = true, value_parser = duration)]
    mail_delay: Duration,
    /// Fail one mail in 20, panic at one signal in 200, and on a server kill the process of the email agent [default: off]
    #[arg(long)]
    chaos: bool,
    /// Print what the queue holds and its dead letters, and run nothing [default: off]
    #[arg(long)]
    inspect: bool,
    /// File that gets one JSON object at the end, or - for stdout [default: none]
    #[arg(long, value_name = "PATH|-")]
    summary: Option<PathBuf>,
}

/// An agent of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Mails welcomes and reports, asks for counts, sends the signals.
    User,
    /// Counts comments, answers with counts, mails each comment.
    Comment,
    /// Delivers mails.
    Email,
}

/// What the flags say, checked.
#[derive(Debug)]
pub struct Settings {
    pub bus: BusConfig,
    pub broker: BrokerConfig,
    /// A memory broker is this process's own; others may use any other one.
    pub own_broker: bool,
    pub prefix: Option<Prefix>,
    pub agents: Vec<Kind>,
    pub rate: f64,
    pub run_for: Option<Duration>,
    pub outbox: Option<Outbox>,
    pub mail_delay: Duration,
    pub chaos: bool,
    pub inspect: bool,
    pub summary: Option<Target>,
    /// With chaos on a server, the email agent runs in a process of its own.
    pub email_process: Option<EmailProcess>,
}

/// How the process of the email agent is started: this program with other flags.
#[derive(Debug, Clone)]
pub struct EmailProcess(Vec<OsString>);

impl EmailProcess {
    fn new(flags: &Flags) -> Self {
        let mut args: Vec<OsString> = ["--agents", "email", "--chaos", "--broker"].map(OsString::from).into();
        args.push((&flags.broker).into());
        args.extend(["--mail-delay".into(), humantime::format_duration(flags.mail_delay).to_string().into()]);
        args.extend(flags.outbox.iter().flat_map(|outbox| ["--outbox".into(), outbox.into()]));
        Self(args)
    }

    pub fn command(&self) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(&self.0);
        Ok(command)
    }
}

impl Settings {
    pub fn runs(&self, kind: Kind) -> bool {
        self.agents.contains(&kind)
    }
}

/// Reads the command line. Ends the process when it is wrong or asks for help.
pub fn parse() -> Settings {
    check(Flags::parse()).unwrap_or_else(|problem| {
        Flags::command().error(ErrorKind::ValueValidation, problem).exit();
    })
}

/// URLs are read here and not by clap, which would print them with their passwords.
fn check(flags: Flags) -> Result<Settings, String> {
    let agents = if flags.agents.is_empty() { Kind::value_variants().to_vec() } else { flags.agents.clone() };
    let own_broker = flags.broker.starts_with("memory:");
    if flags.inspect && own_broker {
        return Err("--inspect: write --broker redis://host:port or amqp://host:port, since a queue in memory ends with its process".into());
    }
    // Alone, its process is this one already, and killing it is for somebody else.
    let apart = flags.chaos && !own_broker && agents.len() > 1 && agents.contains(&Kind::Email);
    Ok(Settings {
        email_process: apart.then(|| EmailProcess::new(&flags)),
        bus: flags.bus.parse().map_err(|error| format!("--bus: {error}"))?,
        own_broker,
        broker: broker(&flags.broker).map_err(|error| format!("--broker: {error}"))?,
        prefix: flags
            .prefix
            .map(|prefix| Prefix::new(&prefix))
            .transpose()
            .map_err(|error| format!("--prefix: {error}"))?,
        agents,
        rate: flags.rate,
        run_for: flags.run_for,
        outbox: flags.outbox.as_deref().map(Outbox::open).transpose().map_err(|error| format!("--outbox: {error}"))?,
        mail_delay: flags.mail_delay,
        chaos: flags.chaos,
        inspect: flags.inspect,
        summary: flags.summary.map(Target::check).transpose().map_err(|error| format!("--summary: {error}"))?,
    })
}

/// On a Redis, all processes of the demo hold their messages by this lease: what a dead one had is handled soon.
#[cfg(feature = "redis")]
const LEASE: Duration = Duration::from_secs(2);

fn broker(url: &str) -> Result<BrokerConfig, formicary::Error> {
    #[cfg(feature = "redis")]
    if url.starts_with("redis:") || url.starts_with("rediss:") {
        return Ok(BrokerConfig::redis(url.parse::<formicary::RedisConfig>()?.lease(LEASE)));
    }
    url.parse()
}

/// More is a matter for a benchmark.
const MOST: f64 = 10_000.0;

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.0..=MOST).contains(&rate) => Ok(rate),
        _ => Err(format!("write a number from 0 to {MOST}, such as 5 or 0.5")),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "write a number with its unit, such as 500ms, 10s or 2m".to_owned())
}
