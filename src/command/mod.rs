//! Commands: what one is, what is known of its name, and what may not run where. Nothing is sent here.

pub mod policies;
pub mod request;
pub mod restrictions;
pub mod table;
