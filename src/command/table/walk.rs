//! Follows the words typed so far through a command's argument tree, to tell what may come next and what the rest
//! of the syntax is. It helps, it does not judge: of a value only its type is looked at, since behind a word at a place
//! for a number nothing else will be right. The face of it is in `hints`.

use super::{Argument, Kind};
use crate::text;

/// Something that may be typed at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expected<'t> {
    /// This word: an option, a subcommand.
    Word(&'t str),
    /// A value of this argument, whose kind and name say what it is: a key, `channel`, `parameter`.
    Value(&'t Argument),
}

/// What is left of the arguments after these words; nothing when the words do not fit.
pub fn follow<'t>(arguments: &'t [Argument], words: &[&[u8]]) -> Tail<'t> {
    match sequence(arguments, words, Fit::Typed) {
        Step::Taken(used, tail) if used == words.len() => tail,
        Step::Open(tail) => tail,
        _ => Tail::default(),
    }
}

/// What may follow when the words have ended.
#[derive(Debug, Default)]
pub struct Tail<'t> {
    /// The syntax, in parts.
    pub text: Vec<String>,
    /// The next word.
    pub expected: Vec<Expected<'t>>,
}

/// How far an argument went.
enum Step<'t> {
    /// The first word is not for it.
    Miss,
    /// It began well, and then a word did not fit.
    Lost,
    /// It took so many words and is complete; the tail is set only when the words have ended.
    Taken(usize, Tail<'t>),
    /// The words have ended and it needs more.
    Open(Tail<'t>),
}

/// How a first word is compared with an argument.
#[derive(Clone, Copy, PartialEq)]
enum Fit {
    /// It must be one of the argument's fixed words.
    Token,
    /// Or it must look like the argument's type.
    Typed,
}

/// Arguments one after the other. Neighbouring optional ones may come in any order.
fn sequence<'t>(args: &'t [Argument], words: &[&[u8]], fit: Fit) -> Step<'t> {
    let (mut at, mut used, mut limit) = (0, 0, None);
    let (mut tail, mut skipped) = (Tail::default(), Vec::new());
    while at < args.len() && used < words.len() {
        let (arg, left) = (&args[at], &words[used..]);
        skipped.clear();
        // The word before said how many there are.
        let count = limit.take().filter(|_| arg.multiple);
        let step = match count {
            Some(0) => Step::Taken(0, Tail::default()),
            None if arg.optional => {
                let run = args[at..].iter().take_while(|arg| arg.optional).count();
                let strict = used == 0 && fit == Fit::Token;
                let (step, remaining) = optional_run(&args[at..], run, left, strict);
                at += run - 1;
                skipped = remaining;
                step
            }
            _ => {
                let fit = if used == 0 { fit } else { Fit::Typed };
                repeat(arg, left, fit, count, &args[at..])
            }
        };
        at += 1;
        match step {
            Step::Taken(taken, end) => {
                used += taken;
                tail = end;
                limit = count_given(arg, &words[..used]);
            }
            Step::Open(end) => {
                tail = end;
                let more = skipped.into_iter().chain(&args[at..]);
                tail.text.extend(more.map(Argument::to_text));
                return Step::Open(tail);
            }
            Step::Miss if used == 0 => return Step::Miss,
            Step::Miss | Step::Lost => return Step::Lost,
        }
    }
    if used < words.len() {
        return Step::Taken(used, Tail::default());
    }
    finish(tail, skipped, &args[at..], limit, used)
}

/// The end of a sequence at the end of the words: what was skipped, and what comes after, may follow.
fn finish<'t>(
    mut tail: Tail<'t>,
    skipped: Vec<&'t Argument>,
    after: &'t [Argument],
    limit: Option<u64>,
    used: usize,
) -> Step<'t> {
    let mut open = false;
    for arg in skipped.into_iter().chain(after) {
        let first = after.first().is_some_and(|first| std::ptr::eq(first, arg));
        let count = limit.filter(|_| first && arg.multiple);
        if count == Some(0) {
            continue;
        }
        tail.text.push(count.map_or_else(|| arg.to_text(), |count| arg.count_text(count)));
        if !open {
            add_openers(arg, &mut tail.expected);
        }
        open = open || !arg.optional || count.is_some();
    }
    if open { Step::Open(tail) } else { Step::Taken(used, tail) }
}

/// The first `run` of the arguments, all optional, in any order; also gives those that were not used. When `strict`,
/// only their fixed words count.
fn optional_run<'t>(args: &'t [Argument], run: usize, words: &[&[u8]], strict: bool) -> (Step<'t>, Vec<&'t Argument>) {
    let mut remaining: Vec<&Argument> = args[..run].iter().collect();
    let (mut used, mut tail) = (0, Tail::default());
    while used < words.len() {
        let left = &words[used..];
        let try_all = |fit| {
            remaining.iter().enumerate().find_map(|(at, arg)| match repeat(arg, left, fit, None, args) {
                Step::Miss | Step::Taken(0, _) => None,
                step => Some((at, step)),
            })
        };
        let typed = || if strict { None } else { try_all(Fit::Typed) };
        let Some((at, step)) = try_all(Fit::Token).or_else(typed) else {
            break;
        };
        let arg = remaining[at];
        let ended = match step {
            Step::Taken(taken, end) => {
                used += taken;
                tail = end;
                None
            }
            step => Some(step),
        };
        // SORT's GET may come back after another option; at the end of the words the tail says so already.
        if !arg.multiple_token || ended.is_some() || used == words.len() {
            remaining.remove(at);
        }
        if let Some(step) = ended {
            return (step, remaining);
        }
    }
    (Step::Taken(used, tail), remaining)
}

/// An argument as often as it may come, or exactly as often as `count` says. `around` has the arguments whose
/// fixed words end the repetition.
fn repeat<'t>(arg: &'t Argument, words: &[&[u8]], fit: Fit, count: Option<u64>, around: &[Argument]) -> Step<'t> {
    let (mut used, mut times, mut tail) = (0, 0, Tail::default());
    loop {
        let left = &words[used..];
        let step = match times {
            0 => once(arg, left, fit),
            _ if arg.multiple_token => once(arg, left, Fit::Token),
            _ => body(arg, left, Fit::Typed),
        };
        match step {
            Step::Miss | Step::Taken(0, _) if times > 0 => break,
            Step::Taken(taken, end) => (used, times, tail) = (used + taken, times + 1, end),
            // In the middle of a group: once more may follow what is left of it.
            Step::Open(mut end) if arg.multiple => {
                end.text.extend(more_text(arg, times + 1, count));
                return Step::Open(end);
            }
            step => return step,
        }
        if !arg.multiple || used == 0 {
            return Step::Taken(used, tail);
        }
        let is_over = used == words.len() || count.is_some_and(|count| times >= count);
        if is_over || count.is_none() && opens_another(arg, words[used], around) {
            break;
        }
    }
    if used < words.len() || count.is_some_and(|count| times >= count) {
        return Step::Taken(used, tail);
    }
    tail.text.extend(more_text(arg, times, count));
    match arg.own_token().filter(|_| arg.multiple_token) {
        Some(token) => tail.expected.push(Expected::Word(token)),
        None => add_body_openers(arg, &mut tail.expected),
    }
    if count.is_some() { Step::Open(tail) } else { Step::Taken(used, tail) }
}

/// What may, or must, follow an argument that came so many times.
fn more_text(arg: &Argument, times: u64, count: Option<u64>) -> Option<String> {
    let Some(count) = count else { return Some(arg.again_text()) };
    Some(arg.count_text(count.saturating_sub(times))).filter(|text| !text.is_empty())
}

/// An argument once, its token included.
fn once<'t>(arg: &'t Argument, words: &[&[u8]], fit: Fit) -> Step<'t> {
    let Some(token) = arg.own_token() else {
        return body(arg, words, fit);
    };
    let Some((_, left)) = words.split_first().filter(|(word, _)| is_word(word, token)) else {
        return Step::Miss;
    };
    if left.is_empty() {
        let mut tail = Tail { text: vec![arg.body_text(true)], expected: Vec::new() };
        add_body_openers(arg, &mut tail.expected);
        return Step::Open(tail);
    }
    match body(arg, left, Fit::Typed) {
        Step::Taken(used, tail) => Step::Taken(used + 1, tail),
        Step::Miss => Step::Lost,
        step => step,
    }
}

/// An argument once, without its token. There is at least one word.
fn body<'t>(arg: &'t Argument, words: &[&[u8]], fit: Fit) -> Step<'t> {
    let taken = match arg.kind {
        Kind::Block => return sequence(&arg.arguments, words, fit),
        Kind::Oneof => return one_of(&arg.arguments, words, fit),
        Kind::PureToken => arg.token.as_deref().is_some_and(|token| is_word(words[0], token)),
        kind => fit == Fit::Typed && looks_like(kind, words[0]),
    };
    if taken { Step::Taken(1, Tail::default()) } else { Step::Miss }
}

/// The alternative that the word names, else the first that could take it as a value.
fn one_of<'t>(alternatives: &'t [Argument], words: &[&[u8]], fit: Fit) -> Step<'t> {
    let fits: &[Fit] = if fit == Fit::Token { &[Fit::Token] } else { &[Fit::Token, fit] };
    for fit in fits {
        for arg in alternatives {
            match repeat(arg, words, *fit, None, &[]) {
                Step::Miss | Step::Taken(0, _) => {}
                step => return step,
            }
        }
    }
    Step::Miss
}

/// What may be the first word of an argument.
fn add_openers<'t>(arg: &'t Argument, openers: &mut Vec<Expected<'t>>) {
    match arg.own_token() {
        Some(token) => openers.push(Expected::Word(token)),
        None => add_body_openers(arg, openers),
    }
}

/// What may be the first word of an argument whose token has been typed.
fn add_body_openers<'t>(arg: &'t Argument, openers: &mut Vec<Expected<'t>>) {
    match arg.kind {
        Kind::PureToken => openers.extend(arg.token.as_deref().map(Expected::Word)),
        Kind::Oneof => arg.arguments.iter().for_each(|arg| add_openers(arg, openers)),
        Kind::Block => {
            for arg in &arg.arguments {
                add_openers(arg, openers);
                if !arg.optional {
                    break;
                }
            }
        }
        _ => openers.push(Expected::Value(arg)),
    }
}

/// Whether a word is a fixed one of an argument other than `arg`, which it then introduces.
fn opens_another(arg: &Argument, word: &[u8], around: &[Argument]) -> bool {
    let mut openers = Vec::new();
    for other in around.iter().filter(|other| !std::ptr::eq(*other, arg)) {
        add_openers(other, &mut openers);
    }
    openers.iter().any(|opener| matches!(opener, Expected::Word(token) if is_word(word, token)))
}

/// The number of repetitions that follow `numkeys`, `numfields` and their kind.
fn count_given(arg: &Argument, words: &[&[u8]]) -> Option<u64> {
    if arg.kind != Kind::Integer || !arg.name.starts_with("num") {
        return None;
    }
    text::number(words.last()?)
}

/// Whether a word could be a value of that kind.
fn looks_like(kind: Kind, word: &[u8]) -> bool {
    let text = std::str::from_utf8(word).unwrap_or_default();
    let is_number = |text: &str| text.parse::<f64>().is_ok();
    match kind {
        // ZINCRBY's increment and WEIGHTS are documented so, and take any number; BITFIELD's offset takes `#1`.
        Kind::Integer | Kind::UnixTime => is_number(text.strip_prefix('#').unwrap_or(text)),
        // A bound of a range of scores may be left out of it.
        Kind::Double => is_number(text.strip_prefix('(').unwrap_or(text)),
        _ => true,
    }
}

/// Whether a typed word is this fixed one.
pub fn is_word(word: &[u8], token: &str) -> bool {
    word.eq_ignore_ascii_case(token.as_bytes())
}
