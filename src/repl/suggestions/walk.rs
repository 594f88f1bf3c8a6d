//! Answers that take several commands: keys and the parts of a key, walked through with cursors in all primaries at once,
//! groups of whatever streams there are, and what the candidates are that were found.

use redis::{Cmd, Value};

use super::facts;
use super::primaries::Crowd;
use super::question::{Candidate, Question, Topic, Whom, command, pattern};

/// How much one SCAN looks at: the first is quick to answer, later ones save round trips.
const FIRST: usize = 500;
const LARGEST: usize = 8_000;
/// The same where values come along, which may be of any size.
const FIRST_WITH_VALUES: usize = 10;
/// A reply of so many bytes is large enough.
const LARGE: usize = 64 * 1024;
/// So many streams are looked at for groups.
const STREAMS: usize = 20;
/// So many candidates are described: no more are shown.
const DESCRIBED: usize = 100;

/// Answers a question. `tell` is told what was found so far and whether that is all, and says whether more is wanted.
pub fn answer(
    crowd: &mut Crowd,
    question: &Question,
    found: &mut Vec<Candidate>,
    mut tell: impl FnMut(&mut Vec<Candidate>, bool) -> bool,
) {
    let walk = match &question.topic {
        Topic::Keys(kind) => Some(Walk::over_keys(crowd, question, *kind)),
        Topic::AnyElements(key) => scan_of(crowd, key).map(|scan| Walk::over_elements(crowd, question, scan, key)),
        Topic::Elements(scan, key) => Some(Walk::over_elements(crowd, question, scan, key)),
        _ => None,
    };
    if let Some(mut walk) = walk {
        loop {
            let is_done = walk.step(crowd, found);
            if !tell(found, is_done) {
                return;
            }
            if is_done {
                break;
            }
        }
    } else {
        found.extend(ask(crowd, question).into_iter().filter(|candidate| question.fits(&candidate.value)));
        if !tell(found, true) {
            return;
        }
    }
    describe(crowd, question, found);
}

/// The command that walks through a key, by its type.
fn scan_of(crowd: &mut Crowd, key: &[u8]) -> Option<&'static str> {
    let asked = asked(crowd, &Whom::Owner(key.to_vec()), vec![command(&[b"TYPE", key])]);
    match crowd.ask(&asked).into_iter().flatten().find_map(facts::told::<String>)?.as_str() {
        "hash" => Some("HSCAN"),
        "set" => Some("SSCAN"),
        "zset" => Some("ZSCAN"),
        _ => None,
    }
}

/// What a few commands answer.
fn ask(crowd: &mut Crowd, question: &Question) -> Vec<Candidate> {
    if !matches!(question.topic, Topic::Groups(None) | Topic::Consumers(None, _)) {
        let (whom, commands) = question.commands();
        let asked = asked(crowd, &whom, commands);
        return facts::read(question, crowd.ask(&asked));
    }
    let of_stream = |key| match &question.topic {
        Topic::Consumers(_, group) => Topic::Consumers(Some(key), group.clone()),
        _ => Topic::Groups(Some(key)),
    };
    let all = Question { topic: Topic::Keys(Some("stream")), prefix: Vec::new() };
    let mut streams = Vec::new();
    let mut walk = Walk::over_keys(crowd, &all, Some("stream"));
    while !walk.step(crowd, &mut streams) && streams.len() < STREAMS {}
    streams.truncate(STREAMS);
    let mut asked_all = Vec::new();
    for stream in streams {
        let (whom, commands) = Question { topic: of_stream(stream.value), prefix: Vec::new() }.commands();
        asked_all.extend(asked(crowd, &whom, commands));
    }
    let answers = crowd.ask(&asked_all);
    facts::read(question, answers)
}

/// Commands for each of those that are meant.
fn asked(crowd: &Crowd, whom: &Whom, commands: Vec<Cmd>) -> Vec<(usize, Cmd)> {
    let members = crowd.members(whom);
    commands.into_iter().flat_map(|command| members.iter().map(move |at| (*at, command.clone()))).collect()
}

/// Asks what the first candidates are.
fn describe(crowd: &mut Crowd, question: &Question, found: &mut [Candidate]) {
    let (mut places, mut questions) = (Vec::new(), Vec::new());
    for (place, candidate) in found.iter().enumerate().take(DESCRIBED) {
        let Some((whom, command)) = question.describing(&candidate.value) else { return };
        for asked in asked(crowd, &whom, vec![command]) {
            places.push(place);
            questions.push(asked);
        }
    }
    let answers = crowd.ask(&questions);
    let mut told: Vec<Vec<Value>> = vec![Vec::new(); found.len().min(DESCRIBED)];
    for (place, answer) in places.into_iter().zip(answers) {
        told[place].extend(answer);
    }
    for (candidate, answers) in found.iter_mut().zip(told) {
        candidate.note = facts::note(question, answers);
    }
}

/// Goes through keys, or through the parts of a key, in several servers at once.
struct Walk {
    /// What stands before the cursor: `SCAN`, or `HSCAN key`.
    begin: Vec<Vec<u8>>,
    pattern: Vec<u8>,
    /// What ends the command, and is left out where the server does not know it.
    end: Vec<Vec<u8>>,
    /// Whether what follows an element is about it.
    is_paired: bool,
    count: usize,
    /// Where each goes on that is not at its end.
    cursors: Vec<(usize, Vec<u8>)>,
}

impl Walk {
    fn over_keys(crowd: &Crowd, question: &Question, kind: Option<&str>) -> Self {
        let end = kind.map_or_else(Vec::new, |kind| vec![b"TYPE".to_vec(), kind.as_bytes().to_vec()]);
        Self::new(crowd, &Whom::All, vec![b"SCAN".to_vec()], &question.prefix, end)
    }

    fn over_elements(crowd: &Crowd, question: &Question, scan: &str, key: &[u8]) -> Self {
        // Servers before Redis 7.4 and Valkey 8 give the values of fields too.
        let end = if scan == "HSCAN" { vec![b"NOVALUES".to_vec()] } else { Vec::new() };
        let begin = vec![scan.as_bytes().to_vec(), key.to_vec()];
        let is_paired = scan == "ZSCAN";
        Self { is_paired, ..Self::new(crowd, &Whom::Owner(key.to_vec()), begin, &question.prefix, end) }
    }

    fn new(crowd: &Crowd, whom: &Whom, begin: Vec<Vec<u8>>, prefix: &[u8], end: Vec<Vec<u8>>) -> Self {
        let cursors = crowd.members(whom).into_iter().map(|at| (at, b"0".to_vec())).collect();
        Self { begin, pattern: pattern(prefix), end, is_paired: false, count: FIRST, cursors }
    }

    fn command(&self, cursor: &[u8]) -> Cmd {
        let count = self.count.to_string();
        let mut words: Vec<&[u8]> = self.begin.iter().map(Vec::as_slice).collect();
        words.extend([cursor, b"MATCH", &self.pattern, b"COUNT", count.as_bytes()]);
        words.extend(self.end.iter().map(Vec::as_slice));
        command(&words)
    }

    /// Goes one step further everywhere; whether all was seen.
    fn step(&mut self, crowd: &mut Crowd, found: &mut Vec<Candidate>) -> bool {
        let asked: Vec<(usize, Cmd)> = self.cursors.iter().map(|(at, cursor)| (*at, self.command(cursor))).collect();
        let answers = crowd.ask(&asked);
        if !self.end.is_empty() && answers.iter().flatten().any(|answer| matches!(answer, Value::ServerError(_))) {
            // The server knows no such option, or nothing is allowed, which the next try tells. Values may come along.
            self.is_paired = self.end[0] == b"NOVALUES";
            self.count = if self.is_paired { FIRST_WITH_VALUES } else { FIRST };
            self.end.clear();
            return false;
        }
        let (mut next, mut largest) = (Vec::new(), 0);
        for ((at, _), answer) in self.cursors.iter().zip(answers) {
            let (cursor, items): (Vec<u8>, Vec<Vec<u8>>) = answer.and_then(facts::told).unwrap_or_default();
            largest = items.iter().map(Vec::len).sum::<usize>().max(largest);
            self.take(items, found);
            if !cursor.is_empty() && cursor != b"0" {
                next.push((*at, cursor));
            }
        }
        self.cursors = next;
        self.count = if largest < LARGE { (self.count * 2).min(LARGEST) } else { (self.count / 2).max(1) };
        self.cursors.is_empty()
    }

    /// Takes in what a reply gave.
    fn take(&self, items: Vec<Vec<u8>>, found: &mut Vec<Candidate>) {
        if !self.is_paired {
            found.extend(items.into_iter().map(|item| Candidate::new(item, "")));
            return;
        }
        let is_ranked = self.begin[0] == b"ZSCAN";
        let mut items = items.into_iter();
        while let (Some(element), Some(about)) = (items.next(), items.next()) {
            let note = if is_ranked { format!("score {}", facts::short(&about)) } else { String::new() };
            found.push(Candidate::new(element, note));
        }
    }
}
