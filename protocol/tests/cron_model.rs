//! `next_after` against a model that asks, minute by minute, whether an instant is a fire time.

use chrono::{DateTime, Datelike, MappedLocalTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use formicary_protocol::Cron;
use proptest::prelude::*;

/// Whether a field of numbers, ranges and steps (no names) holds a value. Written apart from the parser under test.
fn holds(field: &str, value: u32, lowest: u32) -> bool {
    field.split(',').any(|part| {
        let (range, step) =
            part.split_once('/').map_or((part, 1), |(range, step)| (range, step.parse().expect("step")));
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (first.parse().expect("first"), last.parse().expect("last")),
            None if range == "*" => (lowest, u32::MAX),
            None => {
                let only: u32 = range.parse().expect("value");
                (only, if part.contains('/') { u32::MAX } else { only })
            }
        };
        (first..=last).contains(&value) && (value - first).is_multiple_of(step)
    })
}

fn on_calendar(fields: &[String; 5], wall: chrono::NaiveDateTime) -> bool {
    let [minute, hour, day, month, weekday] = fields;
    let day_holds = holds(day, wall.day(), 1);
    let weekday_holds = holds(weekday, wall.weekday().num_days_from_sunday(), 0);
    let days = if day.starts_with('*') || weekday.starts_with('*') {
        day_holds && weekday_holds
    } else {
        day_holds || weekday_holds
    };
    holds(minute, wall.minute(), 0) && holds(hour, wall.hour(), 0) && holds(month, wall.month(), 1) && days
}

/// Whether it fires at this instant: by its own wall time, or by one that the clock skipped just before.
fn fires(fields: &[String; 5], zone: Tz, instant: DateTime<Utc>) -> bool {
    let wall = instant.with_timezone(&zone).naive_local();
    let mut skipped = wall - TimeDelta::minutes(1);
    while matches!(zone.from_local_datetime(&skipped), MappedLocalTime::None) {
        if on_calendar(fields, skipped) {
            return true;
        }
        skipped -= TimeDelta::minutes(1);
    }
    let second = matches!(zone.from_local_datetime(&wall), MappedLocalTime::Ambiguous(_, later) if later == instant);
    on_calendar(fields, wall) && (!second || fields[1].starts_with('*'))
}

fn field(lowest: u32, highest: u32) -> impl Strategy<Value = String> {
    let value = lowest..=highest;
    let part = prop_oneof![
        value.clone().prop_map(|v| v.to_string()),
        (value.clone(), value.clone()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        (value.clone(), 1..=7_u32).prop_map(|(a, step)| format!("{a}/{step}")),
        (value.clone(), value, 1..=7_u32).prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
    ];
    prop_oneof![
        2 => Just("*".to_owned()),
        1 => (1..=5_u32).prop_map(|step| format!("*/{step}")),
        3 => prop::collection::vec(part, 1..4).prop_map(|parts| parts.join(",")),
    ]
}

fn expression() -> impl Strategy<Value = [String; 5]> {
    [
        field(0, 59).boxed(),
        field(0, 23).boxed(),
        field(1, 28).boxed(),
        Just("*".to_owned()).boxed(),
        field(0, 6).boxed(),
    ]
}

/// Instants near which the clocks of [`ZONES`] jump, and one where nothing happens.
const STARTS: [&str; 8] = [
    "2026-03-28T20:00:00Z",
    "2026-10-24T20:00:00Z",
    "2026-03-08T02:00:00Z",
    "2026-11-01T02:00:00Z",
    "2026-04-04T10:00:00Z",
    "2026-10-03T10:00:00Z",
    "2028-02-28T12:00:00Z",
    "2027-12-31T12:00:00Z",
];
const ZONES: [Tz; 4] = [Tz::UTC, Tz::Europe__Berlin, Tz::America__New_York, Tz::Australia__Lord_Howe];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_next_time_is_the_model_s(fields in expression(), start in 0..STARTS.len(), zone in 0..ZONES.len(), offset in 0..600_i64) {
        let zone = ZONES[zone];
        let start: DateTime<Utc> = STARTS[start].parse().expect("an instant");
        let after = start + TimeDelta::minutes(offset) - TimeDelta::milliseconds(offset % 3);
        let next = Cron::parse(&fields.join(" "), zone).expect("valid").next_after(after).expect("it fires");
        prop_assert!(next > after);
        prop_assert!(fires(&fields, zone, next), "{} is no fire time of {:?}", next, fields);

        let mut minute = start - TimeDelta::minutes(5);
        let end = next.min(after + TimeDelta::days(3));
        while minute < end {
            prop_assert!(minute <= after || !fires(&fields, zone, minute), "{} left out of {:?}", minute, fields);
            minute += TimeDelta::minutes(1);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-0-9*/,@? A-Za-z]{0,24}|.{0,24}") {
        if let Ok(cron) = Cron::parse(&text, Tz::UTC) {
            prop_assert!(cron.next_after(DateTime::UNIX_EPOCH).is_some());
        }
    }

    #[test]
    fn any_instant_is_answered(seconds in any::<i64>()) {
        if let Some(after) = DateTime::from_timestamp(seconds % 8_210_266_876_800, 0) {
            let cron = Cron::parse("0 0 29 2 *", Tz::Europe__Berlin).expect("valid");
            prop_assert!(cron.next_after(after).is_none_or(|next| next > after));
        }
    }
}

#[test]
fn the_ends_of_time_do_not_panic() {
    for zone in ZONES {
        let cron = Cron::parse("* * * * *", zone).expect("valid");
        assert_eq!(cron.next_after(DateTime::<Utc>::MAX_UTC), None);
        assert_eq!(cron.next_after(DateTime::<Utc>::MIN_UTC), None);
    }
}
