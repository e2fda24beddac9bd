//! Where a laboratory prints: a terminal taken over, or lines behind each other.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steelyard_terminal::{Screen, Style, size, wants_color};

/// Columns where nobody tells.
const COLUMNS: usize = 100;
/// Log lines at the foot of the screen, at most.
const LINES: usize = 8;
/// The log gets at most one of so many rows.
const SHARE: usize = 5;
/// Rows around the log: its heading, a blank one, and how the laboratory is ended.
const FRAME: usize = 4;

/// The output; clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Console(Arc<Mutex<Output>>);

#[derive(Debug)]
struct Output {
    screen: Option<Screen>,
    lines: VecDeque<String>,
    /// Something was said since the last page.
    is_stale: bool,
    color: bool,
}

impl Console {
    /// Standard output, line by line.
    pub(super) fn new() -> Self {
        let color = wants_color();
        let output = Output { screen: None, lines: VecDeque::new(), is_stale: false, color };
        Self(Arc::new(Mutex::new(output)))
    }

    /// Takes the terminal over, if it is one; whether it is.
    pub(super) fn take_over(&self) -> bool {
        let is_terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        if is_terminal {
            self.output().screen = Some(Screen::open());
        }
        is_terminal
    }

    /// Gives the terminal back.
    pub(super) fn give_back(&self) {
        self.output().screen = None;
    }

    /// Colours are wanted.
    pub(super) fn color(&self) -> bool {
        self.output().color
    }

    /// Columns of a line.
    pub(super) fn columns(&self) -> usize {
        size().map_or(COLUMNS, |(_, columns)| columns)
    }

    /// Rows and columns of a page; as many rows as it wants without a screen.
    pub(super) fn room(&self) -> (usize, usize) {
        let rows = size().filter(|_| self.output().screen.is_some()).map(|(rows, _)| rows);
        let rows = rows.map(|rows| rows.saturating_sub(log_lines(rows) + FRAME));
        (rows.unwrap_or(usize::MAX), self.columns())
    }

    /// Says something, in lines.
    pub(super) fn say(&self, text: &str) {
        let mut output = self.output();
        if output.screen.is_none() {
            print(text);
            return;
        }
        output.is_stale = true;
        output.lines.extend(text.lines().filter(|line| !line.is_empty()).map(brief));
        while output.lines.len() > LINES {
            output.lines.pop_front();
        }
    }

    /// Whether something was said since the last page.
    pub(super) fn is_stale(&self) -> bool {
        self.output().is_stale
    }

    /// Draws the page, with the last that was said below; nothing without a screen.
    pub(super) fn draw(&self, page: &str) {
        let mut output = self.output();
        output.is_stale = false;
        let mut log = Style::Heading.paint("LOG", output.color) + "\n";
        let most = size().map_or(LINES, |(rows, _)| log_lines(rows));
        for line in output.lines.iter().skip(output.lines.len().saturating_sub(most)) {
            log += line;
            log.push('\n');
        }
        if let Some(screen) = &output.screen {
            screen.draw(page, &log, "lab show");
        }
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Log lines on a screen of so many rows.
fn log_lines(rows: usize) -> usize {
    (rows / SHARE).min(LINES)
}

/// A line of a log with the time of day to the millisecond, as a screen has room for:
/// `2026-11-21T15:45:52.802631Z  WARN …` becomes `15:45:52.802 WARN …`.
fn brief(line: &str) -> String {
    const TIME: usize = "2026-11-21T15:45:52.802631".len();
    let whole = || line.to_owned();
    let Some((before, after)) = line.split_once("Z ") else { return whole() };
    let start = before.rfind(' ').map_or(0, |blank| blank + 1);
    let time = &before[start..];
    let is_time = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        19 => byte == b'.',
        _ => byte.is_ascii_digit(),
    };
    if time.len() != TIME || !time.bytes().enumerate().all(is_time) {
        return whole();
    }
    format!("{}{} {}", &before[..start], &time[11..23], after.trim_start())
}

/// Prints, whether or not anyone still reads: a closed pipe is no reason to leave hosts behind.
pub(super) fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_enough_on_a_screen() {
        for (line, expected) in [
            ("n | 2026-11-21T15:45:52.802631Z  WARN x", "n | 15:45:52.802 WARN x"),
            ("2026-11-21T15:45:52.802631Z  INFO a Z b", "15:45:52.802 INFO a Z b"),
            ("n | from A to Z and on", "n | from A to Z and on"),
            ("n | 2026-11-21T15:45:52.8026äZ x", "n | 2026-11-21T15:45:52.8026äZ x"),
            ("killed", "killed"),
        ] {
            assert_eq!(brief(line), expected);
        }
    }
}
