//! `rcli`: a command-line REPL and scripting tool for Redis and Valkey.
//!
//! Data goes one way: argv or lines → `cli` → `config` → `commands` → `command` → `net` → `reply` → `render` → `exit`.
#![cfg_attr(all(own_entry, not(test)), no_main)]

mod cli;
mod color;
mod command;
mod commands;
mod config;
mod context;
#[cfg(all(own_entry, not(test)))]
mod entry;
mod exit;
mod follow;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod guard;
mod input;
mod memory;
mod net;
mod render;
mod repl;
mod reply;
mod report;
mod sandbox;
mod shell;
mod signal;
mod stdio;
mod text;
mod word;

use std::mem::ManuallyDrop;

use crate::cli::Cli;
use crate::config::Config;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};

#[cfg(not(all(own_entry, not(test))))]
fn main() -> std::process::ExitCode {
    run_to_status().into()
}

fn run_to_status() -> u8 {
    let exit = run().unwrap_or_else(Failure::report);
    // A signal counts before all else, also one that came while the last of the output was written.
    signal::ending().map_or(exit, Exit::Signal).status()
}

fn run() -> Outcome<Exit> {
    if commands::completions::answer()? {
        return Ok(Exit::Done);
    }
    let typed = Cli::read()?;
    let warnings = config::warnings_of_typed_passwords(&typed.connection);
    // The process ends with it: to take clap's definition apart is a thirtieth of what a command costs.
    let cli = ManuallyDrop::new(config::profile::apply(typed)?);
    config::decide_stderr_color(&cli.output);
    let config = Config::decide(&cli, warnings)?;
    for warning in &config.warnings {
        report::notice(warning);
    }
    signal::end_with_status();
    commands::run(&Context::new(config), cli.verb.as_ref())
}
