//! Signals, calls and queues of Formicary beside the raw driver doing the same work.
//!
//! `cargo bench --bench beside_raw` runs it, with `-- --quick` in a few seconds; `-- --help` says more. What is measured,
//! and how, stands in `docs/benchmarks.md`.

mod amqp_bus;
mod amqp_queue;
mod counter;
mod environment;
mod memory;
mod options;
mod ours;
mod pace;
mod raw;
mod redis_bus;
mod redis_queue;
mod report;
mod runner;

use std::process::ExitCode;

use formicary_test_support::{Need, available, rabbitmq, redis};
use options::{Asked, Options};
use runner::Runner;

formicary::declare!("benches/beside_raw/signals.json");

/// What anything here may fail with.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
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
    let redis = available(Need::Redis);
    environment::print(&options);
    let runner = Runner::new(options);
    runner.head();
    memory::signals(&runner).await?;
    memory::calls(&runner).await?;
    memory::queue(&runner).await?;
    match redis {
        Ok(()) => {
            let server = redis::Server::start().await;
            redis_bus::signals(&runner, &server).await?;
            redis_bus::calls(&runner, &server).await?;
            redis_queue::send(&runner, &server).await?;
            redis_queue::consume(&runner, &server).await?;
            redis_queue::idle(&runner, &server).await?;
        }
        Err(missing) => {
            println!();
            println!("LEFT OUT: every benchmark on Redis: {missing}.");
            println!(
                "Install redis-server 7 or later (scripts/test --setup does), or name it in FORMICARY_REDIS_SERVER."
            );
        }
    }
    if amqp_bus::NAMES.into_iter().chain(amqp_queue::NAMES).any(|name| runner.is_asked(name)) {
        match available(Need::RabbitMq) {
            Ok(()) => {
                let server = rabbitmq::Server::start().await;
                amqp_bus::signals(&runner, &server).await?;
                amqp_bus::calls(&runner, &server).await?;
                amqp_queue::send(&runner, &server).await?;
                amqp_queue::consume(&runner, &server).await?;
            }
            Err(missing) => {
                println!();
                println!("LEFT OUT: every benchmark on RabbitMQ: {missing}.");
                println!(
                    "Install RabbitMQ 3.10 or later (scripts/test --setup does), or name it in FORMICARY_RABBITMQ_SERVER."
                );
            }
        }
    }
    environment::print_load("at the end");
    Ok(())
}
