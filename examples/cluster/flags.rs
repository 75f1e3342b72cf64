//! The flags, and what they must be. Wrong usage ends the process with exit code 2.

use std::path::PathBuf;
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
    /// Bus of the signals: memory:// or redis://host:port [default: memory://]
    #[arg(long, value_name = "URL", default_value = "memory://", hide_default_value = true)]
    bus: String,
    /// Broker of the queues: memory:// or redis://host:port [default: memory://]
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
    /// Fail one mail in 20, and panic at one signal in 200 [default: off]
    #[arg(long)]
    chaos: bool,
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
    pub summary: Option<Target>,
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
    let agents = if flags.agents.is_empty() { Kind::value_variants().to_vec() } else { flags.agents };
    Ok(Settings {
        bus: flags.bus.parse().map_err(|error| format!("--bus: {error}"))?,
        own_broker: flags.broker.starts_with("memory:"),
        broker: flags.broker.parse().map_err(|error| format!("--broker: {error}"))?,
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
        summary: flags.summary.map(Target::check).transpose().map_err(|error| format!("--summary: {error}"))?,
    })
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
