//! The smallest consumer of a queue on Redis: how large its binary is, and how much memory it holds.
//!
//! `cargo bench --bench footprint` runs it; `-- --help` says more. What is measured, and how, stands in
//! `docs/benchmarks.md`.

mod binary;
mod options;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use formicary::Group;
use formicary_test_support::process::{Child, Signal};
use formicary_test_support::{Need, available, redis, wait};
use options::{Asked, Options};

formicary::declare!("signals.json");

/// What anything here may fail with.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const MB: f64 = 1e6;
const MOST: f64 = 8.0 * MB;
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Asked::Run(options) => options,
        Asked::Help => {
            println!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Asked::Wrong(message) => {
            eprintln!("error: {message}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    };
    match actix::System::new().block_on(run(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Outcome {
    available(Need::Redis)?;
    let folder = tempfile::tempdir()?;
    println!("| profile | stripped binary | idle | after {} messages | most ever |", options.messages);
    println!("|---|--:|--:|--:|--:|");
    for profile in &options.profiles {
        let stripped = binary::strip(&binary::build(profile)?, folder.path())?;
        let size = std::fs::metadata(&stripped)?.len();
        let held = consume(&stripped, options.messages).await?;
        let [idle, after, most] = held.map(|bytes| bytes as f64);
        println!(
            "| {profile} | {} | {} | {} | {:.2} MB |",
            held_to(size as f64),
            held_to(idle),
            held_to(after),
            most / MB
        );
    }
    println!("\nThe target of each: at most 8 MB. A MB is 1,000,000 bytes.");
    Ok(())
}

/// The memory of the program when it is idle, after so many messages, and at its most.
async fn consume(program: &Path, messages: usize) -> Outcome<[u64; 3]> {
    let server = redis::Server::start().await;
    let sender = Group::builder().declarations(declarations()).broker(server.url().parse()?).start().await?;
    let mut command = Command::new(program);
    command.arg(server.url());
    let consumer = Child::spawn(command);
    let gone = || format!("{} has ended: {}", program.display(), consumer.stderr());

    // It is ready when it has consumed something.
    send(&sender, 1).await?;
    let idle = consumer.rss_bytes().ok_or_else(gone)?;
    send(&sender, messages).await?;
    let after = consumer.rss_bytes().ok_or_else(gone)?;
    let most = consumer.peak_rss_bytes().ok_or_else(gone)?;

    consumer.signal(Signal::TERM);
    let code = consumer.wait(PATIENCE).await;
    sender.stop().await;
    if code != 0 {
        return Err(format!("the exit code is {code}: {}", consumer.stderr()).into());
    }
    Ok([idle, after, most])
}

/// Sends messages, and waits until all of them are acknowledged.
async fn send(sender: &Group, messages: usize) -> Outcome {
    for n in 0..messages {
        let mail = queues::Mailer { text: format!("Welcome user {n}"), email: "user@example.org".into() };
        sender.broker().send::<queues::Mailer>(&mail).await?;
    }
    wait::until(PATIENCE, "the last acknowledgement", async || {
        let counts = sender.broker().inspect("mailer").await.map_err(|error| error.to_string())?;
        let left = counts.waiting + counts.in_flight + counts.delayed + counts.dead;
        if left == 0 { Ok(()) } else { Err(format!("{counts:?}")) }
    })
    .await;
    Ok(())
}

fn held_to(bytes: f64) -> String {
    format!("{:.2} MB, {}", bytes / MB, if bytes <= MOST { "met" } else { "missed" })
}
