//! The heads of a response, as they came and as they went on, for whoever tells of them.

/// The heads of a final response. Memory is kept from one to the next.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    came: Vec<u8>,
    went: Vec<u8>,
}

impl Witness {
    /// What the endpoint sent.
    pub(super) fn came(&mut self, head: &[u8]) {
        self.clear();
        self.came.extend_from_slice(head);
    }

    /// What the client is sent: `head`, or what begins with it.
    pub fn went(&mut self, head: &[u8]) {
        self.went.clear();
        let end = memchr::memmem::find(head, b"\r\n\r\n").unwrap_or(head.len());
        self.went.extend_from_slice(&head[..end]);
    }

    /// Forgets both.
    pub fn clear(&mut self) {
        self.came.clear();
        self.went.clear();
    }

    /// Names and values of the lines that the endpoint sent.
    pub fn came_lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        lines(&self.came)
    }

    /// Names and values of the lines that the client is sent.
    pub fn went_lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        lines(&self.went)
    }
}

fn lines(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    head.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
        let at = memchr::memchr(b':', line)?;
        Some((line[..at].trim_ascii(), line[at + 1..].trim_ascii()))
    })
}
