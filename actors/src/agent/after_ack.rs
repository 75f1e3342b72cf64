//! Work that begins when an acknowledgement was applied.

use std::future::Future;
use std::pin::Pin;

use super::handlers::IntoAnswer;
use crate::error::HandlerError;

/// It may be given from a thread of the pool.
pub(crate) type AfterAck = Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send>>;

/// How much one delivery may have of it.
pub(crate) const MOST: usize = 64;

pub(crate) fn boxed<R: IntoAnswer>(work: impl Future<Output = R> + Send + 'static) -> AfterAck {
    Box::pin(async move { work.await.into_answer().map(drop) })
}
