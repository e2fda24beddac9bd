//! Where a laboratory prints: a terminal taken over, or lines behind each other.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::text::{Screen, Style, size, wants_color};

/// Columns where nobody tells.
const COLUMNS: usize = 100;
/// Log lines at the foot of the screen.
const LINES: usize = 8;

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

    /// Says something, in lines.
    pub(super) fn say(&self, text: &str) {
        let mut output = self.output();
        if output.screen.is_none() {
            print(text);
            return;
        }
        output.is_stale = true;
        output.lines.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
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
        for line in &output.lines {
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

/// Prints, whether or not anyone still reads: a closed pipe is no reason to leave hosts behind.
pub(super) fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}
