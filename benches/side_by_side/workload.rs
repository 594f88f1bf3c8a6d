//! Input files: the same commands as text lines for `rcli` and as RESP for `redis-cli --pipe`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::lab::Lab;

/// One list of commands in both forms.
pub struct Workload {
    /// One command a line.
    pub text: PathBuf,
    /// The same as RESP.
    pub resp: PathBuf,
    /// How many commands there are.
    pub lines: usize,
}

impl Workload {
    /// `lines` commands, the n-th made by `command`; written once for each name and size.
    fn write(lab: &Lab, name: &str, lines: usize, command: impl Fn(usize) -> String) -> Result<Self> {
        let workload = Self {
            text: lab.path(&format!("{name}-{lines}.txt")),
            resp: lab.path(&format!("{name}-{lines}.resp")),
            lines,
        };
        if !workload.resp.exists() {
            write_text(&workload.text, lines, &command)?;
            write_resp(&workload.resp, lines, &command)?;
        }
        Ok(workload)
    }

    /// `SET` of as many keys as there are lines.
    pub fn sets(lab: &Lab, lines: usize) -> Result<Self> {
        Self::write(lab, "set", lines, |n| format!("SET key:{n:07} value-{n:07}"))
    }

    /// GET, INCR, LPUSH, LRANGE and HGETALL in turn, over the keys of [`seed_mixed`].
    pub fn mixed(lab: &Lab, lines: usize) -> Result<Self> {
        Self::write(lab, "mixed", lines, |n| {
            let key = (n / 5) % 1000;
            match n % 5 {
                0 => format!("GET string:{key}"),
                1 => format!("INCR counter:{key}"),
                2 => format!("LPUSH list:{key} item-{n}"),
                3 => format!("LRANGE list:{key} 0 9"),
                _ => format!("HGETALL hash:{key}"),
            }
        })
    }
}

/// The keys and values of [`Workload::sets`] as CSV.
pub fn rows(lab: &Lab, lines: usize) -> Result<PathBuf> {
    let path = lab.path("rows.csv");
    write_text(&path, lines + 1, |n| match n.checked_sub(1) {
        None => "key,value".to_owned(),
        Some(n) => format!("{n:07},\"{n:07}\""),
    })?;
    Ok(path)
}

/// `SET` of 100,000 keys over and over, for runs whose server should stay small; text only.
pub fn repeated_sets(lab: &Lab, lines: usize) -> Result<PathBuf> {
    let path = lab.path("repeated-sets.txt");
    write_text(&path, lines, |n| format!("SET key:{:07} value-{n:07}", n % 100_000))?;
    Ok(path)
}

/// GETs of one value, which the caller stores under `big`; text only.
pub fn big_gets(lab: &Lab, lines: usize) -> Result<PathBuf> {
    let path = lab.path("big-gets.txt");
    write_text(&path, lines, |_| "GET big".to_owned())?;
    Ok(path)
}

fn write_text(path: &Path, lines: usize, command: impl Fn(usize) -> String) -> Result<()> {
    let mut text = BufWriter::new(File::create(path)?);
    for index in 0..lines {
        writeln!(text, "{}", command(index))?;
    }
    Ok(text.flush()?)
}

fn write_resp(path: &Path, lines: usize, command: impl Fn(usize) -> String) -> Result<()> {
    let mut resp = BufWriter::new(File::create(path)?);
    for index in 0..lines {
        let line = command(index);
        write!(resp, "*{}\r\n", line.split(' ').count())?;
        for word in line.split(' ') {
            write!(resp, "${}\r\n{word}\r\n", word.len())?;
        }
    }
    Ok(resp.flush()?)
}

/// The strings and hashes that the mixed lines read.
pub fn seed_mixed(lab: &mut Lab) -> Result<()> {
    seed(lab, 5, 0)
}

/// The same with hashes of three fields and lists of ten elements, so that every LRANGE has ten.
pub fn seed_full_lists(lab: &mut Lab) -> Result<()> {
    seed(lab, 3, 10)
}

fn seed(lab: &mut Lab, fields: usize, elements: usize) -> Result<()> {
    let mut pipeline = redis::pipe();
    for key in 0..1000 {
        pipeline.cmd("SET").arg(format!("string:{key}")).arg(format!("value of {key}"));
        pipeline.cmd("HSET").arg(format!("hash:{key}"));
        for field in 0..fields {
            pipeline.arg(format!("field{field}")).arg(format!("value{field}"));
        }
        for element in 0..elements {
            pipeline.cmd("RPUSH").arg(format!("list:{key}")).arg(format!("item-{element}"));
        }
    }
    lab.server.flush()?;
    lab.server.fill(&pipeline)
}
