//! The cases of buses.
