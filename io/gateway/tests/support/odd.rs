//! Bytes that are nearly requests, from a seed.

/// Requests that say in many ways where they end; `@` is the request that some reader may find in
/// them.
const SEEDS: &[&str] = &[
    "GET /a HTTP/1.1\r\nHost: a\r\n\r\n@",
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: #\r\n\r\n@",
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n@",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n@",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n@",
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: #\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n@",
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: #\r\nContent-Length: 0\r\n\r\n@",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: #\r\n\r\n@",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent-Length: #\r\n\r\n@",
    "POST /a HTTP/1.1\r\nHost: a\r\nX: y\r\n Content-Length: #\r\n\r\n@",
    "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: #\r\n\r\n@",
    "GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n@",
    "GET /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: #\r\n\r\n@",
    "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n@",
    "GET http://a/a HTTP/1.1\r\nHost: b\r\n\r\n@",
    "\r\nHEAD /a HTTP/1.1\r\nHost: a\r\n\r\n@",
    "OPTIONS /a?x=%0d%0a HTTP/1.1\r\nHost: a\r\n\r\n@",
];

/// What is put in, or in the place of something.
const PIECES: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    "\0",
    "\x0b",
    ":",
    ";",
    ",",
    "0",
    "1",
    "5",
    "+",
    "-",
    "_",
    "a",
    "\u{a0}",
    "\r\n\r\n",
    "\n\n",
    "chunked",
    "Chunked",
    "identity",
    " chunked",
    "Content-Length: 5",
    "Content-Length",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding:\x0bchunked\r\n",
    "0x5",
    "HTTP/1.0",
    "HTTP/1.1",
    "Host: b\r\n",
    "/",
    "?",
    "#",
    "%",
    "0\r\n\r\n",
];

/// Numbers from a seed (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}

/// One sequence: a seed with some of it changed, and a request behind it.
pub(crate) fn sequence(number: u64) -> Vec<u8> {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15 ^ (number + 1));
    for _ in 0..9 {
        chance.below(2);
    }
    let hidden = format!("GET /hidden-{number} HTTP/1.1\r\nHost: a\r\n\r\n");
    let seed = SEEDS[chance.below(SEEDS.len())].replace('#', &hidden.len().to_string());
    let mut bytes = seed.replace("/a", &format!("/{number}")).replace('@', &hidden).into_bytes();
    for _ in 0..chance.below(4) {
        let at = chance.below(bytes.len());
        let end = (at + chance.below(3)).min(bytes.len());
        let piece = PIECES[chance.below(PIECES.len())].as_bytes();
        drop(bytes.splice(at..end, piece.iter().copied()));
    }
    bytes.extend_from_slice(format!("GET /last-{number} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    bytes
}
