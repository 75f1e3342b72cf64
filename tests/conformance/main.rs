//! Every adapter of this workspace passes the conformance suite.

mod memory;
