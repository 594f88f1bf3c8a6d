//! The way into the program, where the C library is glibc, past Rust's runtime: to tell a stack overflow from another
//! fault it reads the map of the process at each start, and has each thread look up its stack: a twelfth of what one
//! command takes. The rest of what it sets up is done here. What is unsafe here are names that C has given.
#![expect(unsafe_code, reason = "the names are those that the C library looks for, or has")]

use std::ffi::c_int;
use std::panic;

use crate::{run_to_status, signal, stdio};

/// What a panic ends the process with, as with Rust's runtime.
const PANICKED: u8 = 101;

/// What the C library calls; Rust has seen to the arguments by then.
#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    mallopt(M_ARENA_MAX, 1);
    stdio::open_closed();
    signal::outlive_closed_pipes();
    let status = panic::catch_unwind(run_to_status).unwrap_or(PANICKED);
    // Which writes what standard output still holds.
    std::process::exit(status.into())
}

/// The number of heaps: without it each of the threads that wait for signals sets up one of its own, of 128 MB of
/// addresses.
const M_ARENA_MAX: c_int = -8;

unsafe extern "C" {
    safe fn mallopt(parameter: c_int, value: c_int) -> c_int;
}

/// The only function of C's library of mathematics that is asked for, by the bar of `--progress`: with one that is found
/// here that library is not loaded at each start.
#[unsafe(no_mangle)]
extern "C" fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}
