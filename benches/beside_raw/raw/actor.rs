//! In memory, the raw driver is actix: one actor, and `send` to it.

use actix::{Actor, Addr, Context, Handler, Message};

use super::{decode_answer, encode_answer};
use crate::counter::Counter;
use crate::ours::{ask, job, tick};
use crate::{Outcome, queues, signals};

#[derive(Message)]
#[rtype(result = "Result<(), String>")]
struct Tick(Vec<u8>);

#[derive(Message)]
#[rtype(result = "Result<Vec<u8>, String>")]
struct Ask(Vec<u8>);

#[derive(Message)]
#[rtype(result = "Result<(), String>")]
struct Job(Vec<u8>);

struct Plain(Counter);

impl Actor for Plain {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        // The inbox of a receiver holds as many.
        context.set_mailbox_capacity(1_024);
    }
}

impl Handler<Tick> for Plain {
    type Result = Result<(), String>;

    fn handle(&mut self, tick: Tick, _: &mut Context<Self>) -> Self::Result {
        let tick: signals::Tick = serde_json::from_slice(&tick.0).map_err(|error| error.to_string())?;
        std::hint::black_box(tick);
        self.0.one();
        Ok(())
    }
}

impl Handler<Ask> for Plain {
    type Result = Result<Vec<u8>, String>;

    fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> Self::Result {
        let ask: signals::Ask = serde_json::from_slice(&ask.0).map_err(|error| error.to_string())?;
        encode_answer(ask.user_id + 1).map_err(|error| error.to_string())
    }
}

impl Handler<Job> for Plain {
    type Result = Result<(), String>;

    fn handle(&mut self, job: Job, _: &mut Context<Self>) -> Self::Result {
        let job: queues::Jobs = serde_json::from_slice(&job.0).map_err(|error| error.to_string())?;
        std::hint::black_box(job);
        self.0.one();
        Ok(())
    }
}

#[derive(Clone)]
pub struct RawActor {
    address: Addr<Plain>,
    pub counter: Counter,
}

impl RawActor {
    pub fn start() -> Self {
        let counter = Counter::default();
        Self { address: Plain(counter.clone()).start(), counter }
    }

    pub async fn publish(&self) -> Outcome {
        Ok(self.address.send(Tick(serde_json::to_vec(&tick())?)).await??)
    }

    pub async fn call(&self) -> Outcome<u64> {
        decode_answer(&self.address.send(Ask(serde_json::to_vec(&ask())?)).await??)
    }

    /// Its answer is its acknowledgement.
    pub async fn push(&self) -> Outcome {
        Ok(self.address.send(Job(serde_json::to_vec(&job())?)).await??)
    }
}
