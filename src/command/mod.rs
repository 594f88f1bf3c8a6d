//! What is known about commands by their names.

pub mod restrictions;
