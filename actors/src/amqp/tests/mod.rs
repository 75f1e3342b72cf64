//! The connection against a real RabbitMQ.

#[cfg(feature = "tls")]
mod tls;
