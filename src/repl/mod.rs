//! The REPL: a line editor around a [`shell::Shell`] (contract section 10).

pub mod link;
pub mod shell;
