//! A terminal taken over: a page that is drawn again and again, and log lines at its foot.
//!
//! It is shown on the terminal's other screen, which is left at the end (also by a panic, through
//! `Drop`), so that nothing of the user's own text is lost.

const OTHER_SCREEN: &str = "\x1b[?1049h\x1b[?25l";
const OWN_SCREEN: &str = "\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_REST: &str = "\x1b[J";

/// The terminal, as long as it is ours.
#[derive(Debug)]
pub struct Screen {
    is_open: bool,
}

impl Screen {
    /// Takes over the terminal that standard output is.
    pub fn open() -> Self {
        super::show(OTHER_SCREEN);
        Self { is_open: true }
    }

    /// Draws `page`, and `log` at its foot; `more` says where what does not fit can be seen.
    pub fn draw(&self, page: &str, log: &str, more: &str) {
        let out = HOME.to_owned() + &frame(page, log, more, size()) + CLEAR_REST;
        // A terminal that is gone ends us by SIGHUP; nothing else to do about it here.
        super::show(&out);
    }

    /// Gives it back.
    pub fn close(&mut self) {
        if std::mem::take(&mut self.is_open) {
            super::show(OWN_SCREEN);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

/// Rows and columns of the terminal; none where it does not tell.
pub fn size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some((size.ws_row.into(), size.ws_col.into())).filter(|(rows, columns)| rows * columns > 0)
}

/// `page` and, at its foot, `log`, as much of both as fits: no line is wrapped, so that the top
/// stays where it is. `more` says where the rest can be seen.
fn frame(page: &str, log: &str, more: &str, size: Option<(usize, usize)>) -> String {
    let (rows, columns) = size.unwrap_or((usize::MAX, usize::MAX));
    let log: Vec<&str> = log.lines().collect();
    let page: Vec<&str> = page.lines().collect();
    let room = rows.saturating_sub(log.len() + 2);
    let mut lines: Vec<String> = page.iter().take(room).map(|line| cut(line, columns)).collect();
    if page.len() > room {
        let rest = format!("… {} more lines: {more}", page.len() - room);
        lines.push(cut(&rest, columns));
    } else {
        lines.push(String::new());
    }
    lines.extend(log.iter().map(|line| cut(line, columns)));
    lines.truncate(rows);
    lines.join(&format!("{CLEAR_LINE}\r\n")) + CLEAR_LINE
}

/// The first `columns` characters of `line`, colours not counted.
fn cut(line: &str, columns: usize) -> String {
    let visible = |text: &str| text.chars().count();
    let mut out = String::new();
    let mut left = columns;
    let mut painted = false;
    for (index, part) in line.split('\x1b').enumerate() {
        let (code, text) = match part.find('m').filter(|_| index > 0) {
            Some(end) => part.split_at(end + 1),
            None => ("", part),
        };
        if !code.is_empty() {
            out.push('\x1b');
            out += code;
            painted = code != "[0m";
        }
        if visible(text) > left {
            out.extend(text.chars().take(left.saturating_sub(1)));
            out.push('…');
            if painted {
                out += "\x1b[0m";
            }
            return out;
        }
        out += text;
        left -= visible(text);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_colours_closed() {
        let table = [
            ("short", 10, "short"),
            ("exactly", 7, "exactly"),
            ("too long", 5, "too …"),
            ("a \x1b[32mgreen\x1b[0m b", 9, "a \x1b[32mgreen\x1b[0m b"),
            ("a \x1b[32mgreen\x1b[0m b", 5, "a \x1b[32mgr…\x1b[0m"),
            ("\x1b[1mhead\x1b[0m tail", 6, "\x1b[1mhead\x1b[0m …"),
        ];
        for (line, columns, expected) in table {
            assert_eq!(cut(line, columns), expected, "{line:?} in {columns}");
        }
    }

    #[test]
    fn a_small_terminal_shows_the_top_and_the_log() {
        let page = "1\n2\n3\n4\n5\n6\n";
        let of = |rows| -> Vec<String> {
            let text = frame(page, "LOG\na\n", "get", Some((rows, 80)));
            text.split("\r\n").map(|line| line.replace(CLEAR_LINE, "")).collect()
        };
        assert_eq!(of(20).join(" "), "1 2 3 4 5 6  LOG a");
        assert_eq!(of(7)[..3], ["1", "2", "3"]);
        assert!(of(7)[3].starts_with("… 3 more lines"), "{:?}", of(7));
        assert_eq!(of(7)[4..], ["LOG", "a"]);
        assert_eq!(of(1).len(), 1);
    }
}
