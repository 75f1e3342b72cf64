//! When a cron timer fires.
//!
//! Five fields: minute (0–59), hour (0–23), day of the month (1–31), month (1–12 or `JAN`–`DEC`), weekday (0–7
//! or `SUN`–`SAT`; 0 and 7 are Sunday). A field is a list of `*`, `n`, `a-b`, each with an optional step:
//! `*/n`, `a-b/n`, and `n/step`, which runs from `n` to the field's end. `@hourly`, `@daily`, `@midnight`,
//! `@weekly`, `@monthly`, `@yearly` and `@annually` are understood.
//!
//! When both day and weekday are restricted, either suffices. A field that begins with `*` does not count as
//! restricted: `*/2` there still has to hold.
//!
//! Expressions run on wall time in their zone. A time that the clock skips fires at the first instant after the
//! gap. One that comes twice fires once, at the first, unless the hour begins with `*`: then it fires at both.

mod calendar;
mod field;
mod zone;

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::Error;
use crate::text::{MAX_QUOTED, shorten};
use calendar::Calendar;

/// A cron expression in its time zone, known to fire some day.
///
/// ```
/// use chrono::{DateTime, Utc};
/// use formicary_protocol::Cron;
///
/// let cron = Cron::parse_in("0 */4 * * *", "Europe/Berlin")?;
/// let now: DateTime<Utc> = "2026-01-01T00:30:00Z".parse().unwrap_or_default();
/// assert_eq!(cron.next_after(now).map(|next| next.to_rfc3339()).as_deref(), Some("2026-01-01T03:00:00+00:00"));
/// assert!(Cron::parse_in("0 0 30 2 *", "UTC").is_err());
/// # Ok::<(), formicary_protocol::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cron {
    expression: String,
    zone: Tz,
    calendar: Calendar,
}

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// [`Error::Cron`] when it is malformed, out of range, or a date that never comes, such as `0 0 30 2 *`.
    pub fn parse(expression: &str, zone: Tz) -> Result<Self, Error> {
        match Calendar::parse(expression) {
            Ok(calendar) => Ok(Self { expression: expression.trim().to_owned(), zone, calendar }),
            Err(problem) => Err(refuse(expression, problem)),
        }
    }

    /// Reads an expression in a zone given by its IANA name, such as `Europe/Berlin`.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and [`Error::Cron`] when there is no such zone.
    pub fn parse_in(expression: &str, zone_name: &str) -> Result<Self, Error> {
        match zone_name.parse() {
            Ok(zone) => Self::parse(expression, zone),
            Err(_) => {
                let zone = shorten(zone_name, MAX_QUOTED);
                Err(refuse(
                    expression,
                    format!("names the unknown time zone {zone:?}: write an IANA name such as Europe/Berlin"),
                ))
            }
        }
    }

    /// The first instant after `after` at which it fires; `None` only beyond 200,000 years from now.
    #[must_use]
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        zone::next_after(&self.calendar, self.zone, after)
    }

    /// The expression as given.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The zone.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.zone
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression && self.zone == other.zone
    }
}

impl Eq for Cron {}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.expression, self.zone)
    }
}

fn refuse(expression: &str, problem: String) -> Error {
    Error::Cron { expression: shorten(expression, MAX_QUOTED), problem }
}
