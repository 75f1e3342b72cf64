use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::{Broker, Bus, Error, Events, Exit, GroupBuilder};

/// A group on a thread of its own, for programs that have no actix system: scripts, plain tokio, plain threads.
///
/// ```
/// use formicary::{Background, Group};
///
/// let background = Background::start(Group::builder())?;
/// assert!(background.bus().connection() == formicary::contract::ConnectionState::Up);
/// assert_eq!(background.stop().code(), 0);
/// # Ok::<(), formicary::Error>(())
/// ```
#[derive(Debug)]
pub struct Background {
    bus: Bus,
    broker: Broker,
    events: Events,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Exit>>,
}

impl Background {
    /// Starts a group and waits until its subscriptions are live. Blocks the calling thread meanwhile.
    ///
    /// # Errors
    /// As [`GroupBuilder::start`].
    pub fn start(builder: GroupBuilder) -> Result<Self, Error> {
        let (sender, started) = std::sync::mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            actix::System::new().block_on(async {
                let group = match builder.start().await {
                    Ok(group) => group,
                    Err(error) => {
                        drop(sender.send(Err(error)));
                        return Exit::Failed;
                    }
                };
                let links = (group.bus().clone(), group.broker().clone(), group.events().clone());
                drop(sender.send(Ok(links)));
                tokio::select! {
                    // A dropped `Background` is a stop too.
                    _ = stopped => {}
                    _ = group.ended() => {}
                }
                group.stop().await
            })
        };
        let thread = std::thread::Builder::new()
            .name("formicary".to_owned())
            .spawn(run)
            .map_err(|error| Error::Settings(format!("cannot start a thread for the group: {error}")))?;
        let (bus, broker, events) = started.recv().map_err(|_| Error::Closed("the group's thread"))??;
        Ok(Self { bus, broker, events, stop: Some(stop), thread: Some(thread) })
    }

    /// The group's bus.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// The group's broker.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// What happens in the group.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// Waits until the group has ended by itself.
    pub fn join(mut self) -> Exit {
        self.end(false)
    }

    /// Stops the group and waits until it has ended.
    pub fn stop(mut self) -> Exit {
        self.end(true)
    }

    fn end(&mut self, stop: bool) -> Exit {
        if stop {
            self.stop.take();
        }
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or(Exit::Failed)
    }
}

impl Drop for Background {
    /// Stops the group, and waits: what it has accepted goes out.
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end(true);
        }
    }
}
