//! Who is logged in, as a browser keeps it.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::bytes::{Reader, Writer};
use crate::seal::{Keys, Purpose};

/// Who is logged in.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// Its own mark, made at login.
    pub id: [u8; 16],
    /// When it began, in seconds since 1970.
    pub born: u64,
    /// When the browser was given it last.
    pub given: u64,
    /// How it is renewed; none where it is not.
    pub renewal: Option<Renewal>,
    /// What the issuer says of who it is: a token (RFC 7519) that was verified.
    pub token: String,
}

/// How a session is renewed.
#[derive(Clone, PartialEq, Eq)]
pub struct Renewal {
    /// What the issuer gives others for (RFC 6749 §1.5).
    pub token: String,
    /// From when on it is asked for, in seconds since 1970.
    pub due: u64,
    /// From when on nothing is believed that is not renewed.
    pub end: u64,
}

impl Session {
    /// Sealed; `nonce` is random.
    pub fn sealed(&self, keys: &Keys, nonce: [u8; 12]) -> Option<String> {
        let mut out = Writer::default();
        out.fixed(&self.id);
        out.number(self.born);
        out.number(self.given);
        let renewal = self.renewal.as_ref();
        out.text(renewal.map_or(&[][..], |it| it.token.as_bytes()));
        out.number(renewal.map_or(0, |it| it.due));
        out.number(renewal.map_or(0, |it| it.end));
        // Its three parts as bytes, which are fewer than their letters.
        for part in self.token.split('.') {
            out.text(&URL_SAFE_NO_PAD.decode(part).ok()?);
        }
        keys.seal(Purpose::Session, nonce, &out.0)
    }

    /// Reads what was sealed; none where it was not, or is no session.
    pub fn open(keys: &Keys, text: &str) -> Option<Self> {
        let (_, bytes) = keys.open(Purpose::Session, text)?;
        let mut bytes = Reader(&bytes);
        let (id, born, given) = (bytes.fixed()?, bytes.number()?, bytes.number()?);
        let (token, due, end) = (bytes.text()?.to_owned(), bytes.number()?, bytes.number()?);
        let renewal = (!token.is_empty()).then_some(Renewal { token, due, end });
        let mut part = || Some(URL_SAFE_NO_PAD.encode(bytes.bytes()?));
        let token = [part()?, part()?, part()?].join(".");
        bytes.is_at_end().then_some(Self { id, born, given, renewal, token })
    }

    /// What tells this state of it from others, before and after it is renewed: also where the
    /// issuer renews it for the same once more.
    pub fn digest(&self) -> [u8; 32] {
        let (token, due) = self.renewal.as_ref().map_or(("", 0), |it| (&*it.token, it.due));
        let mut out = [0; 32];
        let bytes = [&self.id[..], &due.to_be_bytes(), token.as_bytes()].concat();
        out.copy_from_slice(digest(&SHA256, &bytes).as_ref());
        out
    }
}
