//! In the process of a consumer.

use std::fs::File;
use std::io::BufRead;
use std::panic::resume_unwind;
use std::sync::LazyLock;

use formicary::prelude::*;
use formicary::{Events, run_until_signal};
use tracing_subscriber::filter::LevelFilter;

use super::record::{self, Handled};
use super::relay::{self, Relay};
use super::{Setup, Work};
use crate::common::Job;

/// Holds a [`Setup`] in the process of a consumer.
pub const ROLE: &str = "FORMICARY_FAULT_CONSUMER";

/// The test below.
pub const TEST: &str = concat!(module_path!(), "::a_consumer");

static SETUP: LazyLock<Option<Setup>> = LazyLock::new(|| {
    let setup = std::env::var(ROLE).ok()?;
    Some(serde_json::from_str(&setup).unwrap())
});

/// The process of a consumer; as a test, it does nothing.
#[test]
fn a_consumer() {
    let Some(setup) = &*SETUP else { return };
    tracing_subscriber::fmt().with_ansi(false).with_max_level(LevelFilter::INFO).with_writer(std::io::stderr).init();
    let code = actix::System::new().block_on(run(setup));
    std::process::exit(code.into());
}

async fn run(setup: &'static Setup) -> u8 {
    let events = Events::default();
    let builder = Group::builder().declarations(relay::declarations()).events(events.clone());
    let builder = builder.broker(setup.broker()).restart(setup.restarts());
    let builder = match setup.work {
        Work::Passes => builder.agent(|| Relay::new(setup)),
        _ => builder.agent(|| Consumer { setup, record: record::open(&setup.record) }),
    };
    let group = builder.start().await.unwrap();
    println!("ready");
    tell_when_asked(events.clone());
    let exit = run_until_signal(group).await;
    tell(&events);
    exit.code()
}

/// Each line on stdin asks for the counters.
fn tell_when_asked(events: Events) {
    std::thread::spawn(move || std::io::stdin().lock().lines().map_while(Result::ok).for_each(|_| tell(&events)));
}

fn tell(events: &Events) {
    println!("counters {}", serde_json::to_string(&events.counters()).unwrap());
}

struct Consumer {
    setup: &'static Setup,
    record: File,
}

impl Agent for Consumer {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let Some(setup) = &*SETUP else { return };
        let consume = agent.consumer::<Job, _, _, _, _>("consume", async |me: &Self, job: Job, delivery: Delivery| {
            me.consume(job.n, delivery.attempt()).await
        });
        consume.concurrency(setup.concurrency).retry(setup.retry());
    }
}

impl Consumer {
    async fn consume(&self, n: u64, attempt: u32) -> Result {
        match self.setup.work {
            Work::Takes(time) if time.is_zero() => {}
            Work::Takes(time) => tokio::time::sleep(time).await,
            // A panic in everything but its text on stderr.
            Work::Panics => resume_unwind(Box::new("always")),
            Work::Fails(digit) if n % 10 == digit => Err("every tenth fails")?,
            Work::Dies(of) if n == of => std::process::abort(),
            Work::Fails(_) | Work::Dies(_) | Work::Passes => {}
        }
        Handled { n, attempt, by: std::process::id() }.write(&self.record);
        Ok(())
    }
}
