//! Where this runs: figures mean nothing without it.

use std::process::Command;

use crate::options::Options;

pub fn print(options: &Options) {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("cores   {cores}");
    println!("kernel  {}", read("/proc/sys/kernel/osrelease"));
    println!("rust    {}", first_line("rustc", "--version"));
    let redis = std::env::var("FORMICARY_REDIS_SERVER").ok().filter(|named| !named.is_empty());
    println!("redis   {}", first_line(redis.as_deref().unwrap_or("redis-server"), "--version"));
    println!("rounds  {} of each side, in turn{}", options.rounds, if options.quick { ", quick" } else { "" });
    print_load("at the start");
    println!();
}

/// Other work on the machine: above the number of cores, absolute figures are too low.
pub fn print_load(when: &str) {
    let load = read("/proc/loadavg");
    println!("load    {} ({when}, over 1 minute)", load.split(' ').next().unwrap_or("unknown"));
}

fn read(file: &str) -> String {
    std::fs::read_to_string(file).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn first_line(program: &str, flag: &str) -> String {
    let output = Command::new(program).arg(flag).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("not found").to_owned()
}
