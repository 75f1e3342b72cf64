//! Starts the process of the email agent, kills it again and again, and ends it.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use formicary::{Event, EventKind, Events};
use tokio::sync::oneshot;

use super::line::Line;
use super::{AGENT, BELOW_TABLE, ROLE, Start};
use crate::flags::EmailProcess;
use crate::table::Screen;

/// So long the first process lives from when its agent runs.
const FIRST_LIFE: Duration = Duration::from_millis(1_500);
/// So long the others live: a lease and a half after the death before, this one has taken over what was left behind.
const LIFE: Duration = Duration::from_secs(5);
/// A process that ends by itself is not started again at once.
const PAUSE: Duration = Duration::from_secs(1);
/// So often it is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Longer than the group in that process takes for its stop.
const STOP: Duration = Duration::from_secs(12);

/// Keeps a process of the email agent running, on a thread of its own.
pub struct Keeper {
    words: Sender<Word>,
    gone: oneshot::Receiver<()>,
}

enum Word {
    /// The agent of the process runs.
    Ready,
    /// Kill it no more.
    Spare,
    /// End it.
    End,
}

impl Keeper {
    pub fn start(process: EmailProcess, events: Events, screen: Arc<Screen>) -> io::Result<Self> {
        let (words, heard) = channel();
        let (over, gone) = oneshot::channel();
        let keeping = Keeping { process, events, screen, words: words.clone(), killing: true };
        thread::Builder::new().name("email-process".to_owned()).spawn(move || {
            keeping.keep(&heard);
            over.send(()).ok();
        })?;
        Ok(Self { words, gone })
    }

    /// From now on it is not killed any more.
    pub fn spare(&self) {
        self.words.send(Word::Spare).ok();
    }

    /// Stops it as Ctrl-C would; returns when it is gone.
    pub async fn end(self) {
        self.words.send(Word::End).ok();
        self.gone.await.ok();
    }
}

struct Keeping {
    process: EmailProcess,
    events: Events,
    screen: Arc<Screen>,
    words: Sender<Word>,
    killing: bool,
}

/// How a process ended.
enum End {
    Asked,
    Killed,
    OfItself(String),
}

/// A process and the threads that read what it says.
struct Running {
    child: Child,
    readers: Vec<JoinHandle<()>>,
}

impl Keeping {
    fn keep(mut self, words: &Receiver<Word>) {
        let (mut start, mut life) = (Start::First, FIRST_LIFE);
        loop {
            let end = match self.run(start) {
                Ok(running) => self.watch(running, life, words),
                Err(error) => End::OfItself(format!("it cannot be started: {error}")),
            };
            let how = match end {
                End::Asked => return,
                End::Killed => "killed by `kill -9`".to_owned(),
                End::OfItself(how) if self.pause(words) => how,
                End::OfItself(_) => return,
            };
            let what = || Event::Crashed {
                agent: AGENT.into(),
                instance: "apart".into(),
                handler: "its process".into(),
                message: how.as_str().into(),
            };
            self.events.emit(EventKind::Crashed, what);
            tracing::warn!("the process of the email agent: {how}; it is started again");
            (start, life) = (Start::Again, LIFE);
        }
    }

    fn run(&self, start: Start) -> io::Result<Running> {
        let mut command = self.process.command()?;
        command.env(ROLE, start.word()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.screen.is_terminal() {
            command.env(BELOW_TABLE, "yes");
        }
        // Ctrl-C is for this process, which passes it on in its own way.
        let mut child = command.process_group(0).spawn()?;
        let (events, words, screen) = (self.events.clone(), self.words.clone(), self.screen.clone());
        let told = child.stdout.take().map(|told| thread::spawn(move || listen(told, &events, start, &words)));
        let said = child.stderr.take().map(|said| thread::spawn(move || log(said, &screen)));
        Ok(Running { child, readers: told.into_iter().chain(said).collect() })
    }

    /// Waits for the end of the process, and kills it when its time has come.
    fn watch(&mut self, mut running: Running, life: Duration, words: &Receiver<Word>) -> End {
        let mut death = None;
        loop {
            match words.recv_timeout(LOOK) {
                Ok(Word::Ready) => death = Some(Instant::now() + life),
                Ok(Word::Spare) => self.killing = false,
                Ok(Word::End) | Err(RecvTimeoutError::Disconnected) => {
                    running.end();
                    return End::Asked;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Ok(Some(status)) = running.child.try_wait() {
                running.join();
                return End::OfItself(how(status));
            }
            if self.killing && death.is_some_and(|death| Instant::now() >= death) {
                running.kill();
                return End::Killed;
            }
        }
    }

    /// Waits before another start; returns whether there shall be one.
    fn pause(&mut self, words: &Receiver<Word>) -> bool {
        let until = Instant::now() + PAUSE;
        loop {
            match words.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Word::Ready) => {}
                Ok(Word::Spare) => self.killing = false,
                Ok(Word::End) | Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => return true,
            }
        }
    }
}

impl Running {
    /// Its stdin ends, and so does it.
    fn end(mut self) {
        self.child.stdin.take();
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline && !matches!(self.child.try_wait(), Ok(Some(_))) {
            thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }

    fn kill(mut self) {
        // One that has ended already is killed in vain.
        self.child.kill().ok();
        self.child.wait().ok();
        self.join();
    }

    /// Everything it said was read.
    fn join(&mut self) {
        self.readers.drain(..).for_each(|reader| drop(reader.join()));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended by itself with exit code {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}

fn listen(told: impl Read, events: &Events, start: Start, words: &Sender<Word>) {
    for line in BufReader::new(told).lines().map_while(Result::ok) {
        // The last line of a process that is killed may be half a line.
        match serde_json::from_str(&line) {
            Ok(Line::Ready) => {
                words.send(Word::Ready).ok();
                if start == Start::Again {
                    Line::Restarted.emit(events);
                }
            }
            Ok(line) => line.emit(events),
            Err(_) => {}
        }
    }
}

fn log(said: impl Read, screen: &Screen) {
    for line in BufReader::new(said).lines().map_while(Result::ok) {
        screen.log(&format!("{line}\n"));
    }
}
