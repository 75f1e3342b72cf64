//! An expression on wall time, without a zone.
//!
//! The `cron` crate walks the calendar. It wants a field of seconds, counts weekdays from 1 for Sunday, and
//! asks for the day *and* the weekday; so the fields are translated, and an expression with both restricted
//! becomes two schedules. It also ends with the year 2100: therefore each year is looked up in one that has the
//! same days on the same weekdays.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};
use cron::Schedule;

use super::field::{DAY, Field, HOUR, MINUTE, MONTH, Unit, WEEKDAY};

const ALIASES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// In 28 years in a row that have no exception at a century, every kind of year occurs.
const MODEL_YEARS: std::ops::Range<i32> = 1972..2000;
/// After 400 years the calendar repeats itself.
const CYCLE: i32 = 400;

/// The times of an expression on the wall clock.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    schedules: Vec<Schedule>,
    /// The hour begins with `*`, so that a time which comes twice fires twice.
    pub(super) every_hour: bool,
}

impl Calendar {
    pub(super) fn parse(expression: &str) -> Result<Self, String> {
        let [minute, hour, day, month, weekday] = fields(expression)?;
        let every_hour = hour.star;
        let schedule = |day: &str, weekday: &str| {
            let text =
                format!("0 {} {} {day} {} {weekday}", list(&minute, &MINUTE), list(&hour, &HOUR), list(&month, &MONTH));
            text.parse::<Schedule>().map_err(|error| format!("is not understood: {error}"))
        };
        let (days, weekdays) = (list(&day, &DAY), quartz_weekdays(&weekday));
        let schedules = if day.star || weekday.star {
            vec![schedule(&days, &weekdays)?]
        } else {
            vec![schedule(&days, "*")?, schedule("*", &weekdays)?]
        };
        let calendar = Self { schedules, every_hour };
        if calendar.fires() {
            Ok(calendar)
        } else {
            Err("is a date that never comes: correct the day or the month".to_owned())
        }
    }

    /// Whether any kind of year has a time of it.
    fn fires(&self) -> bool {
        before(MODEL_YEARS.start)
            .and_then(|start| self.search(start))
            .is_some_and(|found| MODEL_YEARS.contains(&found.year()))
    }

    /// The first time after `after`, on the wall clock.
    pub(super) fn next_after(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        for year in after.year()..=after.year().saturating_add(CYCLE) {
            let model = model_of(year)?;
            let start = if year == after.year() { after.with_year(model)? } else { before(model)? };
            if let Some(found) = self.search(start).filter(|found| found.year() == model) {
                return found.with_year(year);
            }
        }
        None
    }

    fn search(&self, start: NaiveDateTime) -> Option<NaiveDateTime> {
        let start: DateTime<Utc> = start.and_utc();
        self.schedules.iter().filter_map(|schedule| schedule.after(&start).next()).min().map(|found| found.naive_utc())
    }
}

fn fields(expression: &str) -> Result<[Field; 5], String> {
    let trimmed = expression.trim();
    let text = if trimmed.starts_with('@') {
        let alias = ALIASES.into_iter().find(|(alias, _)| *alias == trimmed);
        alias.map(|(_, text)| text).ok_or_else(|| {
            let known: Vec<_> = ALIASES.into_iter().map(|(alias, _)| alias).collect();
            format!("is an unknown alias, one of {}", known.join(", "))
        })?
    } else {
        trimmed
    };
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [minute, hour, day, month, weekday] = words[..] else {
        let hint = if words.len() > 5 { "; there are no seconds and no years" } else { "" };
        return Err(format!("has {} fields: write five, minute hour day month weekday{hint}", words.len()));
    };
    Ok([
        Field::parse(minute, &MINUTE)?,
        Field::parse(hour, &HOUR)?,
        Field::parse(day, &DAY)?,
        Field::parse(month, &MONTH)?,
        Field::parse(weekday, &WEEKDAY)?,
    ])
}

fn list(field: &Field, unit: &Unit) -> String {
    if (unit.lowest..=unit.end).all(|value| field.values.contains(&value)) {
        return "*".to_owned();
    }
    join(field.values.iter().copied())
}

/// Sunday is 1; 0 and 7 become one.
fn quartz_weekdays(field: &Field) -> String {
    let days: BTreeSet<u32> = field.values.iter().map(|day| day % 7 + 1).collect();
    join(days.into_iter())
}

fn join(values: impl Iterator<Item = u32>) -> String {
    values.map(|value| value.to_string()).collect::<Vec<_>>().join(",")
}

/// A year of [`MODEL_YEARS`] with the same days on the same weekdays.
fn model_of(year: i32) -> Option<i32> {
    let kind = |year| NaiveDate::from_ymd_opt(year, 1, 1).map(|first| (first.leap_year(), first.weekday()));
    let wanted = kind(year)?;
    MODEL_YEARS.into_iter().find(|model| kind(*model) == Some(wanted))
}

/// The last second before a year.
fn before(year: i32) -> Option<NaiveDateTime> {
    NaiveDate::from_ymd_opt(year - 1, 12, 31)?.and_hms_opt(23, 59, 59)
}
