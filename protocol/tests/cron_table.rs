//! Known fire times: an expression, an instant, and the instants that follow it, all in UTC.

use chrono::{DateTime, Utc};
use formicary_protocol::Cron;

/// `2026-01-01T00:00`, with seconds where they matter.
fn instant(text: &str) -> DateTime<Utc> {
    let seconds = if text.len() == "2026-01-01T00:00".len() { ":00Z" } else { "Z" };
    format!("{text}{seconds}").parse().expect("an instant")
}

/// Holds each row of a table, `expression | after | the times that follow`; lines with `#` are comments.
fn hold(zone: &str, table: &str) {
    let rows = table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for row in rows {
        let [expression, after, expected] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let cron = Cron::parse_in(expression, zone).expect("an expression");
        let mut now = instant(after.trim());
        for time in expected.split_whitespace() {
            now = cron.next_after(now).expect("it fires");
            assert_eq!(now, instant(time), "{row} in {zone}");
        }
    }
}

#[test]
fn fields_names_steps_and_lists() {
    // 2026-01-01 is a Thursday.
    hold(
        "UTC",
        "
        * * * * *            | 2026-01-01T00:00        | 2026-01-01T00:01 2026-01-01T00:02
        * * * * *            | 2026-01-01T00:00:00.001 | 2026-01-01T00:01
        * * * * *            | 2025-12-31T23:59:59.999 | 2026-01-01T00:00
        */15 * * * *         | 2026-01-01T00:50        | 2026-01-01T01:00 2026-01-01T01:15
        1-59/2 * * * *       | 2026-01-01T00:58        | 2026-01-01T00:59 2026-01-01T01:01
        50/3 * * * *         | 2026-01-01T00:55        | 2026-01-01T00:56 2026-01-01T00:59 2026-01-01T01:50
        0,30-32,59 12 * * *  | 2026-01-01T12:00        | 2026-01-01T12:30 2026-01-01T12:31 2026-01-01T12:32 2026-01-01T12:59 2026-01-02T12:00
        0 */4 * * *          | 2026-01-01T21:00        | 2026-01-02T00:00 2026-01-02T04:00
        0 9-17/4 * * *       | 2026-01-01T00:00        | 2026-01-01T09:00 2026-01-01T13:00 2026-01-01T17:00 2026-01-02T09:00
        0 0 * * MON          | 2026-01-01T00:00        | 2026-01-05T00:00 2026-01-12T00:00
        0 0 * * 0            | 2026-01-01T00:00        | 2026-01-04T00:00 2026-01-11T00:00
        0 0 * * 7            | 2026-01-01T00:00        | 2026-01-04T00:00 2026-01-11T00:00
        0 0 * * sun          | 2026-01-01T00:00        | 2026-01-04T00:00
        0 8 * * MON-FRI      | 2026-01-02T08:00        | 2026-01-05T08:00 2026-01-06T08:00
        0 8 * * FRI-SUN      | 2026-01-02T08:00        | 2026-01-03T08:00 2026-01-04T08:00 2026-01-09T08:00
        0 8 * * 5-7          | 2026-01-02T08:00        | 2026-01-03T08:00 2026-01-04T08:00 2026-01-09T08:00
        0 8 * * 1/2          | 2026-01-02T08:00        | 2026-01-05T08:00 2026-01-07T08:00 2026-01-09T08:00
        0 0 1 JAN,jul *      | 2026-01-01T00:00        | 2026-07-01T00:00 2027-01-01T00:00
        0 0 1 FEB-APR *      | 2026-03-15T00:00        | 2026-04-01T00:00 2027-02-01T00:00
        0 0 31 * *           | 2026-01-31T00:00        | 2026-03-31T00:00 2026-05-31T00:00 2026-07-31T00:00 2026-08-31T00:00
        0 0 31 2,4 5         | 2026-01-31T00:00        | 2026-02-06T00:00 2026-02-13T00:00
        ",
    );
}

#[test]
fn aliases() {
    hold(
        "UTC",
        "
        @hourly              | 2026-01-01T00:30        | 2026-01-01T01:00 2026-01-01T02:00
        @daily               | 2026-01-01T00:00        | 2026-01-02T00:00
        @midnight            | 2026-01-01T00:00        | 2026-01-02T00:00
        @weekly              | 2026-01-01T00:00        | 2026-01-04T00:00
        @monthly             | 2026-01-01T00:00        | 2026-02-01T00:00
        @yearly              | 2026-01-01T00:00        | 2027-01-01T00:00
        @annually            | 2026-06-01T00:00        | 2027-01-01T00:00
        ",
    );
}

#[test]
fn day_or_weekday() {
    // 2026-02-13 and 2026-03-13 are Fridays.
    hold(
        "UTC",
        "
        0 0 13 * FRI         | 2026-02-01T00:00        | 2026-02-06T00:00 2026-02-13T00:00 2026-02-20T00:00 2026-02-27T00:00 2026-03-06T00:00
        0 0 15 * MON         | 2026-01-12T00:00        | 2026-01-15T00:00 2026-01-19T00:00
        # A field that begins with `*` is not restricted: both have to hold.
        0 0 */2 * MON        | 2026-01-01T00:00        | 2026-01-05T00:00 2026-01-19T00:00 2026-02-09T00:00
        0 0 13 * */5         | 2026-01-01T00:00        | 2026-02-13T00:00 2026-03-13T00:00 2026-09-13T00:00
        ",
    );
}

#[test]
fn leap_days() {
    hold(
        "UTC",
        "
        0 0 29 2 *           | 2026-01-01T00:00        | 2028-02-29T00:00 2032-02-29T00:00
        0 0 29 2 *           | 2096-02-29T00:00        | 2104-02-29T00:00 2108-02-29T00:00
        0 0 29 2 *           | 1896-02-29T00:00        | 1904-02-29T00:00
        # A leap day on a Saturday or Sunday, over the century without one.
        0 0 29 2 */6         | 2088-01-01T00:00        | 2088-02-29T00:00 2116-02-29T00:00 2128-02-29T00:00
        59 23 28 2 *         | 2027-02-28T23:59        | 2028-02-28T23:59
        0 12 31 12 *         | 2100-06-01T00:00        | 2100-12-31T12:00 2101-12-31T12:00
        0 0 1 1 *            | 2399-12-31T23:59:59     | 2400-01-01T00:00 2401-01-01T00:00
        ",
    );
}

#[test]
fn berlin() {
    // 2026-03-29 02:00 becomes 03:00 (01:00 UTC); 2026-10-25 03:00 becomes 02:00 (01:00 UTC).
    hold(
        "Europe/Berlin",
        "
        0 */4 * * *          | 2026-01-01T00:30        | 2026-01-01T03:00 2026-01-01T07:00
        0 12 * * *           | 2026-03-28T00:00        | 2026-03-28T11:00 2026-03-29T10:00
        30 2 * * *           | 2026-03-28T12:00        | 2026-03-29T01:00 2026-03-30T00:30
        0 2 * * *            | 2026-03-28T12:00        | 2026-03-29T01:00 2026-03-30T00:00
        # Several skipped times are one, and one with the hour after the gap.
        */10 2 * * *         | 2026-03-28T12:00        | 2026-03-29T01:00 2026-03-30T00:00
        0 2,3 * * *          | 2026-03-28T12:00        | 2026-03-29T01:00 2026-03-30T00:00 2026-03-30T01:00
        */30 * * * *         | 2026-03-29T00:00        | 2026-03-29T00:30 2026-03-29T01:00 2026-03-29T01:30
        30 2 * * *           | 2026-10-24T12:00        | 2026-10-25T00:30 2026-10-26T01:30
        0,30 2 * * *         | 2026-10-24T12:00        | 2026-10-25T00:00 2026-10-25T00:30 2026-10-26T01:00
        30 2 * * *           | 2026-10-25T01:10        | 2026-10-26T01:30
        30 2,3 * * *         | 2026-10-25T01:10        | 2026-10-25T02:30
        30 * * * *           | 2026-10-24T23:45        | 2026-10-25T00:30 2026-10-25T01:30 2026-10-25T02:30
        30 */2 * * *         | 2026-10-24T23:45        | 2026-10-25T00:30 2026-10-25T01:30 2026-10-25T03:30
        */20 * * * *         | 2026-10-25T00:30        | 2026-10-25T00:40 2026-10-25T01:00 2026-10-25T01:20 2026-10-25T01:40 2026-10-25T02:00
        30 0-23 * * *        | 2026-10-24T23:45        | 2026-10-25T00:30 2026-10-25T02:30
        ",
    );
}

#[test]
fn new_york() {
    // 2026-03-08 02:00 becomes 03:00 (07:00 UTC); 2026-11-01 02:00 becomes 01:00 (06:00 UTC).
    hold(
        "America/New_York",
        "
        30 2 8 3 *           | 2026-03-01T00:00        | 2026-03-08T07:00 2027-03-08T07:30
        30 1 * * SUN         | 2026-10-31T00:00        | 2026-11-01T05:30 2026-11-08T06:30
        15 * * * *           | 2026-11-01T04:50        | 2026-11-01T05:15 2026-11-01T06:15 2026-11-01T07:15
        0 9 * * MON-FRI      | 2026-03-06T15:00        | 2026-03-09T13:00
        ",
    );
}

#[test]
fn lord_howe() {
    // Half an hour: 2026-04-05 02:00 becomes 01:30 (15:00 UTC of the 4th); 2026-10-04 02:00 becomes 02:30
    // (15:30 UTC of the 3rd).
    hold(
        "Australia/Lord_Howe",
        "
        15 2 * * *           | 2026-10-03T00:00        | 2026-10-03T15:30 2026-10-04T15:15
        45 1 * * *           | 2026-04-04T00:00        | 2026-04-04T14:45 2026-04-05T15:15
        45 * * * *           | 2026-04-04T14:00        | 2026-04-04T14:45 2026-04-04T15:15 2026-04-04T16:15
        0 2 * * *            | 2026-04-04T00:00        | 2026-04-04T15:30
        ",
    );
}

#[test]
fn a_day_that_a_zone_left_out() {
    // Samoa had no 30 December 2011: after the 29th, at 10:00 UTC of the 30th, came the 31st.
    hold(
        "Pacific/Apia",
        "
        0 12 30 12 *         | 2011-12-29T00:00        | 2011-12-30T10:00 2012-12-29T22:00
        ",
    );
}

#[test]
fn refusals() {
    let cases = [
        ("0 0 30 2 *", "is a date that never comes"),
        ("0 0 31 4,6,9,11 *", "is a date that never comes"),
        ("0 0 31 FEB */2", "is a date that never comes"),
        ("", "has 0 fields"),
        ("* * * *", "has 4 fields"),
        ("0 * * * * *", "there are no seconds"),
        ("60 * * * *", "it takes numbers from 0 to 59"),
        ("* 24 * * *", "it takes numbers from 0 to 23"),
        ("* * 0 * *", "it takes numbers from 1 to 31"),
        ("* * 32 * *", "it takes numbers from 1 to 31"),
        ("* * * 13 *", "and names from JAN to DEC"),
        ("* * * FEBR *", "and names from JAN to DEC"),
        ("* * * * 8", "and names from SUN to SAT"),
        ("*/0 * * * *", "a step is a number from 1 to 59"),
        ("* * ? * *", "it takes numbers"),
        ("* * L * *", "it takes numbers"),
        ("@reboot", "is an unknown alias, one of @hourly"),
        ("FRI-MON * * * *", "it takes numbers"),
        ("* * * * FRI-MON", "runs backwards"),
    ];
    for (expression, expected) in cases {
        let error = Cron::parse_in(expression, "UTC").expect_err(expression).to_string();
        assert!(error.contains(expected), "{expression}: {error}");
    }
    let error = Cron::parse_in("* * * * *", "Europe/Brelin").expect_err("no such zone").to_string();
    assert!(error.contains("unknown time zone \"Europe/Brelin\""), "{error}");
}

#[test]
fn shown_with_its_zone() {
    let cron = Cron::parse_in(" 0 8 * * MON ", "Europe/Berlin").expect("an expression");
    assert_eq!(cron.to_string(), "0 8 * * MON Europe/Berlin");
}
