//! The run: start, wait, stop, summary.

use std::process::ExitCode;
use std::sync::Arc;

use formicary::{Events, Exit, Group, GroupBuilder};

use crate::agents::{CommentAgent, EmailAgent, UserAgent};
use crate::apart::{self, Keeper};
use crate::chaos::Chaos;
use crate::flags::{Kind, Settings};
use crate::interrupt::Interrupt;
use crate::logs::Logs;
use crate::pace::Sender;
use crate::summary::Summary;
use crate::table::Table;
use crate::{declarations, inspect, left, progress, quiet};

/// Runs the cluster; returns the exit code.
pub async fn run(mut settings: Settings, logs: Logs, mut interrupt: Interrupt) -> ExitCode {
    if settings.inspect {
        return inspect::inspect(settings.broker, logs).await;
    }
    let events = Events::default();
    let sender = Arc::new(Sender::new(settings.rate));
    let builder = cluster(&mut settings, events.clone(), sender.clone());
    if let Some(start) = apart::role() {
        logs.screen().release();
        return apart::run(builder, events, start).await;
    }
    let started = tokio::select! {
        biased;
        name = interrupt.wait() => {
            logs.screen().release();
            tracing::info!("{name} before the start was done");
            return end(&settings, &events, 0, Exit::Clean);
        }
        started = builder.start() => started,
    };
    let group = match started {
        Ok(group) => group,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(Exit::Failed.code());
        }
    };
    let email = settings.email_process.clone().map(|process| Keeper::start(process, events.clone(), logs.screen()));
    let email = match email.transpose() {
        Ok(email) => email,
        Err(error) => {
            eprintln!("error: the process of the email agent cannot be kept running: {error}");
            return ExitCode::from(Exit::Failed.code());
        }
    };
    let table = Table::show(&group, email.is_some(), logs.screen()).await;
    logs.screen().release();
    let lines = (!table.is_shown()).then(|| actix_rt::spawn(progress::report(events.clone(), group.broker().clone())));

    wait(&settings, &group, &sender, email.as_ref(), &mut interrupt).await;

    if let Some(lines) = lines {
        lines.abort();
    }
    let stopped = group.stop_agents().await;
    if let Some(email) = email {
        email.end().await;
    }
    let counts = left::left(stopped.broker()).await;
    table.finish(counts).await;
    let exit = stopped.close().await;
    // What is left in a broker that is shared is for the process with the email agent to say.
    let counts = counts.filter(|_| settings.own_broker || settings.runs(Kind::Email));
    end(&settings, &events, counts.unwrap_or_default().left(), exit)
}

fn cluster(settings: &mut Settings, events: Events, sender: Arc<Sender>) -> GroupBuilder {
    let chaos = Chaos::new(settings.chaos);
    let mut builder = Group::builder()
        .declarations(declarations())
        .events(events)
        .bus(settings.bus.clone())
        .broker(settings.broker.clone())
        .restart(chaos.restarts());
    if let Some(prefix) = &settings.prefix {
        builder = builder.prefix(prefix.clone());
    }
    // Those that are asked stand before those that ask.
    if settings.runs(Kind::Email) && settings.email_process.is_none() {
        let chaos = if apart::role().is_some() { chaos.clone().hanging() } else { chaos.clone() };
        let (outbox, delay) = (settings.outbox.take().map(Arc::new), settings.mail_delay);
        builder = builder.agent(move || EmailAgent { outbox: outbox.clone(), delay, chaos: chaos.clone() });
    }
    if settings.runs(Kind::Comment) {
        let chaos = chaos.clone();
        builder = builder.agent(move || CommentAgent::new(chaos.clone()));
    }
    if settings.runs(Kind::User) {
        builder = builder.agent(move || UserAgent { sender: sender.clone(), chaos: chaos.clone() });
    }
    builder
}

/// Returns when the run is to end: a signal came, the group ended by itself, or its time was over and all was done.
async fn wait(settings: &Settings, group: &Group, sender: &Sender, email: Option<&Keeper>, interrupt: &mut Interrupt) {
    let whole = async {
        match settings.run_for {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
        sender.stop();
        email.inspect(|email| email.spare());
        if settings.runs(Kind::Email) {
            quiet::quiet(group).await;
        }
    };
    tokio::select! {
        biased;
        name = interrupt.wait() => tracing::info!("{name}: stopping"),
        exit = group.ended() => tracing::info!(?exit, "the group has ended by itself: stopping"),
        () = whole => tracing::info!("the time is over: stopping"),
    }
}

fn end(settings: &Settings, events: &Events, left: u64, exit: Exit) -> ExitCode {
    tracing::info!(left, "{}", progress::counters(events));
    if let Some(target) = &settings.summary
        && let Err(error) = target.write(&Summary::new(events, left, settings.email_process.is_some()))
    {
        eprintln!("error: the summary was not written: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::from(exit.code())
}
