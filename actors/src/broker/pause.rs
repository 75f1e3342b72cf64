use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(50);

/// The wait after something went wrong, which doubles while it goes on going wrong.
#[derive(Default)]
pub(crate) struct Pause(Option<(Instant, Duration)>);

impl Pause {
    /// No wait is longer.
    pub(crate) const MOST: Duration = Duration::from_secs(1);

    pub(crate) fn lengthen(&mut self) {
        let length = self.0.map_or(FIRST, |(_, length)| (length * 2).min(Self::MOST));
        self.0 = Some((Instant::now() + length, length));
    }

    /// When it ends, if it has not.
    pub(crate) fn end(&self) -> Option<Instant> {
        self.0.map(|(end, _)| end).filter(|end| *end > Instant::now())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.end().is_none()
    }
}
