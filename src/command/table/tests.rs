//! What the command table must know, as seen on Redis 7.0.15, Redis 8.2.3 and Valkey 9.1.2. No test asks a server.

mod keys;
mod lookup;
mod replies;
mod syntax;

/// An argv from its words; `""` is the empty one.
fn argv(line: &str) -> Vec<&str> {
    line.split(' ').map(|word| if word == "\"\"" { "" } else { word }).collect()
}
