use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(50);
const MOST: Duration = Duration::from_secs(1);

/// The wait after something went wrong, which doubles while it goes on going wrong.
#[derive(Default)]
pub(super) struct Pause(Option<(Instant, Duration)>);

impl Pause {
    pub(super) fn lengthen(&mut self) {
        let length = self.0.map_or(FIRST, |(_, length)| (length * 2).min(MOST));
        self.0 = Some((Instant::now() + length, length));
    }

    /// When it ends, if it has not.
    pub(super) fn end(&self) -> Option<Instant> {
        self.0.map(|(end, _)| end).filter(|end| *end > Instant::now())
    }

    pub(super) fn is_over(&self) -> bool {
        self.end().is_none()
    }
}
