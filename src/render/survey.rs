//! redis-cli's lines about large and hot keys (`--bigkeys`, `--memkeys`, `--hotkeys`), which scripts look through: those of
//! redis-cli 8 into a pipe, on a terminal too.

use std::io::{self, Write};

use super::human;
use super::keys::{Ranking, TypeSum};
use crate::command::request::shown_arg;

/// One of the things that are written about.
#[derive(Debug)]
pub enum Survey<'a> {
    /// The beginning: what is looked for.
    Begin {
        /// `memory`, `length` or `freq`.
        measure: &'static str,
    },
    /// A key that is larger than all others of its type, or among the hottest.
    Found {
        /// `memory`, `length` or `freq`.
        measure: &'static str,
        /// How much of the keys was seen before it.
        percent: f64,
        key: &'a [u8],
        key_type: &'a [u8],
        /// Bytes, elements or uses.
        size: i64,
    },
    /// So many keys were seen.
    Sampled {
        keys: u64,
        /// How much of the keys that is.
        percent: f64,
    },
    Summary {
        /// The largest, and the sums by type.
        ranking: &'a Ranking,
        /// The bytes of all names of keys.
        name_bytes: u64,
        /// How much of the keys was seen, where that is not all.
        cut_at: Option<f64>,
    },
}

/// The types that are told of in any case, in redis-cli's order.
const TYPES: [(&[u8], &str); 6] = [
    (b"list", "items"),
    (b"hash", "fields"),
    (b"string", "bytes"),
    (b"stream", "entries"),
    (b"set", "members"),
    (b"zset", "members"),
];

/// What the sizes of a type are.
fn unit_of(measure: &str, key_type: &[u8]) -> &'static str {
    let known = TYPES.iter().find(|(name, _)| *name == key_type);
    if measure == "memory" { "bytes" } else { known.map_or("?", |(_, unit)| unit) }
}

/// Writes one of its lines, or several.
pub fn survey(out: &mut impl Write, survey: &Survey<'_>) -> io::Result<()> {
    match survey {
        Survey::Begin { measure } => {
            let what = if *measure == "freq" { "hot" } else { "biggest" };
            write!(
                out,
                "\n# Scanning the entire keyspace to find {what} keys as well as\n\
                 # average sizes per key type.  You can use -i 0.1 to sleep 0.1 sec\n\
                 # per 100 SCAN commands (not usually needed).\n\n"
            )
        }
        Survey::Found { measure: "freq", percent, key, size, .. } => {
            write!(out, "[{percent:05.2}%] Hot key ")?;
            human::quoted(out, key)?;
            writeln!(out, " found so far with counter {size}")
        }
        Survey::Found { measure, percent, key, key_type, size } => {
            write!(out, "[{percent:05.2}%] Biggest {:<6} found so far ", shown_arg(key_type))?;
            human::quoted(out, key)?;
            writeln!(out, " with {size} {}", unit_of(measure, key_type))
        }
        Survey::Sampled { keys, percent } => writeln!(out, "[{percent:05.2}%] Sampled {keys} keys so far"),
        Survey::Summary { ranking, name_bytes, cut_at } => summary(out, ranking, *name_bytes, *cut_at),
    }
}

fn summary(out: &mut impl Write, ranking: &Ranking, name_bytes: u64, cut_at: Option<f64>) -> io::Result<()> {
    let keys: u64 = ranking.types.iter().map(|sum| sum.keys).sum();
    write!(out, "\n-------- summary -------\n\n")?;
    if let Some(percent) = cut_at {
        write!(out, "[{percent:05.2}%] ")?;
    }
    writeln!(out, "Sampled {keys} keys in the keyspace!")?;
    if ranking.measure == "freq" {
        for ranked in ranking.top.iter().filter(|ranked| ranked.size > Some(0)) {
            write!(out, "hot key found with counter: {}\tkeyname: ", ranked.size.unwrap_or_default())?;
            human::quoted(out, &ranked.key)?;
            writeln!(out)?;
        }
        return Ok(());
    }
    writeln!(out, "Total key length in bytes is {name_bytes} (avg len {:.2})\n", mean(name_bytes, keys))?;
    let known = |name: &[u8]| ranking.types.iter().find(|sum| sum.largest.key_type == name);
    let is_other = |sum: &&TypeSum| TYPES.iter().all(|(name, _)| *name != sum.largest.key_type);
    let others = || ranking.types.iter().filter(is_other);
    // A type that nobody knows a size of has no largest.
    let sized = others().filter(|sum| sum.largest.size > Some(0));
    for sum in TYPES.iter().filter_map(|(name, _)| known(name)).filter(|sum| sum.largest.size.is_some()).chain(sized) {
        let key_type = &sum.largest.key_type;
        write!(out, "Biggest {:>6} found ", shown_arg(key_type))?;
        human::quoted(out, &sum.largest.key)?;
        writeln!(out, " has {} {}", sum.largest.size.unwrap_or_default(), unit_of(ranking.measure, key_type))?;
    }
    writeln!(out)?;
    let of_known = TYPES.iter().map(|(name, _)| (*name, known(name)));
    for (key_type, sum) in of_known.chain(others().map(|sum| (sum.largest.key_type.as_slice(), Some(sum)))) {
        let (count, size) =
            sum.map_or((0, 0), |sum| (sum.keys, u64::try_from(sum.size.unwrap_or_default()).unwrap_or_default()));
        writeln!(
            out,
            "{count} {}s with {size} {} ({:05.2}% of keys, avg size {:.2})",
            shown_arg(key_type),
            unit_of(ranking.measure, key_type),
            100.0 * mean(count, keys),
            mean(size, count)
        )?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
fn mean(sum: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum as f64 / count as f64 }
}
