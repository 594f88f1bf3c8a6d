//! CLIENT LIST: what tells one client from another.

use std::time::Duration;

use super::layout::table;
use super::parts::string;
use super::{Lines, Place};
use crate::command::request::Request;
use crate::repl::readable::duration;
use crate::reply::Frame;
use crate::text;

const COLUMNS: [&str; 8] = ["id", "addr", "user", "name", "db", "age", "idle", "cmd"];

/// The reply as a table.
pub fn show<'a>(_: &Request, frame: Frame<'a>, place: Place) -> Option<Lines<'a>> {
    let text = String::from_utf8_lossy(string(frame)?).into_owned();
    let rows: Vec<Vec<String>> = text.lines().map(row).collect::<Option<_>>()?;
    table(&COLUMNS, &rows, 0, place)
}

fn row(line: &str) -> Option<Vec<String>> {
    let field = |name: &&str| {
        let value = line.split(' ').find_map(|pair| pair.strip_prefix(*name)?.strip_prefix('='))?;
        let value = match (*name, value.parse()) {
            ("age" | "idle", Ok(seconds @ 0..60)) => format!("{seconds} s"),
            ("age" | "idle", Ok(seconds)) => duration(Duration::from_secs(seconds)),
            _ => text::line(value).into_owned(),
        };
        Some(value)
    };
    COLUMNS.iter().map(|name| field(name).or_else(|| (*name == "user").then(String::new))).collect()
}
