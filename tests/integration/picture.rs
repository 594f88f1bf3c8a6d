//! The picture of README: a real session, drawn from the screen of a real terminal. Not a test of anything:
//! `just picture` writes docs/session.svg anew.

use std::fmt::Write as _;

use crate::server::Server;

const COLUMNS: u16 = 112;
const CELL: (f32, f32) = (8.4, 19.0);
const MARGIN: f32 = 16.0;

/// The colour of a cell, on a dark ground.
fn color(cell: &vt100::Cell) -> &'static str {
    if cell.dim() || cell.fgcolor() == vt100::Color::Idx(244) {
        return "#7f8c98";
    }
    match cell.fgcolor() {
        vt100::Color::Idx(1 | 9 | 167) => "#ff7b72",
        vt100::Color::Idx(2 | 10 | 28) => "#7ee787",
        vt100::Color::Idx(3 | 11) => "#f2cc60",
        vt100::Color::Idx(4 | 12 | 32) => "#79c0ff",
        vt100::Color::Idx(5 | 13) => "#d2a8ff",
        vt100::Color::Idx(6 | 14 | 30) => "#56d4dd",
        _ => "#e6edf3",
    }
}

/// A screen as a picture: a text for each run of cells that look the same.
fn draw(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let text = |row: u16| screen.rows(0, columns).nth(row.into()).unwrap_or_default();
    let last = (0..rows).rev().find(|row| !text(*row).trim().is_empty()).unwrap_or(0);
    let (width, height) = (f32::from(columns) * CELL.0 + 2.0 * MARGIN, f32::from(last + 1) * CELL.1 + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>A session of rcli</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, monospace\" font-size=\"14\" xml:space=\"preserve\">\n"
    );
    for row in 0..=last {
        let mut column = 0;
        while column < columns {
            let Some(first) = screen.cell(row, column) else { break };
            let look = (color(first), first.bold());
            let begin = column;
            let mut run = String::new();
            while let Some(cell) = screen.cell(row, column).filter(|cell| (color(cell), cell.bold()) == look) {
                run.push_str(if cell.has_contents() { cell.contents() } else { " " });
                column += 1;
            }
            if run.trim().is_empty() {
                continue;
            }
            let (x, y) = (MARGIN + f32::from(begin) * CELL.0, MARGIN + f32::from(row) * CELL.1 + 14.0);
            let run = run.trim_end();
            let length = CELL.0 * f32::from(u16::try_from(run.chars().count()).expect("a row"));
            let weight = if look.1 { " font-weight=\"bold\"" } else { "" };
            let run = run.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\" fill=\"{}\"{weight}>{run}</text>",
                look.0
            );
        }
    }
    svg + "</g>\n</svg>\n"
}

#[test]
#[ignore = "draws docs/session.svg"]
fn draw_the_session() {
    let mut server = Server::start();
    server.ask("HSET user:1 name Ada born 1815 language en");
    server.ask("SET stock 41");
    server.ask("SET session:9 x EX 7505");
    let config = format!("[profile.shop]\nport = {}\ncolor = \"green\"\n", server.port());
    let terminal = crate::rcli::rcli(["--profile", "shop", "--color", "always"])
        .file(".config/rcli/config.toml", config)
        .mode(".config/rcli/config.toml", 0o600)
        .on_terminal(COLUMNS);
    let prompt = |rows: &[String]| rows.last().is_some_and(|row| row == "shop>" || row.ends_with(")>"));
    let line = |text: &str| {
        terminal.line(text);
        terminal.wait(text, prompt);
    };
    terminal.wait("the prompt", prompt);
    line("SUBSCRIBE orders &");
    terminal.shows("\"subscribe\"");
    server.ask("PUBLISH orders {\"id\":7}");
    terminal.shows("\"message\"");
    line("HGETALL user:1 | sort");
    line("TTL session:9");
    line("MULTI");
    line("DECR stock");
    line("LPUSH log sold");
    server.kill_nine();
    server.restart();
    server.ask("SET stock 41");
    terminal.shows("econnected");
    line("EXEC");
    terminal.keys("ZADD board 1200 ");
    terminal.wait("a hint", |rows| rows.last().is_some_and(|row| row.contains("ZADD board 1200 member")));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/session.svg");
    std::fs::write(path, terminal.with_screen(draw)).expect("the picture is written");
}
