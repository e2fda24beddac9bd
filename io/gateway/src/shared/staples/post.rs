//! A question that is posted over plain HTTP, and its answer: small, or none. For a thread that may
//! wait.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use steelyard_host::own_sockets::OwnSockets;

/// How long connecting, and then all of it, may take. (Looking a name up takes as long as the
/// system allows.)
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(10);

/// Longer answers are none, in bytes.
const LONGEST: usize = 64 << 10;

/// Addresses of one name that are tried.
const MOST: usize = 4;

/// The body of the answer; none where there is none in time, or of another status than 200.
pub(super) fn post(url: &str, body: &[u8], own: &OwnSockets) -> Option<Vec<u8>> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    let is_fit = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_fit(rest) || authority.contains('@') {
        return None;
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let at = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    // Whoever signs a certificate says who is asked: nobody who trusts who is on this machine.
    let mut addresses = at.to_socket_addrs().ok()?.filter(|at| !own.holds(*at)).take(MOST);
    let mut stream = addresses.find_map(|at| TcpStream::connect_timeout(&at, CONNECT).ok())?;
    let end = Instant::now() + WHOLE;
    stream.set_write_timeout(Some(WHOLE)).ok()?;
    // Of this version, so that the answer comes without chunks and ends with its connection.
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: {authority}\r\nContent-Type: application/ocsp-request\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
    answer(&heard(&mut stream, end)?)
}

/// All that comes until the response is as long as it says, or the other side ends.
fn heard(stream: &mut TcpStream, end: Instant) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut room = [0; 4096];
    loop {
        let left = end.checked_duration_since(Instant::now()).filter(|it| !it.is_zero())?;
        stream.set_read_timeout(Some(left)).ok()?;
        match stream.read(&mut room).ok()? {
            0 => return Some(all),
            count if all.len() + count > LONGEST => return None,
            count => all.extend_from_slice(&room[..count]),
        }
        if parts(&all).is_some_and(|it| it.length.is_some_and(|length| it.body.len() >= length)) {
            return Some(all);
        }
    }
}

/// A response as it came.
struct Parts<'s> {
    status: &'s str,
    /// How long it says that its body is.
    length: Option<usize>,
    body: &'s [u8],
}

fn parts(said: &[u8]) -> Option<Parts<'_>> {
    // By a quick search: who answers byte by byte has it done as often.
    let end = memchr::memmem::find(said, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&said[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let status = first.next().filter(|it| it.starts_with("HTTP/1.")).and_then(|_| first.next())?;
    let length = lines.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    Some(Parts { status, length: length.transpose().ok()?, body: &said[end + 4..] })
}

/// The body of a response: as long as it says, or as it is.
fn answer(said: &[u8]) -> Option<Vec<u8>> {
    let Parts { status, length, body } = parts(said)?;
    let body = body.get(..length.unwrap_or(body.len()))?;
    (status == "200").then(|| body.to_vec())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn bodies_of_answers() {
        for (said, expected) in [
            ("HTTP/1.0 200 OK\r\n\r\nabc", Some("abc")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", Some("ab")),
            ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nabc", None),
            ("HTTP/1.1 503 No\r\n\r\nabc", None),
            ("HTTP/1.1 200 OK\r\n", None),
            ("SSH-2.0-x\r\n\r\n", None),
            ("", None),
        ] {
            let answer = answer(said.as_bytes());
            assert_eq!(answer.as_deref(), expected.map(str::as_bytes), "{said:?}");
        }
    }

    #[test]
    fn nobody_is_asked_by_what_is_no_url() {
        for url in ["https://a/", "http://a b/", "http://a\r\nX: y/", "http://u@127.0.0.1:1/", "a"]
        {
            assert_eq!(post(url, b"", &OwnSockets::default()), None, "{url}");
        }
    }

    #[test]
    fn nobody_is_asked_who_trusts_this_machine() {
        let (admin, own) = (TcpListener::bind("127.0.0.1:0").unwrap(), OwnSockets::default());
        let port = admin.local_addr().unwrap().port();
        own.tell([admin.local_addr().unwrap()]);
        for host in ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"] {
            assert_eq!(post(&format!("http://{host}:{port}/"), b"", &own), None, "{host}");
        }
        admin.set_nonblocking(true).unwrap();
        assert!(admin.accept().is_err(), "nobody has connected");
    }
}
