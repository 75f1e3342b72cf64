//! Declarations from servers, which are made here: over plain TCP and over TLS, well-behaved and not.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which fail by panicking")]

mod common;
mod server;

mod bounds;
mod copies;
mod loading;
mod redirects;
mod secrets;
mod threads;
mod trust;
