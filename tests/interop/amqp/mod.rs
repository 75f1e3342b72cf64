//! The same over RabbitMQ, which carries Python's queues but no signals: plain queues, fan-out and topics, and what we declare
//! and send, held against the vectors.

mod exchanges;
mod queue;
mod shared;
mod stage;
mod wire;
