//! The live summary on a terminal: what is served where, and the last log lines.
//!
//! At the end the log lines are printed once more, below the user's own text.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use steelyard_terminal::{Line, Screen, Style, wants_color};

use crate::args::{LogStyle, ServeArgs};
use crate::instance::Instance;
use crate::logging;
use crate::tell::summary::summary;

/// How many log lines are shown.
const LINES: usize = 8;
/// It is drawn no more often: many vips may move one after the other.
const PAUSE: Duration = Duration::from_millis(100);

/// The summary; dropping it gives the terminal back.
pub(super) struct Live {
    screen: Screen,
    log: LastLines,
    drawn: Option<Instant>,
    due: Option<Instant>,
}

/// The last log lines, for the foot of the summary.
#[derive(Clone, Default)]
struct LastLines(Arc<Mutex<VecDeque<String>>>);

impl Live {
    /// Takes the terminal over, if there is one and nobody asked for logs.
    pub(super) fn start(args: &ServeArgs) -> Result<Option<Self>> {
        let wanted = args.show.style() == LogStyle::Text
            && std::io::stdout().is_terminal()
            && std::io::stderr().is_terminal();
        if !wanted {
            return Ok(None);
        }
        steelyard_terminal::detach()?;
        let log = LastLines::default();
        let shown = log.clone();
        let filter = logging::filter(args.show.level())?;
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_target(false)
            .with_ansi(wants_color())
            .with_writer(move || {
                let shown = shown.clone();
                Line(move |line: &str| shown.push(line))
            })
            .init();
        Ok(Some(Self { screen: Screen::open(), log, drawn: None, due: None }))
    }

    /// When a change is to be drawn that came too soon after the one before.
    pub(super) async fn due(&self) {
        match self.due {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    }

    /// Draws the summary as it is now, or leaves that for [`Live::due`].
    pub(super) fn draw(&mut self, running: &Instance) {
        let now = Instant::now();
        let next = self.drawn.map(|at| at + PAUSE).filter(|at| *at > now);
        if next.is_some() {
            self.due = next;
            return;
        }
        (self.drawn, self.due) = (Some(now), None);
        let mut log = Style::Heading.paint("LOG\n", wants_color());
        for line in self.log.0.lock().unwrap_or_else(|broken| broken.into_inner()).iter() {
            log += line;
        }
        let (privileges, admin) = (&running.settings().privileges, running.admin_address());
        let page = running.current().map(|it| summary(it, privileges, admin, wants_color()));
        let page = page.unwrap_or_default();
        self.screen.draw(&page, &log, "steelyard get services");
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.screen.close();
        for line in self.log.0.lock().unwrap_or_else(|broken| broken.into_inner()).iter() {
            steelyard_terminal::note(line);
        }
    }
}

impl LastLines {
    fn push(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(|broken| broken.into_inner());
        lines.push_back(line.to_owned());
        while lines.len() > LINES {
            lines.pop_front();
        }
    }
}
