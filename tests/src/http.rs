//! A small HTTP/1.1 client on plain sockets: one that no code of the project has a part in.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The head, as sent.
    pub head: String,
    /// The content.
    pub body: String,
}

impl Answer {
    /// The first field of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The echo server that answered, `test-app-1`; empty when none did.
    pub fn replica(&self) -> &str {
        self.header("x-replica").unwrap_or_default()
    }

    /// The workload of that replica.
    pub fn workload(&self) -> &str {
        self.replica().rsplit_once('-').map_or("", |(workload, _)| workload)
    }
}

/// `GET path` at `address`, asking for `host`, on a connection of its own.
pub fn get(address: SocketAddr, host: &str, path: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    exchange(&mut stream, request.as_bytes())
}

/// Sends a request whose answer ends with its connection, and reads that.
pub fn exchange(stream: &mut (impl Read + Write), request: &[u8]) -> Result<Answer> {
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).context("no whole answer")?;
    parse(&bytes)
}

/// A connection that is kept between requests.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// `GET path`, asking for `host`; only answers with a length are understood.
    pub fn get(&mut self, host: &str, path: &str) -> Result<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            ensure!(self.0.read_until(b'\n', &mut bytes)? > 0, "the connection ended in a head");
        }
        let mut answer = parse_head(&bytes)?;
        let length = answer.header("content-length").context("an answer without a length")?;
        let mut body = vec![0; length.parse()?];
        self.0.read_exact(&mut body)?;
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Ok(answer)
    }
}

/// A TCP port of 127.0.0.1 that nothing listens on.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// An answer that ends with its connection. Its length must be what it says.
fn parse(bytes: &[u8]) -> Result<Answer> {
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").context("no head")?;
    let (head, body) = bytes.split_at(end + 4);
    let answer = Answer { body: String::from_utf8_lossy(body).into_owned(), ..parse_head(head)? };
    if let Some(length) = answer.header("content-length") {
        let length: usize = length.parse()?;
        ensure!(length == body.len(), "an answer of another length than it says");
    }
    Ok(answer)
}

fn parse_head(bytes: &[u8]) -> Result<Answer> {
    let head = String::from_utf8_lossy(bytes).trim_end().to_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no status")?;
    Ok(Answer { status, head, body: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart() {
        let text = "HTTP/1.1 200 OK\r\nX-Replica: test-app-2\r\nContent-Length: 2\r\n\r\nok";
        let answer = parse(text.as_bytes()).unwrap();
        assert_eq!((answer.status, answer.workload(), &*answer.body), (200, "test-app", "ok"));
        assert!(parse(format!("{text}!").as_bytes()).is_err());
    }
}
