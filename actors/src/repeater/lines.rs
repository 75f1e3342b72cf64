use std::time::Duration;

use tokio::time::Instant;

/// Which failures are worth a line: the first of a row of equal ones, then one a minute; and no more than ten lines a
/// minute, whatever the errors say.
#[derive(Debug, Default)]
pub(super) struct Lines {
    said: Option<Said>,
    /// Failures since the last line.
    unsaid: u64,
    /// Failures since it last worked.
    row: u64,
    /// When the minute began in which the lines are counted, and how many there were.
    minute: Option<(Instant, u32)>,
}

#[derive(Debug)]
struct Said {
    text: String,
    at: Instant,
}

const EVERY: Duration = Duration::from_secs(60);
const MOST: u32 = 10;

impl Lines {
    /// `Some(n)` when a line is due, where `n` counts the failures since the last one, this one included.
    pub(super) fn failed(&mut self, text: &str) -> Option<u64> {
        self.unsaid += 1;
        self.row += 1;
        let due = self.said.as_ref().is_none_or(|said| said.text != text || said.at.elapsed() >= EVERY);
        if !due || !self.may_say() {
            return None;
        }
        self.said = Some(Said { text: text.to_owned(), at: Instant::now() });
        Some(std::mem::take(&mut self.unsaid))
    }

    /// `Some(n)` when it works again after a failure that had a line, where `n` counts the failures in between.
    pub(super) fn works(&mut self) -> Option<u64> {
        let row = std::mem::take(&mut self.row);
        self.said.take().filter(|_| self.may_say()).map(|_| row)
    }

    fn may_say(&mut self) -> bool {
        let now = Instant::now();
        let (since, lines) = self.minute.filter(|(since, _)| now - *since < EVERY).unwrap_or((now, 0));
        self.minute = Some((since, (lines + 1).min(MOST)));
        lines < MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn of_equal_errors_the_first_has_a_line_then_one_a_minute_then_the_end() {
        let mut lines = Lines::default();
        assert_eq!(lines.works(), None, "nothing was wrong");
        assert_eq!([lines.failed("a"), lines.failed("a"), lines.failed("b")], [Some(1), None, Some(2)]);
        pass(59).await;
        assert_eq!(lines.failed("b"), None);
        pass(1).await;
        assert_eq!(lines.failed("b"), Some(2));
        assert_eq!([lines.works(), lines.works()], [Some(5), None]);
        assert_eq!(lines.failed("b"), Some(1), "a new row");
    }

    #[tokio::test(start_paused = true)]
    async fn errors_that_all_differ_have_ten_lines_a_minute() {
        let mut lines = Lines::default();
        let said: u64 = (0..100).filter_map(|n| lines.failed(&n.to_string())).sum();
        assert_eq!(said, 10);
        pass(60).await;
        assert_eq!(lines.failed("100"), Some(91), "none is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_comes_and_goes_has_ten_lines_a_minute() {
        let mut lines = Lines::default();
        let said = (0..100).filter(|_| lines.failed("a").is_some() | lines.works().is_some()).count();
        assert_eq!(said, 5, "one line of failure and one of success each");
    }
}
