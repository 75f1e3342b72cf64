//! One field of an expression.

use std::collections::BTreeSet;

/// What a field can hold.
pub(super) struct Unit {
    pub(super) what: &'static str,
    pub(super) lowest: u32,
    pub(super) highest: u32,
    /// The end of `*` and `n/step`: for weekdays 6, since 7 is Sunday again.
    pub(super) end: u32,
    /// The names of the values from `lowest` on.
    pub(super) names: &'static [&'static str],
}

pub(super) const MINUTE: Unit = Unit { what: "minute", lowest: 0, highest: 59, end: 59, names: &[] };
pub(super) const HOUR: Unit = Unit { what: "hour", lowest: 0, highest: 23, end: 23, names: &[] };
pub(super) const DAY: Unit = Unit { what: "day", lowest: 1, highest: 31, end: 31, names: &[] };
pub(super) const MONTH: Unit = Unit {
    what: "month",
    lowest: 1,
    highest: 12,
    end: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
pub(super) const WEEKDAY: Unit =
    Unit { what: "weekday", lowest: 0, highest: 7, end: 6, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] };

/// A field that was read.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) values: BTreeSet<u32>,
    /// It begins with `*`.
    pub(super) star: bool,
}

impl Field {
    pub(super) fn parse(text: &str, unit: &Unit) -> Result<Self, String> {
        let mut values = BTreeSet::new();
        for part in text.split(',') {
            if part.is_empty() {
                return Err(format!("has an empty part in its {} field {text:?}: remove the comma", unit.what));
            }
            values.extend(unit.part(part)?);
        }
        Ok(Self { values, star: text.starts_with('*') })
    }
}

impl Unit {
    fn part(&self, part: &str) -> Result<Vec<u32>, String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(self.step(part, step)?)),
            None => (part, None),
        };
        let (first, last) = if range == "*" {
            (self.lowest, self.end)
        } else if let Some((first, last)) = range.split_once('-') {
            (self.value(part, first)?, self.last(part, last)?)
        } else {
            let value = self.value(part, range)?;
            (value, if step.is_some() { self.end.max(value) } else { value })
        };
        if first > last {
            return Err(format!(
                "has the {} range {part:?}, which runs backwards: write it as two, with a comma",
                self.what
            ));
        }
        let step = step.map_or(1, |step| step as usize);
        Ok((first..=last).step_by(step).collect())
    }

    fn step(&self, part: &str, step: &str) -> Result<u32, String> {
        match number(step) {
            Some(step) if (1..=self.highest).contains(&step) => Ok(step),
            _ => Err(format!("has {part:?} in its {} field: a step is a number from 1 to {}", self.what, self.highest)),
        }
    }

    /// `FRI-SUN` ends on the seventh day.
    fn last(&self, part: &str, text: &str) -> Result<u32, String> {
        match self.value(part, text)? {
            0 if self.highest == WEEKDAY.highest && number(text).is_none() && !part.starts_with(text) => Ok(7),
            value => Ok(value),
        }
    }

    fn value(&self, part: &str, text: &str) -> Result<u32, String> {
        let named = self.names.iter().zip(self.lowest..).find(|(name, _)| name.eq_ignore_ascii_case(text));
        let value = named.map(|(_, value)| value).or_else(|| number(text));
        match value {
            Some(value) if (self.lowest..=self.highest).contains(&value) => Ok(value),
            _ => Err(self.misread(part)),
        }
    }

    fn misread(&self, part: &str) -> String {
        let names = match (self.names.first(), self.names.last()) {
            (Some(first), Some(last)) => format!(" and names from {first} to {last}"),
            _ => String::new(),
        };
        let Self { what, lowest, highest, .. } = self;
        format!("has {part:?} in its {what} field: it takes numbers from {lowest} to {highest}{names}")
    }
}

/// A number of plain digits: `parse` alone would take `+5`.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, unit: &Unit) -> Vec<u32> {
        Field::parse(text, unit).expect("a field").values.into_iter().collect()
    }

    #[test]
    fn parts() {
        assert_eq!(values("5", &MINUTE), [5]);
        assert_eq!(values("1-5,30-40/5,7", &MINUTE), [1, 2, 3, 4, 5, 7, 30, 35, 40]);
        assert_eq!(values("*/20", &MINUTE), [0, 20, 40]);
        assert_eq!(values("50/3", &MINUTE), [50, 53, 56, 59]);
        assert_eq!(values("1-59/2", &MINUTE)[..3], [1, 3, 5]);
        assert_eq!(values("jan,Mar-MAY", &MONTH), [1, 3, 4, 5]);
        assert_eq!(values("*/2", &DAY)[..3], [1, 3, 5]);
    }

    #[test]
    fn weekdays() {
        assert_eq!(values("MON-FRI", &WEEKDAY), [1, 2, 3, 4, 5]);
        assert_eq!(values("FRI-SUN", &WEEKDAY), [5, 6, 7]);
        assert_eq!(values("SUN-TUE", &WEEKDAY), [0, 1, 2]);
        assert_eq!(values("SUN-SUN", &WEEKDAY), [0]);
        assert_eq!(values("5-7", &WEEKDAY), [5, 6, 7]);
        assert_eq!(values("1/2", &WEEKDAY), [1, 3, 5]);
        assert_eq!(values("7/2", &WEEKDAY), [7]);
    }

    #[test]
    fn texts_of_refusals() {
        let refusal = |text, unit| Field::parse(text, unit).expect_err("refused");
        assert_eq!(refusal("60", &MINUTE), r#"has "60" in its minute field: it takes numbers from 0 to 59"#);
        assert_eq!(
            refusal("8", &WEEKDAY),
            r#"has "8" in its weekday field: it takes numbers from 0 to 7 and names from SUN to SAT"#
        );
        assert_eq!(refusal("*/0", &HOUR), r#"has "*/0" in its hour field: a step is a number from 1 to 23"#);
        assert_eq!(
            refusal("22-2", &HOUR),
            r#"has the hour range "22-2", which runs backwards: write it as two, with a comma"#
        );
        for bad in [
            "",
            ",",
            "1,",
            "a",
            "-1",
            "1-",
            "-",
            "*-5",
            "1/",
            "/2",
            "+5",
            "1-2-3",
            "**",
            "?",
            "L",
            "1.5",
            "99999999999",
        ] {
            assert!(Field::parse(bad, &MINUTE).is_err(), "{bad:?} was taken");
        }
    }
}
