//! Text for people: aligned columns, a page that is drawn again and again, and colour on a terminal
//! only.
//!
//! It knows nothing of what it shows. Standard output is where results go; what accompanies them
//! goes to standard error, and where nobody reads that either, work goes on. Commands that run for
//! long [`detach`] from both.

mod line;
mod outlet;
mod screen;
mod table;

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use rustix::event::{PollFd, PollFlags};

pub use line::Line;
use outlet::{Stream, say};
pub use outlet::{detach, finish};
pub use screen::{Screen, size};
pub use table::{Cell, Table};

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people: aligned, coloured on a terminal
    #[default]
    Text,
    /// For programs: stable shapes
    Json,
}

/// How a piece of text is set off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// A heading.
    Heading,
    /// Something that works.
    Good,
    /// Something to look at.
    Careful,
    /// Something that does not work.
    Bad,
    /// Less important.
    Faint,
}

/// Results cannot be written, as on a full disk.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub struct PutError(#[source] std::io::Error);

/// Whether text goes to a terminal, and colours are wanted there (<https://no-color.org>).
pub fn wants_color() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Writes results to standard output. A reader that has seen enough (`| head`) is no failure.
///
/// # Errors
/// When it cannot be written, as on a full disk.
pub fn put(text: &str) -> Result<(), PutError> {
    let mut out = std::io::stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(PutError(error)),
        _ => Ok(()),
    }
}

/// Writes what only accompanies the work to standard output: it goes on where that is closed.
pub fn show(text: &str) {
    say(Stream::Out, text.as_bytes());
}

/// Writes to standard error. Where that cannot be written either, nobody hears it.
pub fn note(text: &str) {
    say(Stream::Err, text.as_bytes());
}

/// Writes lines to standard error, as [`note`]. They may have in them what others said: nothing of
/// that is an order to a terminal.
pub fn complain(text: &str) {
    note(&complaint(text));
}

fn complaint(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(line::escaped).collect();
    lines.join("\n") + "\n"
}

/// Whether standard output is a pipe that nobody reads any more.
pub fn is_abandoned() -> bool {
    let out = std::io::stdout();
    let mut polled = [PollFd::new(&out, PollFlags::empty())];
    let now = rustix::event::Timespec::default();
    rustix::event::poll(&mut polled, Some(&now)).is_ok()
        && polled[0].revents().contains(PollFlags::ERR)
}

impl Style {
    /// `text` in this style, or as it is without colour.
    pub fn paint(self, text: &str, color: bool) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Heading => "1",
            Self::Good => "32",
            Self::Careful => "33",
            Self::Bad => "31",
            Self::Faint => "2",
        };
        if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn what_others_said_gives_a_terminal_no_orders() {
        assert_eq!(complaint("error: no\nway"), "error: no\nway\n");
        assert_eq!(complaint("no \x1b]0;x\x07\u{9b}2J"), "no \\u{1b}]0;x\\u{7}\\u{9b}2J\n");
    }
}
