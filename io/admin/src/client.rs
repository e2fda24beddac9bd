//! Asks the admin API of a running instance, for `get` and its like.
//!
//! One blocking request per connection, in HTTP/1.0: the answer is then never chunked and ends with
//! the connection, so that no HTTP library is needed.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

/// Who asks the running instance at one address.
#[derive(Clone, Debug)]
pub struct AdminClient {
    /// Where its admin API listens, also as people paste it: `http://host:port/`.
    pub address: String,
    /// A file with the bearer token that it wants.
    pub token_file: Option<PathBuf>,
}

/// A running instance that can be asked, by whatever way.
pub trait Respondent {
    /// The resource `name` of the running instance, e.g. `services`.
    fn ask(&self, name: &str) -> Result<Value, AskError>;

    /// Orders the running instance to do something, e.g. `rebalance`.
    fn order(&self, name: &str) -> Result<Value, AskError>;
}

/// Why there is no answer.
#[derive(Debug)]
pub enum AskError {
    /// The token file cannot be read.
    TokenFile(PathBuf, io::Error),
    /// Nothing listens there.
    Unreachable(String, io::Error),
    /// What listens there does not answer as the admin API does.
    NotSteelyard(String, String),
    /// It answers, but not with what was asked for.
    Refused(u16, String),
    /// The way to it is closed, or leads nowhere.
    Way(String),
}

/// Status of the answer to a question.
pub const TOLD: u16 = 200;
/// Status of the answer to an order that is being carried out.
pub const BEGUN: u16 = 202;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer, at most.
const MAX_ANSWER: u64 = 256 * 1024 * 1024;

impl AdminClient {
    /// The resource `name` of the running instance, e.g. `services`.
    pub fn ask(&self, name: &str) -> Result<Value, AskError> {
        self.send("GET", name, TOLD)
    }

    /// Orders the running instance to do something, e.g. `rebalance`.
    pub fn order(&self, name: &str) -> Result<Value, AskError> {
        self.send("POST", name, BEGUN)
    }

    fn send(&self, method: &str, name: &str, taken: u16) -> Result<Value, AskError> {
        let answer = self.exchange(&self.head(method, &format!("/api/v1/{name}"))?);
        let answer = answer.map_err(|error| AskError::Unreachable(self.authority(), error))?;
        let Some((status, body)) = parse(&answer) else {
            let what = "its answer is not HTTP".to_owned();
            return Err(AskError::NotSteelyard(self.authority(), what));
        };
        judge(&self.authority(), taken, status, body)
    }

    /// `host:port`, without what people paste around it.
    fn authority(&self) -> String {
        let address = self.address.trim_start_matches("http://").trim_end_matches('/');
        let has_port = address.rsplit_once(':').is_some_and(|(host, port)| {
            port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
        });
        if has_port { address.to_owned() } else { format!("{address}:9180") }
    }

    fn head(&self, method: &str, path: &str) -> Result<String, AskError> {
        let mut head = format!("{method} {path} HTTP/1.0\r\nHost: {}\r\n", self.authority());
        if method == "POST" {
            head += &format!("Origin: http://{}\r\nContent-Length: 0\r\n", self.authority());
        }
        if let Some(file) = &self.token_file {
            let token = std::fs::read_to_string(file)
                .map_err(|error| AskError::TokenFile(file.clone(), error))?;
            head += &format!("Authorization: Bearer {}\r\n", token.trim());
        }
        Ok(head + "\r\n")
    }

    fn exchange(&self, head: &str) -> io::Result<Vec<u8>> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.authority().to_socket_addrs()? {
            let connected = TcpStream::connect_timeout(&address, TIMEOUT);
            match connected.and_then(|stream| converse(stream, head)) {
                Ok(answer) => return Ok(answer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Respondent for AdminClient {
    fn ask(&self, name: &str) -> Result<Value, AskError> {
        Self::ask(self, name)
    }

    fn order(&self, name: &str) -> Result<Value, AskError> {
        Self::order(self, name)
    }
}

/// What an answer of `place` says, which has the status `taken` where it says yes.
///
/// # Errors
/// When it is no answer of an admin API, or says no.
pub fn judge(place: &str, taken: u16, status: u16, body: &[u8]) -> Result<Value, AskError> {
    let odd = |what: &str| AskError::NotSteelyard(place.to_owned(), what.to_owned());
    let value: Value =
        serde_json::from_slice(body).map_err(|_| odd("its answer is not complete JSON"))?;
    match (status, value["error"].as_str()) {
        (status, _) if status == taken => Ok(value),
        (status, Some(error)) => Err(AskError::Refused(status, error.to_owned())),
        (status, None) => Err(odd(&format!("it answers with status {status}"))),
    }
}

fn converse(mut stream: TcpStream, head: &str) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Status and body.
fn parse(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, &answer[end + 4..]))
}

impl std::fmt::Display for AskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TokenFile(path, _) => {
                write!(f, "the token file {} cannot be read", path.display())
            }
            Self::Unreachable(address, _) => write!(
                f,
                "nothing answers at {address}: is `steelyard up` running? \
                 Another address is given with --admin"
            ),
            Self::NotSteelyard(address, what) => write!(
                f,
                "what listens at {address} is no steelyard admin API ({what}); \
                 give another address with --admin"
            ),
            Self::Refused(401, _) => {
                f.write_str("it wants its token: give the file with --admin-token-file")
            }
            Self::Refused(_, message) | Self::Way(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for AskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::TokenFile(_, source) | Self::Unreachable(_, source) => Some(source),
            Self::NotSteelyard(..) | Self::Refused(..) | Self::Way(_) => None,
        }
    }
}
