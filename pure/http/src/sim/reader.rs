//! HTTP/1 as clients and endpoints of the simulation read it: byte by byte, and nothing of it
//! shared with the code that is simulated.

/// Reads one message after the other.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    stage: Stage,
    line: Vec<u8>,
    /// The next message is the response to HEAD.
    pub(super) bodiless: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Head,
    Length(usize),
    Size,
    Chunk(usize),
    ChunkEnd,
    Trailers,
    UntilClose,
}

/// What a byte completed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Head(Head),
    Body(u8),
    End,
}

/// A head, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head(pub(super) String);

impl Head {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let lines = self.0.lines().skip(1).filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }

    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.field(name)?.parse().ok()
    }

    pub(super) fn word(&self, n: usize) -> &str {
        self.0.split([' ', '\r']).nth(n).unwrap_or_default()
    }

    fn is_response(&self) -> bool {
        self.0.starts_with("HTTP/")
    }

    pub(super) fn is_interim(&self) -> bool {
        self.word(1).starts_with('1')
    }
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { stage: Stage::Head, line: Vec::new(), bodiless: false }
    }

    /// Whether it is between two messages.
    pub(super) fn is_idle(&self) -> bool {
        self.stage == Stage::Head && self.line.is_empty()
    }

    /// Whether the end of the connection ends the message.
    pub(super) fn ends_with_connection(&self) -> bool {
        self.stage == Stage::UntilClose
    }

    /// Takes a byte. What is no HTTP/1 is an error.
    pub(super) fn feed(&mut self, byte: u8, out: &mut Vec<Read>) -> Result<(), String> {
        match self.stage {
            Stage::Head => {
                self.line.push(byte);
                if self.line == b"\r\n" {
                    self.line.clear();
                } else if self.line.ends_with(b"\r\n\r\n") {
                    self.head(out)?;
                }
            }
            Stage::Length(left) => {
                out.push(Read::Body(byte));
                self.length(left - 1, out);
            }
            Stage::UntilClose => out.push(Read::Body(byte)),
            Stage::Chunk(left) => {
                out.push(Read::Body(byte));
                self.stage = if left == 1 { Stage::ChunkEnd } else { Stage::Chunk(left - 1) };
            }
            Stage::Size | Stage::ChunkEnd | Stage::Trailers => {
                self.line.push(byte);
                if self.line.ends_with(b"\r\n") {
                    self.line(out)?;
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, out: &mut Vec<Read>) -> Result<(), String> {
        let line =
            String::from_utf8(std::mem::take(&mut self.line)).map_err(|it| it.to_string())?;
        self.stage = match (self.stage, line.trim_end()) {
            (Stage::ChunkEnd, "") => Stage::Size,
            (Stage::Size, size) => match usize::from_str_radix(size, 16) {
                Ok(0) => Stage::Trailers,
                Ok(size) => Stage::Chunk(size),
                Err(_) => return Err(format!("{line:?} is no chunk's size")),
            },
            (Stage::Trailers, "X-Trailer: x") => Stage::Trailers,
            (Stage::Trailers, "") => {
                out.push(Read::End);
                Stage::Head
            }
            _ => return Err(format!("{line:?} is no line of a chunked body")),
        };
        Ok(())
    }

    fn head(&mut self, out: &mut Vec<Read>) -> Result<(), String> {
        let text =
            String::from_utf8(std::mem::take(&mut self.line)).map_err(|it| it.to_string())?;
        let head = Head(text);
        if !head.is_response() && !head.word(2).starts_with("HTTP/1.") {
            return Err(format!("{:?} is no head", head.0));
        }
        let none = head.is_interim() || head.word(1) == "204";
        let (length, chunked) =
            (head.number("content-length"), head.field("transfer-encoding").is_some());
        let bodiless = none || (self.bodiless && head.is_response());
        let response = head.is_response();
        out.push(Read::Head(head));
        match (bodiless, chunked, length) {
            (true, ..) => self.length(0, out),
            (_, true, _) => self.stage = Stage::Size,
            (_, _, Some(length)) => self.length(length, out),
            (_, _, None) if response => self.stage = Stage::UntilClose,
            _ => self.length(0, out),
        }
        Ok(())
    }

    fn length(&mut self, left: usize, out: &mut Vec<Read>) {
        self.stage = if left > 0 { Stage::Length(left) } else { Stage::Head };
        if left == 0 {
            out.push(Read::End);
        }
    }
}
