//! What must hold of commands as they are read, whatever the bytes.
#![allow(clippy::panic, clippy::expect_used, clippy::missing_panics_doc, reason = "a check ends by panicking")]

use std::array;
use std::fs::File;
use std::sync::Arc;

use super::begin::{self, Begin};
use super::resp::{self, Found, Scan};
use super::rows::{Row, Rows};
use super::{Next, RowForm, Source, Template, count_lines, describe_bad, parse, plain, spans, text};
use crate::command::request::Request;
use crate::command::restrictions::holds_secret;
use crate::fuzz::Decisions;

/// An input of lines or of RESP; the first byte says how large the pieces are in which RESP comes.
pub fn input(data: &[u8]) {
    let Some((size, bytes)) = data.split_first() else { return };
    check_resp(bytes, 1 + usize::from(*size));
    for line in bytes.split(|byte| *byte == b'\n') {
        check_line(line);
    }
    check_plain(bytes);
    check_source(bytes, 1 + usize::from(*size));
    check_rows(bytes, 1 + usize::from(*size));
}

/// Both ways to take a plain line are what the careful way makes of it.
fn check_plain(bytes: &[u8]) {
    let (mut request, mut packed, mut expected) = (Request::new(["left"]), Vec::new(), Vec::new());
    let taken = plain::parse(bytes, &mut request);
    assert_eq!(plain::pack(bytes, &mut packed).map(|plain| plain.taken), taken, "{}", bytes.escape_ascii());
    if let Some(taken) = taken {
        request.pack(&mut expected);
        assert!(bytes[taken - 1] == b'\n' && packed == expected, "{}", bytes[..taken].escape_ascii());
        assert_eq!(careful(&bytes[..taken - 1]), Some(request), "{}", bytes[..taken].escape_ascii());
    }
}

/// The rows of a table are the same however they come, and as the parser of whole tables has them.
fn check_rows(bytes: &[u8], size: usize) {
    // To build their parser takes longer than all the rest.
    thread_local!(static FRESH: [Rows; 2] = array::from_fn(|form| {
        let Ok(template) = Template::read(b"ECHO {1}", "") else { panic!("a template") };
        Rows::new(&RowForm { template: Arc::new(template), is_tsv: form == 0 })
    }));
    let read = |size: usize| {
        let mut rows = FRESH.with(|fresh| fresh[bytes.len() % 2].clone());
        let (mut request, mut found) = (Request::default(), Vec::new());
        let (mut start, mut end, mut lines) = (0, 0, 0);
        loop {
            end = bytes.len().min(end + size);
            request.clear();
            let (taken, row) = rows.read(&bytes[start..end], lines, end == bytes.len(), &mut request);
            lines += count_lines(&bytes[start..start + taken]);
            start += taken;
            assert!(start <= end);
            let is_last = matches!(row, Row::End | Row::Bad(_, false));
            if matches!(row, Row::Whole | Row::Bad(_, true)) {
                end = start;
            }
            if row != Row::Part {
                found.push((rows.line(), row, request.clone()));
                rows.begin_next();
            }
            if is_last {
                return found;
            }
        }
    };
    assert_eq!(read(size), read(bytes.len().max(1)));
}

/// A template, the header of a table, and a row of it: what is filled in is never read again.
pub fn template(data: &[u8]) {
    let mut decisions = Decisions(data);
    let columns = usize::from(decisions.byte() % 5);
    let header: Vec<&[u8]> = (0..columns).map(|_| decisions.text(10)).collect();
    let cells: Vec<&[u8]> = (0..columns).map(|_| decisions.text(20)).collect();
    let text = decisions.0;
    let mut written = Request::default();
    let is_command = parse(text, &mut written).is_ok() && !written.is_empty();
    let template = match Template::read(text, "--from-csv") {
        Ok(template) => template,
        Err(failure) => {
            let message = failure.into_message();
            let has_braces = written.args().any(|arg| memchr::memchr2(b'{', b'}', arg).is_some());
            assert!(message.starts_with("--from-csv: ") && (!is_command || has_braces), "{message}");
            return;
        }
    };
    assert!(is_command, "{}", text.escape_ascii());
    let bound = match template.bind(&header) {
        Ok(bound) => bound,
        Err(reason) => return assert!(reason.contains("column") && !reason.contains('\n'), "{reason}"),
    };
    let mut filled = Request::default();
    bound.fill(|place| cells[place], &mut filled);
    let expected: Vec<Vec<u8>> = written.args().map(|arg| fill_in(arg, &header, &cells)).collect();
    assert!(filled.args().eq(expected.iter().map(Vec::as_slice)), "{}", text.escape_ascii());
    let mut packed = Vec::new();
    filled.pack(&mut packed);
    assert_eq!(Request::unpack(&packed), filled);
}

/// The same, one brace after the other.
fn fill_in(arg: &[u8], header: &[&[u8]], cells: &[&[u8]]) -> Vec<u8> {
    let (mut filled, mut at) = (Vec::new(), 0);
    while at < arg.len() {
        if arg[at] != b'{' || arg.get(at + 1) == Some(&b'{') {
            at += usize::from(matches!(arg[at], b'{' | b'}'));
            filled.push(arg[at]);
            at += 1;
            continue;
        }
        let Some(length) = arg[at..].iter().position(|byte| *byte == b'}') else { panic!("{}", arg.escape_ascii()) };
        let name = &arg[at + 1..at + length];
        let number = || std::str::from_utf8(name).ok()?.parse::<usize>().ok()?.checked_sub(1);
        let column = header.iter().position(|column| *column == name).or_else(number);
        let Some(cell) = column.and_then(|column| cells.get(column)) else { panic!("{}", name.escape_ascii()) };
        filled.extend_from_slice(cell);
        at += length + 1;
    }
    filled
}

fn careful(line: &[u8]) -> Option<Request> {
    let mut request = Request::default();
    parse(line.strip_suffix(b"\r").unwrap_or(line), &mut request).is_ok().then_some(request)
}

fn check_line(line: &[u8]) {
    let (places, trouble) = spans(line);
    assert!(places.windows(2).all(|pair| pair[0].end <= pair[1].start), "{places:?}");
    assert!(places.last().is_none_or(|last| last.end <= line.len()), "{places:?}");
    let mut request = Request::default();
    if let Err(malformed) = text::parse(line, &mut request, text::Quotes::Strict) {
        assert!(malformed.at <= line.len() && trouble == Some(malformed), "{}", line.escape_ascii());
    } else {
        assert!(trouble.is_none() && places.len() == request.len(), "{places:?}: {}", line.escape_ascii());
    }
    request.clear();
    if let Err(malformed) = parse(line, &mut request) {
        let (reason, pointer) = describe_bad(line, line, &malformed);
        assert!(!reason.is_empty() && pointer.is_none_or(|pointer| pointer.lines().count() == 2));
        return;
    }
    let mut packed = Vec::new();
    request.pack(&mut packed);
    assert_eq!(Request::unpack(&packed), request);
    assert!(packed.len() <= request.packed_size());
    for limit in [0, 5, 100] {
        assert!(request.shown(limit).chars().count() <= limit + 3 || holds_secret(&request));
    }
    let shown = request.shown(1 << 24);
    if !holds_secret(&request) {
        assert_eq!(careful(shown.as_bytes()), Some(request), "{shown}");
    }
}

/// A command in RESP is the same however it comes.
fn check_resp(bytes: &[u8], size: usize) {
    let mut whole = Request::default();
    let expected = resp::parse(bytes, &mut Scan::default(), &mut whole);
    let (mut scan, mut request, mut found) = (Scan::default(), Request::default(), Ok(Found::Part));
    let mut end = 0;
    while end < bytes.len() && found == Ok(Found::Part) {
        end = (end + size).min(bytes.len());
        request.clear();
        found = resp::parse(&bytes[..end], &mut scan, &mut request);
    }
    if let Ok(Found::Command(taken)) = &found {
        assert!(*taken <= end);
        let mut packed = Vec::new();
        request.pack(&mut packed);
        assert_eq!(Request::unpack(&packed), request);
    }
    if bytes.is_empty() {
        return;
    }
    assert_eq!(found.is_err(), expected.is_err(), "{found:?} and {expected:?}");
    if let (Ok(found), Ok(expected)) = (found, expected) {
        assert_eq!(found, expected);
        if expected != Found::Part {
            assert_eq!(request, whole);
        }
    }
}

/// A file gives what its lines give one by one, however it comes.
fn check_source(bytes: &[u8], size: usize) {
    // Nothing is read of it: to write a file and read it takes longer than all the rest.
    thread_local!(static NOTHING: File = File::open("/dev/null").expect("a file"));
    let file = NOTHING.with(File::try_clone);
    let Ok(file) = file else { panic!("{file:?}") };
    let mut source = Source::new("file".to_owned(), file);
    let mut pieces = bytes.chunks(size);
    let (mut request, mut came) = (Request::default(), Vec::new());
    loop {
        match source.next(&mut request) {
            Ok(Next::Command) => came.push((request.line, request.clone())),
            Ok(Next::Pending) => source.give(pieces.next().unwrap_or_default()),
            Ok(Next::End) => break,
            Err(bad) if !bad.recoverable => break,
            Err(_) => {}
        }
    }
    assert!(source.consumed() <= bytes.len() as u64);
    let Begin::Lines(mark) = begin::look(bytes, true) else { return };
    let lines = (1..).zip(bytes[mark..].split(|byte| *byte == b'\n'));
    let expected = lines.filter_map(|(number, line)| {
        let mut request = careful(line).filter(|request| !request.is_empty())?;
        request.line = number;
        Some((number, request))
    });
    assert!(came.iter().cloned().eq(expected), "{}", bytes.escape_ascii());
}
