//! Where an adapter is tried.

use std::net::SocketAddr;
use std::pin::Pin;

use crate::Missing;

/// Where adapters are tried: a server with nothing in it, or what takes its place. Every case begins one of its own; what
/// it started ends when it is dropped.
///
/// The methods that have a default are hooks for faults. The default says that the hook is not there, and the cases that
/// need it are left out.
pub trait Place: Sized + 'static {
    /// Starts the server, or makes an empty place at one that is shared.
    fn begin() -> impl Future<Output = Result<Self, Missing>>;

    /// The same for cases that stop the server or upset it: one that nobody else uses. Only a place at a server that cases
    /// share has to say more than [`Place::begin`].
    fn begin_alone() -> impl Future<Output = Result<Self, Missing>> {
        Self::begin()
    }

    /// Where the server listens: where a proxy with faults passes everything to.
    fn address(&self) -> Option<SocketAddr> {
        None
    }

    /// Ends the server as an administrator does, and returns when it is gone. It keeps its address, and its data if the
    /// adapter promises to be persistent. `false`: there is no such thing.
    fn stop(&mut self) -> impl Future<Output = bool> {
        async { false }
    }

    /// Starts the server again after [`Place::stop`], and returns when it answers.
    fn restart(&mut self) -> impl Future<Output = bool> {
        async { false }
    }

    /// Makes the server refuse what the adapter asks of it. `false`: this trouble cannot be made.
    fn upset(&mut self, trouble: Trouble) -> impl Future<Output = bool> {
        let _ = trouble;
        async { false }
    }

    /// Takes the trouble away again.
    fn mend(&mut self, trouble: Trouble) -> impl Future<Output = bool> {
        let _ = trouble;
        async { false }
    }

    /// A password, or the like, that adapters of this place know and must never show.
    fn secret(&self) -> Option<String> {
        None
    }
}

/// How a server refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// It takes nothing more: its memory or disk is full. What it has can still be taken.
    Full,
    /// What the adapter uses there is of another kind than it needs.
    WrongKind,
    /// It denies the adapter's user what is asked.
    Denied,
}

/// A [`Place`] of any type.
pub(crate) trait AnyPlace {
    fn address(&self) -> Option<SocketAddr>;
    fn stop(&mut self) -> Soon<'_, bool>;
    fn restart(&mut self) -> Soon<'_, bool>;
    fn upset(&mut self, trouble: Trouble) -> Soon<'_, bool>;
    fn mend(&mut self, trouble: Trouble) -> Soon<'_, bool>;
    fn secret(&self) -> Option<String>;
}

pub(crate) type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

impl<P: Place> AnyPlace for P {
    fn address(&self) -> Option<SocketAddr> {
        Place::address(self)
    }

    fn stop(&mut self) -> Soon<'_, bool> {
        Box::pin(Place::stop(self))
    }

    fn restart(&mut self) -> Soon<'_, bool> {
        Box::pin(Place::restart(self))
    }

    fn upset(&mut self, trouble: Trouble) -> Soon<'_, bool> {
        Box::pin(Place::upset(self, trouble))
    }

    fn mend(&mut self, trouble: Trouble) -> Soon<'_, bool> {
        Box::pin(Place::mend(self, trouble))
    }

    fn secret(&self) -> Option<String> {
        Place::secret(self)
    }
}
