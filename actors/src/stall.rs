//! The stall watch: finds a handler that holds its arbiter.
//!
//! Everything of the user's is polled between [`Beat::enter`] and the drop of its guard. One thread for the whole process
//! looks at all beats every 25 ms, real time, and reports a poll that goes on for more than 100 ms: also one that never
//! ends. A poll that was over before the thread looked is reported by its guard.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::events::{Event, EventKind, Events};

/// How long an arbiter may stand still before that is reported.
const LIMIT: Duration = Duration::from_millis(100);
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The beats of one group, one for each of its arbiters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beats(Arc<Mutex<Vec<Arc<Beat>>>>);

/// What one arbiter runs now.
#[derive(Debug)]
pub(crate) struct Beat {
    thread: ThreadId,
    arbiter: Arc<str>,
    /// The poll that goes on, from 1 and always another, in the upper half; who is polled in the lower, 0 for nobody.
    now: AtomicU64,
    /// When it began, in milliseconds since the process did.
    since: AtomicU64,
    /// The poll that was reported last.
    reported: AtomicU64,
    names: Mutex<Names>,
    events: Events,
}

#[derive(Debug, Default)]
struct Names {
    all: Vec<Option<Name>>,
    free: Vec<u32>,
}

#[derive(Debug, Clone)]
struct Name {
    agent: Arc<str>,
    handler: Arc<str>,
}

/// A handler that a beat knows by a number.
#[derive(Debug)]
pub(crate) struct Watched {
    beat: Arc<Beat>,
    number: u32,
}

/// A poll, until it is dropped.
pub(crate) struct Poll<'a> {
    beat: &'a Beat,
    before: u64,
    began: Instant,
    ticks: u64,
}

static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
/// What the watching thread saw on the clock when it looked last, in milliseconds.
static TICKS: AtomicU64 = AtomicU64::new(0);
static WATCHING: AtomicBool = AtomicBool::new(false);
static ALL: Mutex<Vec<Weak<Beat>>> = Mutex::new(Vec::new());

impl Beats {
    /// The beat of this thread's arbiter.
    pub(crate) fn of_this_arbiter(&self, events: &Events) -> Arc<Beat> {
        let id = thread::current().id();
        let mut beats = lock(&self.0);
        if let Some(beat) = beats.iter().find(|beat| beat.thread == id) {
            return beat.clone();
        }
        let beat = Arc::new(Beat {
            thread: id,
            arbiter: thread::current().name().unwrap_or("unnamed").into(),
            now: AtomicU64::new(0),
            since: AtomicU64::new(0),
            reported: AtomicU64::new(0),
            names: Mutex::default(),
            events: events.clone(),
        });
        beats.push(beat.clone());
        watch(&beat);
        beat
    }
}

impl Beat {
    /// Makes a handler known.
    pub(crate) fn watched(self: &Arc<Self>, agent: &Arc<str>, handler: &Arc<str>) -> Watched {
        let name = Some(Name { agent: agent.clone(), handler: handler.clone() });
        let mut names = lock(&self.names);
        let number = match names.free.pop() {
            Some(number) => {
                names.all[number as usize - 1] = name;
                number
            }
            None => {
                names.all.push(name);
                u32::try_from(names.all.len()).unwrap_or(u32::MAX)
            }
        };
        Watched { beat: self.clone(), number }
    }

    fn tell(&self, poll: u64, number: u64, took: Duration) {
        // Only one of the two that may see it reports it.
        if self.reported.swap(poll, Ordering::AcqRel) == poll {
            return;
        }
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(Name { agent, handler }) = lock(&self.names).all.get(at.wrapping_sub(1)).cloned().flatten() else {
            return;
        };
        if let Some(times) = self.events.line_due("stalled", &format!("{agent}.{handler}")) {
            tracing::warn!(
                %agent, %handler, arbiter = %self.arbiter, times,
                "the handler has held its arbiter for {} ms, and nothing else on it ran meanwhile: make it `blocking`, or \
                 await between the parts of its work",
                took.as_millis()
            );
        }
        let arbiter = self.arbiter.clone();
        self.events.emit(EventKind::Stalled, || Event::Stalled { agent, handler, arbiter, took });
    }
}

impl Watched {
    /// From now on the arbiter runs this handler.
    pub(crate) fn enter(&self) -> Poll<'_> {
        let began = Instant::now();
        let beat = &*self.beat;
        let before = beat.now.load(Ordering::Relaxed);
        beat.since.store(millis(began), Ordering::Relaxed);
        beat.now.store(((before >> 32) + 1) << 32 | u64::from(self.number), Ordering::Release);
        Poll { beat, before, began, ticks: TICKS.load(Ordering::Relaxed) }
    }
}

/// A future whose polls are seen.
pub(crate) async fn seen<T>(watched: Watched, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _poll = watched.enter();
        future.as_mut().poll(context)
    })
    .await
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut names = lock(&self.beat.names);
        names.all[self.number as usize - 1] = None;
        names.free.push(self.number);
    }
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        let now = self.beat.now.load(Ordering::Relaxed);
        // Whoever polled this one goes on, as a poll of its own.
        let outer = self.before & u64::from(u32::MAX);
        self.beat.now.store(((now >> 32) + 1) << 32 | outer, Ordering::Release);
        // The clock is asked only when enough has passed for the thread to have looked.
        if TICKS.load(Ordering::Relaxed).saturating_sub(self.ticks) >= 75 {
            let took = self.began.elapsed();
            if took > LIMIT {
                self.beat.tell(now >> 32, now & u64::from(u32::MAX), took);
            }
        }
    }
}

fn watch(beat: &Arc<Beat>) {
    let mut all = lock(&ALL);
    all.push(Arc::downgrade(beat));
    if !WATCHING.swap(true, Ordering::AcqRel) {
        TICKS.store(millis(Instant::now()), Ordering::Relaxed);
        let begun = thread::Builder::new().name("formicary-stalls".to_owned()).spawn(look_until_nobody_is_left);
        if let Err(error) = begun {
            WATCHING.store(false, Ordering::Release);
            tracing::error!("no thread for the stall watch, so handlers that hold their arbiter go unseen: {error}");
        }
    }
}

fn look_until_nobody_is_left() {
    loop {
        thread::sleep(LOOK_EVERY);
        let now = millis(Instant::now());
        TICKS.store(now, Ordering::Relaxed);
        let beats: Vec<_> = {
            let mut all = lock(&ALL);
            all.retain(|beat| beat.strong_count() > 0);
            if all.is_empty() {
                WATCHING.store(false, Ordering::Release);
                return;
            }
            all.iter().filter_map(Weak::upgrade).collect()
        };
        for beat in beats {
            let poll = beat.now.load(Ordering::Acquire);
            let took = Duration::from_millis(now.saturating_sub(beat.since.load(Ordering::Relaxed)));
            // Only if the time belongs to this poll.
            let same = beat.now.load(Ordering::Acquire) == poll;
            if same && poll & u64::from(u32::MAX) != 0 && took > LIMIT {
                beat.tell(poll >> 32, poll & u64::from(u32::MAX), took);
            }
        }
    }
}

fn millis(at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(*BEGUN).as_millis()).unwrap_or(u64::MAX)
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
