//! The process of the email agent.

use std::io::{self, Write};
use std::process::ExitCode;

use formicary::events::Listener;
use formicary::{Events, Exit, GroupBuilder, Queue, Value};
use tokio::sync::oneshot;

use super::Start;
use super::line::Line;
use crate::queues;

/// Runs the email agent until stdin ends or the group does.
pub async fn run(cluster: GroupBuilder, events: Events, start: Start) -> ExitCode {
    let told = events.listen();
    let group = match cluster.start().await {
        Ok(group) => group,
        Err(error) => {
            tracing::error!("the email agent did not start: {error}");
            return ExitCode::from(Exit::Failed.code());
        }
    };
    say(&[Line::Ready]);
    let (end, ended) = oneshot::channel();
    let telling = actix_rt::spawn(tell(told, ended));
    if start == Start::First
        && let Err(error) = group.broker().dynamic(queues::Mailer::NAME, &Value::from("no mail at all")).await
    {
        tracing::warn!("what nobody understands was not sent: {error}");
    }
    tokio::select! {
        biased;
        () = end_of_stdin() => {}
        exit = group.ended() => tracing::info!(?exit, "the group has ended by itself: stopping"),
    }
    let exit = group.stop().await;
    drop(end);
    drop(telling.await);
    ExitCode::from(exit.code())
}

async fn end_of_stdin() {
    let (end, ended) = oneshot::channel();
    std::thread::spawn(move || {
        io::copy(&mut io::stdin().lock(), &mut io::sink()).ok();
        end.send(()).ok();
    });
    ended.await.ok();
}

/// Tells what happens, up to the last event before the end.
async fn tell(mut events: Listener, mut end: oneshot::Receiver<()>) {
    loop {
        let event = tokio::select! {
            biased;
            event = events.next() => event,
            _ = &mut end => None,
        };
        let Some(event) = event else { return };
        let more = std::iter::from_fn(|| events.try_next());
        say(&std::iter::once(event).chain(more).filter_map(Line::of).collect::<Vec<_>>());
    }
}

/// In one write. Nobody reads any more when the other process is gone, and then this one ends too.
fn say(lines: &[Line]) {
    let mut text = Vec::new();
    for line in lines {
        if serde_json::to_writer(&mut text, line).is_ok() {
            text.push(b'\n');
        }
    }
    io::stdout().lock().write_all(&text).ok();
}
