//! One picture: 79 columns wide, so that it fits everywhere.

use std::time::Duration;

use formicary::EventKind as Kind;
use formicary::contract::{ConnectionState, Counts};

use super::rates::Rates;
use super::screen::{Look, Row};
use super::stats::{AgentStats, HandlerStats, Stats};
use crate::inspect;

pub fn frame(stats: &mut Stats, links: &[(&str, &str, ConnectionState)], queue: Option<Counts>) -> Vec<Row> {
    stats.rates.look();
    let up = stats.started.elapsed().as_secs();
    let clock = format!("{:02}:{:02}:{:02}", up / 3600, up / 60 % 60, up % 60);
    let mut rows = vec![(Look::Bold, format!("formicary cluster: Ctrl-C stops it{clock:>45}"))];
    rows.extend(links.iter().map(link));
    rows.push(blank());
    rows.push((
        Look::Bold,
        format!("{:<16} {:<18} {:>8} {:>8} {:>8} {:>8} {:>7}", "AGENT", "ON", "/S", "MEAN", "P99", "DONE", "FAILED"),
    ));
    for agent in &mut stats.agents {
        rows.push(head(agent));
        rows.extend(agent.handlers.iter_mut().map(handler));
    }
    rows.push(blank());
    rows.extend(flow(&stats.rates));
    rows.push(waiting(queue));
    rows
}

fn blank() -> Row {
    (Look::Plain, String::new())
}

fn link((what, address, state): &(&str, &str, ConnectionState)) -> Row {
    match state {
        ConnectionState::Up => (Look::Plain, format!("{what:<7} {address}  up")),
        ConnectionState::Down { reason, .. } => (Look::Alarm, format!("{what:<7} {address}  DOWN: {reason}")),
        ConnectionState::Closed => (Look::Dim, format!("{what:<7} {address}  closed")),
        _ => (Look::Alarm, format!("{what:<7} {address}  connecting")),
    }
}

fn head(agent: &AgentStats) -> Row {
    let AgentStats { name, state, restarts, last_crash, .. } = agent;
    let crash = last_crash.as_ref().map(|crash| format!("  last crash in {crash}")).unwrap_or_default();
    let look = if *state == "restarting" { Look::Alarm } else { Look::Bold };
    (look, format!("{name:<16} {state:<10}  restarts {restarts}{crash}"))
}

fn handler(stats: &mut HandlerStats) -> Row {
    let recent = stats.latency.recent();
    let HandlerStats { name, on, done, failed, .. } = stats;
    let (mean, p99) = (time(recent.mean), time(recent.p99));
    let look = if *done + *failed == 0 { Look::Dim } else { Look::Plain };
    (look, format!("  {name:<14} {on:<18} {:>8.1} {mean:>8} {p99:>8} {done:>8} {failed:>7}", recent.rate))
}

fn flow(rates: &Rates) -> Vec<Row> {
    let rate = |word: &str, kind| {
        // A long word takes a place from its number, so that columns stay.
        let width = 15 - word.len().max(8);
        format!("{word:<8} {:>width$.1}/s {:>7}", rates.rate(kind), rates.total(kind))
    };
    let total = |word: &str, kind| format!("{word:<7} {:>6}", rates.total(kind));
    let row = |what: &str, cells: [String; 3]| format!("{what:<8} {}", cells.join("  "));
    let lost = rates.total(Kind::Missed);
    let mut rows = vec![
        row(
            "signals",
            [rate("sent", Kind::SignalSent), rate("received", Kind::SignalReceived), total("dropped", Kind::Dropped)],
        ),
        row(
            "calls",
            [rate("answered", Kind::CallAnswered), rate("failed", Kind::CallFailed), total("bad", Kind::BadInput)],
        ),
        row(
            "mailer",
            [rate("queued", Kind::Queued), rate("consumed", Kind::Consumed), total("dead", Kind::DeadLettered)],
        ),
        row(
            "",
            [rate("retried", Kind::Retried), rate("returned", Kind::Returned), total("late", Kind::LateSettlement)],
        ),
        row("", [rate("reclaimed", Kind::Reclaimed), String::new(), String::new()]),
    ];
    if lost > 0 {
        rows.push(format!("{lost} events came too fast for this table: its handlers' numbers are too low"));
    }
    rows.into_iter().map(|row| (Look::Plain, row)).collect()
}

fn waiting(queue: Option<Counts>) -> Row {
    match queue {
        Some(counts) => (Look::Plain, format!("{:<8} {}", "now", inspect::counts(&counts))),
        None => (Look::Alarm, format!("{:<8} the broker cannot be asked", "now")),
    }
}

/// At most 7 columns.
fn time(time: Option<Duration>) -> String {
    let Some(time) = time else { return "-".to_owned() };
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..1_000.0 => format!("{micros:.0} µs"),
        1_000.0..1_000_000.0 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.1} s", micros / 1e6),
    }
}
