//! A hundred thousand idle agents in one process: their memory, their start and their stop.
//!
//! `cargo bench --bench idle_agents` runs it; `-- --help` says more. What is measured, and how, stands in
//! `docs/benchmarks.md`.

mod options;
mod process;

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use formicary::AgentOptions;
use formicary::prelude::*;
use options::Asked;
use process::{cpu_time, resident};

formicary::declare!("benches/idle_agents/signals.json");

const MIB: f64 = (1 << 20) as f64;
const MOST_MEMORY: f64 = 400.0 * MIB;
const MOST_TIME: Duration = Duration::from_secs(5);
/// How long a stop may take before handlers are cut off: longer than the target, so that a slow stop is seen as such.
const PATIENCE: Duration = Duration::from_secs(600);

/// Has nothing to do until a signal comes.
struct Idle(Arc<AtomicUsize>);

#[agent]
impl Idle {
    #[receiver]
    async fn hear(&self, _: signals::Rare) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() -> ExitCode {
    let agents = match options::parse(std::env::args().skip(1)) {
        Asked::Run(agents) => agents,
        Asked::Help => {
            println!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Asked::Wrong(message) => {
            eprintln!("error: {message}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    };
    match actix::System::new().block_on(run(agents)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(agents: NonZeroUsize) -> Result<(), Box<dyn std::error::Error>> {
    let targets = options::has_targets(agents);
    let heard = Arc::new(AtomicUsize::new(0));
    let factory = {
        let heard = heard.clone();
        move || Idle(heard.clone())
    };
    let before = resident();
    println!("agents  {agents}, on one arbiter, memory bus and broker");
    println!("before  {:.1} MiB", before / MIB);

    let builder = Group::builder().declarations(declarations()).stop_deadline(PATIENCE);
    let builder = builder.agent_with(AgentOptions::new().instances(agents), factory);
    let begun = Step::begin();
    let group = builder.start().await?;
    begun.print("start", targets.then_some(MOST_TIME));

    let idle = resident();
    let each = (idle - before) / agents.get() as f64;
    println!(
        "idle    {:.1} MiB, {each:.0} bytes an agent{}",
        idle / MIB,
        verdict(targets, idle <= MOST_MEMORY, "400 MiB")
    );

    let begun = Step::begin();
    let receivers = group.bus().publish("bench", &signals::Rare { number: 1 }).await?;
    while heard.load(Ordering::Relaxed) < agents.get() {
        if begun.has_taken(PATIENCE) {
            return Err(format!("{} of {receivers:?} have heard the signal", heard.load(Ordering::Relaxed)).into());
        }
        tokio::task::yield_now().await;
    }
    begun.print("signal", None);
    println!("after   {:.1} MiB, when each has heard one signal", resident() / MIB);

    let begun = Step::begin();
    let exit = group.stop().await;
    begun.print("stop", targets.then_some(MOST_TIME));
    println!("left    {:.1} MiB, {exit:?}", resident() / MIB);
    Ok(())
}

/// Wall time and processor time of one step.
struct Step {
    begun: Instant,
    cpu: Duration,
}

impl Step {
    fn begin() -> Self {
        Self { begun: Instant::now(), cpu: cpu_time() }
    }

    fn has_taken(&self, long: Duration) -> bool {
        self.begun.elapsed() > long
    }

    fn print(self, name: &str, most: Option<Duration>) {
        let (took, cpu) = (self.begun.elapsed(), cpu_time().saturating_sub(self.cpu));
        let says = verdict(most.is_some(), most.is_none_or(|most| took <= most), "5 s");
        println!("{name:7} {:.2} s, {:.2} s of processor time{says}", took.as_secs_f64(), cpu.as_secs_f64());
    }
}

fn verdict(is_held: bool, is_met: bool, most: &str) -> String {
    match (is_held, is_met) {
        (false, _) => String::new(),
        (true, met) => format!(" (target: at most {most}, {})", if met { "met" } else { "missed" }),
    }
}
