//! The subcommand that runs a script (contract section 17).

use std::ffi::OsString;

use clap::{Args, ValueHint};

use super::verbs::RepeatOptions;

/// Run a Lua script, or load a library of functions
#[derive(Args, Debug)]
#[command(
    override_usage = "rcli run [OPTIONS] FILE [KEY]... [, ARG...]",
    before_help = "\
Examples:
  rcli run top.lua scores , 10            a comma alone divides the keys from the arguments
  rcli -r 100 -i 0.1 run step.lua queue
  echo 'return redis.call(\"TIME\")' | rcli run -
  rcli run library.lua                    one that begins with #!lua name=... is loaded
  rcli run --call fresh library.lua user:1 , 60",
    after_help = "\
Options stand before FILE: behind it every word is a key or an argument.

The script is sent where the server does not know it, and run by its hash. A library (a file that begins with \
#!lua name=NAME) is loaded, REPLACE, where the server's is another; in a cluster on every primary. With --read-only a \
script may not write, and a library is not loaded."
)]
pub struct RunArgs {
    #[command(flatten)]
    pub repetition: RepeatOptions,
    /// Call this function of the library
    #[arg(long, value_name = "FUNCTION")]
    pub call: Option<OsString>,
    /// The script, - is standard input; its keys; and behind a comma alone its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub words: Vec<OsString>,
}
