//! What replies say that name what may be typed: names, and in a few words what they are. What does not read as expected,
//! errors too, says nothing.

use std::time::Duration;

use redis::{FromRedisValue, Value};

use super::question::{Candidate, Question, Topic};
use crate::command::restrictions::is_secret_parameter;
use crate::repl::readable::{cut, duration};
use crate::text::{self, counted};

/// The longest part of a value that a note shows, in columns.
const SHORT: usize = 40;

/// What an answer holds; nothing where it is something else.
pub fn told<T: FromRedisValue>(answer: Value) -> Option<T> {
    redis::from_redis_value(answer).ok()
}

/// What the elements of an answer hold; none where one is something else.
fn each<T: FromRedisValue>(answer: Value) -> impl Iterator<Item = T> {
    told::<Vec<T>>(answer).unwrap_or_default().into_iter()
}

/// A value from outside as a note shows it.
pub fn short(value: &[u8]) -> String {
    let begin = &value[..value.len().min(SHORT * 4)];
    cut(&text::line(&String::from_utf8_lossy(begin)), SHORT)
}

/// The candidates in the answers to a question's commands.
pub fn read(question: &Question, answers: Vec<Option<Value>>) -> Vec<Candidate> {
    let topic = &question.topic;
    if *topic == Topic::Sizes {
        return sizes(answers);
    }
    let mut answers = answers.into_iter().flatten();
    match topic {
        Topic::Databases => databases(answers.next(), answers.next()),
        Topic::ParameterValues(name) => answers.next().map(|answer| parameter_values(name, answer)).unwrap_or_default(),
        _ => answers.flat_map(|answer| read_one(topic, answer)).collect(),
    }
}

fn read_one(topic: &Topic, answer: Value) -> Vec<Candidate> {
    match topic {
        Topic::Groups(_) => rows(answer).iter().filter_map(group).collect(),
        Topic::Consumers(..) => rows(answer).iter().filter_map(consumer).collect(),
        Topic::Entries(_) => each(answer).map(|(id, fields): Entry| Candidate::new(id, first(&fields))).collect(),
        Topic::EntryFields(_) => {
            let fields = each(answer).flat_map(|(_, fields): Entry| fields);
            fields.map(|(name, value)| Candidate::new(name, short(&value))).collect()
        }
        Topic::Pending(..) => each::<(String, String, u64, u64)>(answer)
            .map(|(id, consumer, idle, deliveries)| {
                let idle = duration(Duration::from_millis(idle));
                let times = counted(deliveries, "time");
                Candidate::new(id, format!("{}, delivered {times}, idle {idle}", short(consumer.as_bytes())))
            })
            .collect(),
        Topic::Parameters => each::<(String, Vec<u8>)>(answer)
            .map(|(name, value)| {
                let note = if is_secret_parameter(name.as_bytes()) { String::new() } else { short(&value) };
                Candidate::new(name, note)
            })
            .collect(),
        Topic::Functions => rows(answer).iter().flat_map(functions).collect(),
        Topic::Libraries => rows(answer).iter().filter_map(library).collect(),
        Topic::Clients(field) => lines(answer).iter().filter_map(|line| client(line, field)).collect(),
        Topic::Modules => rows(answer)
            .iter()
            .filter_map(|row| Some(Candidate::new(row.text("name")?, format!("version {}", row.number("ver")?))))
            .collect(),
        Topic::Nodes => lines(answer).iter().filter_map(|line| node(line)).collect(),
        Topic::Sections => lines(answer)
            .iter()
            .filter_map(|line| Some(Candidate::new(line.strip_prefix("# ")?.trim().to_ascii_lowercase(), "")))
            .chain(["all", "default", "everything"].map(|name| Candidate::new(name, "")))
            .collect(),
        Topic::Events => each::<Vec<Value>>(answer).filter_map(event).collect(),
        _ => each::<Vec<u8>>(answer).map(|name| Candidate::new(name, "")).collect(),
    }
}

/// What a candidate is, as the answers about it say.
pub fn note(question: &Question, answers: Vec<Value>) -> String {
    if question.topic == Topic::Keys(None) {
        let kind = answers.into_iter().next().and_then(told::<String>);
        return kind.filter(|kind| kind != "none").map(|kind| short(kind.as_bytes())).unwrap_or_default();
    }
    let counts = answers.into_iter().flat_map(each::<(Vec<u8>, u64)>).map(|(_, count)| count);
    counted(sum(counts), "subscriber")
}

/// One of the maps that a reply is made of, of RESP2 or RESP3.
struct Row(Vec<(String, Value)>);

impl Row {
    fn value(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> Option<Vec<u8>> {
        self.value(name).cloned().and_then(told)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.value(name).cloned().and_then(told)
    }
}

fn rows(answer: Value) -> Vec<Row> {
    each::<Value>(answer).filter_map(told::<Vec<(String, Value)>>).map(Row).collect()
}

fn lines(answer: Value) -> Vec<String> {
    // In RESP3 these reports are verbatim strings.
    let text = match answer {
        Value::VerbatimString { text, .. } => text,
        answer => told::<Vec<u8>>(answer).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default(),
    };
    text.lines().map(str::to_owned).collect()
}

fn group(row: &Row) -> Option<Candidate> {
    let consumers = counted(row.number("consumers")?, "consumer");
    Some(Candidate::new(row.text("name")?, format!("{consumers}, {} pending", row.number("pending")?)))
}

fn consumer(row: &Row) -> Option<Candidate> {
    let idle = duration(Duration::from_millis(row.number("idle")?));
    Some(Candidate::new(row.text("name")?, format!("{} pending, idle {idle}", row.number("pending")?)))
}

fn functions(row: &Row) -> Vec<Candidate> {
    let library = row.text("library_name").map(|name| short(&name)).unwrap_or_default();
    let functions = row.value("functions").cloned().map(rows).unwrap_or_default();
    let named = functions.iter().filter_map(|function| function.text("name"));
    named.map(|name| Candidate::new(name, format!("library {library}"))).collect()
}

fn library(row: &Row) -> Option<Candidate> {
    let count = row.value("functions").cloned().map(rows).unwrap_or_default().len();
    Some(Candidate::new(row.text("library_name")?, counted(count as u64, "function")))
}

/// A row of LATENCY LATEST: name, time, the last and the largest milliseconds; Valkey's goes on.
fn event(row: Vec<Value>) -> Option<Candidate> {
    let mut columns = row.into_iter();
    let name: Vec<u8> = columns.next().and_then(told)?;
    let last: u64 = columns.nth(1).and_then(told)?;
    Some(Candidate::new(name, format!("last {last} ms")))
}

/// An entry: its id, and its fields.
type Entry = (Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>);

/// What the fields of an entry begin with.
fn first(fields: &[(Vec<u8>, Vec<u8>)]) -> String {
    fields.first().map(|(name, value)| format!("{} {}", short(name), short(value))).unwrap_or_default()
}

/// What a line of CLIENT LIST says by a name, and who that is.
fn client(line: &str, field: &str) -> Option<Candidate> {
    let value = |name: &str| line.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let shown: Vec<String> = ["addr", "name", "cmd"]
        .into_iter()
        .filter(|name| *name != field)
        .filter_map(|name| value(name).filter(|value| !value.is_empty()).map(|value| short(value.as_bytes())))
        .collect();
    Some(Candidate::new(value(field).filter(|value| !value.is_empty())?, shown.join(" ")))
}

/// A line of CLUSTER NODES: `ID HOST:PORT@BUS myself,master …`.
fn node(line: &str) -> Option<Candidate> {
    let mut words = line.split(' ');
    let (id, address, flags) = (words.next()?, words.next()?, words.next()?);
    let address = address.split('@').next().unwrap_or_default();
    Some(Candidate::new(id, short(format!("{address} {flags}").as_bytes())))
}

/// The databases that have keys, and the others, as far as the number of all is known.
fn databases(keyspace: Option<Value>, number: Option<Value>) -> Vec<Candidate> {
    const MOST: usize = 100;
    let filled = keyspace.map(lines).unwrap_or_default();
    let filled = filled.iter().filter_map(|line| {
        let (number, keys) = line.strip_prefix("db")?.split_once(":keys=")?;
        let keys = keys.split(',').next()?.parse().ok()?;
        Some(Candidate::new(number, counted(keys, "key")))
    });
    let all = number.and_then(told::<Vec<(String, usize)>>).unwrap_or_default();
    let count = all.first().map_or(0, |(_, count)| (*count).min(MOST));
    filled.chain((0..count).map(|number| Candidate::new(number.to_string(), ""))).collect()
}

/// Parameters that are one of a few words, in all servers that have them.
const CHOICES: [(&str, &str); 16] = [
    ("acl-pubsub-default", "allchannels resetchannels"),
    ("appendfsync", "always everysec no"),
    ("cluster-config-save-behavior", "sync best-effort"),
    ("cluster-preferred-endpoint-type", "ip hostname unknown-endpoint"),
    ("log-format", "legacy logfmt json"),
    ("log-timestamp-format", "legacy iso8601 milliseconds"),
    ("loglevel", "debug verbose notice warning"),
    (
        "maxmemory-policy",
        "noeviction allkeys-lru allkeys-lfu allkeys-random volatile-lru volatile-lfu volatile-random volatile-ttl",
    ),
    ("oom-score-adj", "no yes relative absolute"),
    ("propagation-error-behavior", "ignore panic panic-on-replicas"),
    ("rdb-version-check", "strict relaxed"),
    ("repl-diskless-load", "disabled on-empty-db swapdb"),
    ("sanitize-dump-payload", "no yes clients"),
    ("shutdown-on-sigint", "default save nosave now force"),
    ("shutdown-on-sigterm", "default save nosave now force"),
    ("tls-auth-clients", "no yes optional"),
];

/// What a parameter may be set to: all that it can be where that is known, else what it is now.
fn parameter_values(name: &str, answer: Value) -> Vec<Candidate> {
    let now = told::<Vec<(String, Vec<u8>)>>(answer).and_then(|told| told.into_iter().next()).map(|(_, value)| value);
    let Some(now) = now.filter(|_| !is_secret_parameter(name.as_bytes())) else { return Vec::new() };
    let known = CHOICES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, words)| *words);
    let known = known.unwrap_or(if matches!(now.as_slice(), b"yes" | b"no") { "yes no" } else { "" });
    let mut values: Vec<Candidate> = known.split_whitespace().map(|word| Candidate::new(word, "")).collect();
    match values.iter_mut().find(|candidate| candidate.value == now) {
        Some(current) => "current".clone_into(&mut current.note),
        None if now.is_empty() => {}
        None => values.insert(0, Candidate::new(now, "current")),
    }
    values
}

/// How many keys all servers have: in the database, and in every one; the first half of the answers is DBSIZE's.
fn sizes(answers: Vec<Option<Value>>) -> Vec<Candidate> {
    let half = answers.len() / 2;
    let keys = |(at, answer): (usize, Option<Value>)| match answer {
        Some(answer) if at < half => told::<u64>(answer),
        answer => answer.and_then(told::<String>).map(|info| keys_of(&info)),
    };
    let counts: Vec<Option<u64>> = answers.into_iter().enumerate().map(keys).collect();
    let all = |counts: &[Option<u64>]| {
        let counts: Option<Vec<u64>> = counts.iter().copied().collect();
        counts.filter(|counts| !counts.is_empty()).map(sum)
    };
    let sums = [all(&counts[..half]), all(&counts[half..])];
    sums.map(|sum| Candidate::new(sum.map(|sum| sum.to_string()).unwrap_or_default(), "")).to_vec()
}

/// The keys of all databases: `db0:keys=5,expires=0,…`.
fn keys_of(info: &str) -> u64 {
    let keys = |line: &str| line.split_once(":keys=")?.1.split(',').next()?.parse::<u64>().ok();
    sum(info.lines().filter_map(keys))
}

/// What servers count, together: they may say anything.
fn sum(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}
