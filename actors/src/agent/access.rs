use std::future::Future;
use std::pin::Pin;

/// A boxed future that stays on its arbiter.
pub(crate) type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// How a handler gets at its agent.
pub(crate) enum Access<'a, A> {
    Read(&'a A),
    Write(&'a mut A),
    /// Not at all.
    None,
}
