//! What is printed: a Markdown table, a line for each figure.

/// What a figure is of a round, and what it should be.
#[derive(Debug)]
pub enum Metric {
    /// Pieces of work a second.
    PerSecond(Target),
    /// The percentile of how long one piece of work took.
    Percentile(u8, Target),
}

/// What a figure should be.
#[derive(Debug)]
pub enum Target {
    None,
    /// Ours divided by raw.
    Ratio(f64),
    /// Ours alone, in the metric's unit: a second, or pieces a second.
    Ours(f64),
}

/// The rounds of one benchmark, in the order in which they ran.
pub struct Row<'a> {
    pub name: &'a str,
    pub metric: &'a Metric,
    pub raw: Vec<f64>,
    pub ours: Vec<f64>,
    pub raw_cpu: Vec<f64>,
    pub ours_cpu: Vec<f64>,
}

pub fn head() {
    println!(
        "| {:34} | {:>8} | {:>19} | {:>8} | {:>19} | {:>5} | {:>11} | {:17} | {:>16} | {:18} |",
        "benchmark",
        "raw",
        "(spread)",
        "ours",
        "(spread)",
        "ratio",
        "(spread)",
        "which says",
        "cpu: raw, ours",
        "target"
    );
    let dashes = [34, 8, 19, 8, 19, 5, 11, 17, 16, 18].map(|width| "-".repeat(width + 1));
    let right = [false, true, true, true, true, true, true, false, true, false];
    let cells = dashes.iter().zip(right).map(|(dashes, right)| format!("{dashes}{}", if right { ":" } else { "-" }));
    println!("|{}|", cells.collect::<Vec<_>>().join("|"));
}

pub fn row(row: &Row) {
    let is_rate = matches!(row.metric, Metric::PerSecond(_));
    let show = |value: f64| if is_rate { rate(value) } else { time(value) };
    // Of neighbouring rounds: what else the machine does then hits both.
    let ratios: Vec<f64> = row.raw.iter().zip(&row.ours).map(|(raw, ours)| ours / raw).collect();
    let name = match row.metric {
        Metric::PerSecond(_) => row.name.to_owned(),
        Metric::Percentile(part, _) => format!("{}, p{part}", row.name),
    };
    let (least, most) = spread(&ratios);
    let says = if least <= 1.0 && 1.0 <= most {
        "indistinguishable"
    } else if (median(&ratios) > 1.0) == is_rate {
        "faster"
    } else {
        "slower"
    };
    println!(
        "| {name:34} | {:>8} | {:>19} | {:>8} | {:>19} | {:5.2} | {:>11} | {says:17} | {:>16} | {:18} |",
        show(median(&row.raw)),
        between(&row.raw, &show),
        show(median(&row.ours)),
        between(&row.ours, &show),
        median(&ratios),
        format!("{least:.2}–{most:.2}"),
        format!("{}, {}", time(median(&row.raw_cpu)), time(median(&row.ours_cpu))),
        target(row, is_rate, median(&ratios), &show),
    );
}

fn target(row: &Row, is_rate: bool, ratio: f64, show: &impl Fn(f64) -> String) -> String {
    let (Metric::PerSecond(target) | Metric::Percentile(_, target)) = row.metric;
    let (is, wanted, text) = match target {
        Target::None => return String::new(),
        Target::Ratio(wanted) => (ratio, *wanted, format!("{wanted:.2}")),
        Target::Ours(wanted) => (median(&row.ours), *wanted, show(*wanted)),
    };
    let met = if is_rate { is >= wanted } else { is <= wanted };
    format!("{} {text}: {}", if is_rate { "≥" } else { "≤" }, if met { "met" } else { "missed" })
}

fn between(values: &[f64], show: &impl Fn(f64) -> String) -> String {
    let (least, most) = spread(values);
    format!("{}–{}", show(least), show(most))
}

fn spread(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(*value), most.max(*value)))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

fn rate(value: f64) -> String {
    match value {
        1e6.. => format!("{:.2} M/s", value / 1e6),
        1e5.. => format!("{:.0} k/s", value / 1e3),
        _ => format!("{:.1} k/s", value / 1e3),
    }
}

fn time(seconds: f64) -> String {
    match seconds * 1e6 {
        micros @ 1000.0.. => format!("{:.2} ms", micros / 1e3),
        micros @ 10.0.. => format!("{micros:.0} µs"),
        micros => format!("{micros:.2} µs"),
    }
}
