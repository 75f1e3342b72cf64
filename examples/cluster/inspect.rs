//! `--inspect`: what the queue holds, and its dead letters.

use std::io::{self, Write};
use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use formicary::contract::{Counts, Letters};
use formicary::protocol::DeadLetter;
use formicary::{Broker, BrokerConfig, Exit, Group, Queue};

use crate::logs::Logs;
use crate::{declarations, queues};

/// So many letters are shown, the oldest first.
const MOST: usize = 1_000;
/// So much is shown of a body, in characters.
const BODY: usize = 160;

/// Prints to stdout; the group that asks consumes nothing.
pub async fn inspect(broker: BrokerConfig, logs: Logs) -> ExitCode {
    let group = match Group::builder().declarations(declarations()).broker(broker).start().await {
        Ok(group) => group,
        Err(error) => return failed(&error),
    };
    logs.screen().release();
    let text = look(group.broker()).await;
    group.stop().await;
    match text {
        Ok(text) => match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        },
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(Exit::Failed.code())
}

async fn look(broker: &Broker) -> Result<String, formicary::Error> {
    let name = queues::Mailer::NAME;
    let counts = broker.inspect(name).await?;
    let line = match broker.describe().await?.capabilities.full_counts {
        true => self::counts(&counts),
        false => own_counts(&counts),
    };
    let letters = broker.peek(name, Letters::all().oldest(MOST)).await?;
    let mut text = format!("{name}: {line}\n");
    letters.iter().for_each(|letter| text += &self::letter(letter));
    let more = counts.dead.saturating_sub(letters.len() as u64);
    if more > 0 {
        text += &format!("… and {more} more\n");
    }
    Ok(text)
}

/// The counts of a queue in one line, the dead letters by their reasons.
pub fn counts(counts: &Counts) -> String {
    let Counts { waiting, in_flight, delayed, dead, dead_by, .. } = counts;
    let reasons = [
        (dead_by.exhausted, "exhausted"),
        (dead_by.undecodable, "undecodable"),
        (dead_by.rejected, "rejected"),
        (dead_by.too_large, "too large"),
        (dead_by.expired, "expired"),
        (dead_by.refused, "refused"),
        (dead_by.other, "other"),
    ];
    let reasons = reasons.into_iter().filter(|(letters, _)| *letters > 0);
    let reasons = reasons.map(|(letters, reason)| format!("{letters} {reason}")).collect::<Vec<_>>().join(", ");
    let reasons = if reasons.is_empty() { reasons } else { format!(" ({reasons})") };
    format!("{waiting} waiting, {in_flight} in flight, {delayed} delayed, {dead} dead{reasons}")
}

/// The counts on a server that does not tell what the other processes have.
fn own_counts(Counts { waiting, dead, .. }: &Counts) -> String {
    format!("{waiting} waiting, {dead} dead; what is in flight or delayed this server does not tell")
}

fn letter(DeadLetter { entry, reason, died_at_ms }: &DeadLetter) -> String {
    let (died, first) = (time(*died_at_ms), time(entry.first_seen_ms));
    let mut text = format!("\n{died}  {reason}  attempt {}  first taken {first}  id {}\n", entry.attempt, entry.id);
    for failure in &entry.history {
        let (at, error) = (time(failure.at_ms), failure.error.escape_debug());
        text += &format!("  {at}  {}.{}: {error}\n", failure.agent, failure.handler);
    }
    let body = String::from_utf8_lossy(&entry.body);
    // Bodies are of anybody, and must not talk to the terminal.
    let shown: String = body.chars().take(BODY).map(|letter| if letter.is_control() { '·' } else { letter }).collect();
    let cut = if body.chars().count() > BODY { "…" } else { "" };
    text + &format!("  {shown}{cut}\n")
}

fn time(ms: u64) -> String {
    let time = i64::try_from(ms).ok().filter(|ms| *ms > 0).and_then(DateTime::<Utc>::from_timestamp_millis);
    time.map_or_else(|| "at an unknown time".to_owned(), |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}
