//! TLS to real servers, with certificates that are made here.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which fail by panicking")]

mod common;
mod files;
mod redis;
mod starts;
