use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The one source of chance in a group: ids and jitter. With a seed, a run can be repeated.
#[derive(Debug, Clone)]
pub struct Ids(Arc<Mutex<fastrand::Rng>>);

impl Ids {
    /// A generator that starts from the system's randomness.
    pub fn random() -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::new())))
    }

    /// A generator that gives the same ids and jitter in each run.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    /// A new id: 32 hexadecimal digits of a random UUID, as Python's `uuid4().hex`.
    pub fn id(&self) -> Arc<str> {
        let mut buffer = [0; 32];
        let bits = self.with(|rng| rng.u128(..));
        let id = uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid();
        Arc::from(&*id.simple().encode_lower(&mut buffer))
    }

    /// A random part of `whole`, from `least` (0 to 1) of it up to all of it.
    pub fn jitter(&self, whole: Duration, least: f64) -> Duration {
        let part = least + (1.0 - least) * self.with(|rng| rng.f64());
        // A `least` that is no number means no jitter, and a wait of centuries would overflow.
        let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 1.0 };
        whole.min(Duration::from_secs(u64::from(u32::MAX))).mul_f64(part)
    }

    /// A random number from 0 up to and without `end`; 0 when `end` is 0.
    pub fn below(&self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.with(|rng| rng.u64(..end)) }
    }

    fn with<T>(&self, f: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::random()
    }
}
