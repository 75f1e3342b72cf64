//! The connection that is up now.

use super::gate::Gate;
use super::mend::Mended;
use super::stream::Pieces;
use super::{CommandError, ConnectError, Endpoint, Settings, socket};
use lapin::Channel;
use lapin::options::BasicQosOptions;
use std::{cell::Cell, pin::pin, sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};

/// One driver connection. Owners open their channels on it; when it is gone, so are they, and another link follows.
pub struct Link {
    pub(super) connection: lapin::Connection,
    /// For signs of life; nothing else is done on it.
    control: Channel,
    generation: u64,
    answer_timeout: Duration,
    /// Counts what came from the server.
    activity: Cell<u64>,
    /// Counts the pieces of large bodies.
    pieces: Arc<Pieces>,
    pub(super) broken: watch::Sender<Option<ConnectError>>,
    pub(super) blocked: watch::Sender<Option<Arc<str>>>,
    /// What was odd in what came.
    pub(super) mended: Arc<Mended>,
    gate: Arc<Gate>,
    /// After the connection, so that a goodbye can go out.
    _socket: socket::Socket,
}

impl Link {
    pub(super) async fn connect(
        endpoint: &Endpoint,
        settings: &Settings,
        name: &str,
        generation: u64,
    ) -> Result<Self, ConnectError> {
        let (connection, socket, seen) = socket::connect(endpoint, settings, name).await?;
        let control = connection.create_channel().await.map_err(|error| ConnectError::from(&error))?;
        Ok(Self {
            connection,
            control,
            generation,
            answer_timeout: settings.answer_timeout,
            activity: Cell::new(0),
            pieces: seen.pieces,
            broken: watch::Sender::new(None),
            blocked: watch::Sender::new(None),
            mended: seen.mended,
            gate: seen.gate,
            _socket: socket,
        })
    }

    /// Which connection this is: each that is made after another was lost has a higher number.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Opens a channel.
    ///
    /// # Errors
    /// When the connection is lost, or the server does not answer in time: then the connection is given up.
    pub async fn channel(&self) -> Result<Channel, CommandError> {
        self.answered(self.connection.create_channel()).await
    }

    /// The outcome of a command that the server answers at once. One that it does not answer in time means that the
    /// connection is dead, and it is given up.
    ///
    /// # Errors
    /// As the command; [`CommandError::Unknown`] when there is no answer.
    pub async fn answered<T>(&self, command: impl Future<Output = lapin::Result<T>>) -> Result<T, CommandError> {
        let mut command = pin!(command);
        let answer = async {
            let mut answer = timeout(self.answer_timeout, &mut command).await;
            // A server that takes nothing from us cannot answer.
            while answer.is_err() && self.blocked.borrow().is_some() {
                answer = timeout(self.answer_timeout, &mut command).await;
            }
            answer
        };
        let answer = tokio::select! {
            biased;
            answer = answer => answer,
            () = self.gone() => return Err(CommandError::Unknown("the connection was lost".to_owned())),
        };
        let Ok(outcome) = answer else {
            let reason = format!("no answer within {:?}", self.answer_timeout);
            self.give_up(ConnectError::Lost(reason.clone()));
            return Err(CommandError::Unknown(reason));
        };
        self.saw_activity();
        Ok(outcome?)
    }

    /// Ends this link; another follows.
    pub fn give_up(&self, reason: ConnectError) {
        self.broken.send_if_modified(|broken| {
            let is_first = broken.is_none();
            broken.get_or_insert(reason);
            is_first
        });
    }

    /// Returns when this link is given up or lost. Who waits does not hold it.
    pub fn gone(&self) -> impl Future<Output = ()> + use<> {
        let mut broken = self.broken.subscribe();
        async move {
            // An error means that nobody holds it any more.
            broken.wait_for(Option::is_some).await.ok();
        }
    }

    /// Something came from the server.
    pub fn saw_activity(&self) {
        self.activity.set(self.activity.get().wrapping_add(1));
    }

    /// While it moves, no sign of life is asked for.
    pub(super) fn activity(&self) -> u64 {
        self.activity.get().wrapping_add(self.pieces.count())
    }

    /// Which is told of each delivery that is taken, of consumers without acknowledgements.
    pub(crate) fn gate(&self) -> Arc<Gate> {
        self.gate.clone()
    }

    /// Why the server takes nothing from us now, if it does: it is short of memory or of disk. Only connections that
    /// publish are ever blocked. While it lasts, the driver writes nothing at all, so nobody should wait for an answer.
    pub fn blocked(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.blocked.subscribe()
    }

    /// The main version of RabbitMQ: 4 of 4.1.2. None when the server does not say.
    pub fn server_version(&self) -> Option<u32> {
        self.mended.version()?.split('.').next()?.parse().ok()
    }

    /// Whether the server takes nothing from us now.
    pub fn is_blocked(&self) -> bool {
        self.blocked.borrow().is_some()
    }

    /// Whether the driver takes the connection for alive.
    pub fn is_up(&self) -> bool {
        self.connection.status().connected() && self.broken.borrow().is_none()
    }

    /// A command that changes nothing.
    pub(super) fn ping(&self) -> impl Future<Output = lapin::Result<()>> + use<> {
        let control = self.control.clone();
        async move { control.basic_qos(1, BasicQosOptions::default()).await }
    }
}
