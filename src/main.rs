//! `rcli`: a command-line REPL and scripting tool for Redis and Valkey.

mod table;

fn main() {}
