//! From the wall clock of a zone to instants.

use chrono::{DateTime, Datelike, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::calendar::Calendar;

/// More than any offset from UTC, and any jump of a clock, taken together.
const MARGIN: TimeDelta = TimeDelta::hours(50);

/// Near the ends of its range `chrono` panics when it adds an offset.
const YEARS: std::ops::Range<i32> = -200_000..200_000;

#[derive(Clone, Copy)]
enum Occurrence {
    First,
    Second,
}

/// The first instant after `after` whose wall time is on the calendar.
pub(super) fn next_after(calendar: &Calendar, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if !YEARS.contains(&after.year()) {
        return None;
    }
    let wall = after.with_timezone(&zone).naive_local();
    let first = search(calendar, zone, after, wall, Occurrence::First);
    if !calendar.every_hour {
        return first;
    }
    // A second occurrence can only be the next one while the clock is in the hour that comes twice: from any
    // instant before it, the first occurrence of the same time comes earlier.
    match zone.from_local_datetime(&wall) {
        MappedLocalTime::Ambiguous(earlier, later) => {
            let start = wall.checked_sub_signed(later.signed_duration_since(earlier))?;
            let second = search(calendar, zone, after, start, Occurrence::Second);
            first.into_iter().chain(second).min()
        }
        _ => first,
    }
}

/// Walks the calendar from a wall time until an instant lies after `after`. Ends soon: only the times of one
/// doubled hour can lie before it.
fn search(
    calendar: &Calendar,
    zone: Tz,
    after: DateTime<Utc>,
    mut wall: NaiveDateTime,
    occurrence: Occurrence,
) -> Option<DateTime<Utc>> {
    loop {
        wall = calendar.next_after(wall)?;
        let instant = instant(zone, wall, occurrence)?;
        if instant > after {
            return Some(instant);
        }
    }
}

fn instant(zone: Tz, wall: NaiveDateTime, occurrence: Occurrence) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&wall) {
        MappedLocalTime::Single(only) => Some(only.to_utc()),
        MappedLocalTime::Ambiguous(earlier, later) => Some(match occurrence {
            Occurrence::First => earlier.min(later).to_utc(),
            Occurrence::Second => earlier.max(later).to_utc(),
        }),
        MappedLocalTime::None => end_of_gap(zone, wall),
    }
}

/// The first instant whose wall time is past a time that the clock skipped.
fn end_of_gap(zone: Tz, skipped: NaiveDateTime) -> Option<DateTime<Utc>> {
    let mut low = skipped.and_utc().checked_sub_signed(MARGIN)?.timestamp();
    let mut high = skipped.and_utc().checked_add_signed(MARGIN)?.timestamp();
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if DateTime::from_timestamp(middle, 0)?.with_timezone(&zone).naive_local() > skipped {
            high = middle;
        } else {
            low = middle;
        }
    }
    DateTime::from_timestamp(high, 0)
}
