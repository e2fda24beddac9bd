//! What a client asks for, and the bytes by which it is known again.

use steelyard_testbed::Chance;

/// Something a client asks for; its number is its place in the world's list.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: &'static str,
    /// Bytes of the body, and whether they come in chunks.
    pub(super) body: usize,
    chunked: bool,
    pub(super) http10: bool,
    /// It says that nothing follows.
    pub(super) close: bool,
    pub(super) expects: bool,
    /// An empty line follows.
    stray: bool,
    /// How often an endpoint got it, and on which connections it was tried.
    pub(super) arrivals: usize,
    pub(super) pipes: Vec<usize>,
}

/// Bytes that tell whose they are, and look like requests and answers.
pub(super) fn pattern(id: usize, kind: &str, len: usize) -> Vec<u8> {
    let text = format!(
        "{kind} {id}\r\n\r\nGET /{kind}/{id} HTTP/1.1\r\nHost: evil\r\n\r\n\
         HTTP/1.1 200 OK\r\nX-Id: of-{kind}-{id}\r\nContent-Length: 0\r\n\r\n"
    );
    text.into_bytes().into_iter().cycle().take(len).collect()
}

/// A body in chunks of any size, now and then with a trailer.
pub(super) fn push_chunks(body: &[u8], out: &mut Vec<u8>, chance: &mut Chance) {
    let mut rest = body;
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(1 + chance.below(rest.len()));
        out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
        rest = more;
    }
    let trailer = if chance.percent(20) { "X-Trailer: x\r\n" } else { "" };
    out.extend_from_slice(format!("0\r\n{trailer}\r\n").as_bytes());
}

impl Ask {
    pub(super) fn new(last: bool, http10: bool, chance: &mut Chance) -> Self {
        let method = chance.pick(&["GET", "GET", "HEAD", "POST", "POST", "PUT"]);
        let body = match method {
            "POST" | "PUT" => chance.pick(&[0, 1, 7, 100, 400, 1500]),
            _ => 0,
        };
        Self {
            method,
            body,
            chunked: body > 0 && !http10 && chance.percent(40),
            http10,
            close: last && chance.percent(30),
            expects: !http10 && body > 0 && chance.percent(20),
            stray: body > 0 && chance.percent(25),
            arrivals: 0,
            pipes: Vec::new(),
        }
    }

    /// Its head and its body.
    pub(super) fn bytes(&self, id: usize, chance: &mut Chance) -> (Vec<u8>, Vec<u8>) {
        let version = if self.http10 { "1.0" } else { "1.1" };
        let mut head = format!("{} /ask/{id} HTTP/{version}\r\n", self.method);
        head += &format!("Host: a\r\nX-Id: {id}\r\n");
        match (self.close, self.http10) {
            (true, false) => head += "Connection: close\r\n",
            (false, true) => head += "Connection: keep-alive\r\n",
            _ => {}
        }
        if self.expects {
            head += "Expect: 100-continue\r\n";
        }
        let (payload, mut body) = (pattern(id, "ask", self.body), Vec::new());
        if self.chunked {
            head += "Transfer-Encoding: chunked\r\n";
            push_chunks(&payload, &mut body, chance);
        } else {
            if self.method == "POST" || self.method == "PUT" {
                head += &format!("Content-Length: {}\r\n", self.body);
            }
            body = payload;
        }
        if self.stray {
            body.extend_from_slice(b"\r\n");
        }
        (format!("{head}\r\n").into_bytes(), body)
    }
}
