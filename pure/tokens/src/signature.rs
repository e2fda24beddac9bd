//! Requests signed with a secret that both know (draft-cavage-http-signatures-12), by HMAC.

use std::time::SystemTime;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes of a signature's line that are read, at most, and header lines it may cover.
const LONGEST: usize = 8 << 10;
const MOST_LINES: usize = 64;
/// Seconds that clocks may differ.
const LEEWAY: i64 = 60;
/// Seconds between a `Date` that is signed and now, at most: whoever signs it wants the request to
/// be good for a while and not for ever.
const FRESH: i64 = 300;

/// A signature, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSignature {
    /// Whose secret it was made with.
    pub key: String,
    digest: SignatureDigest,
    /// What it covers, in order: names of lines in lower case, or in parentheses what is none.
    pub covers: Vec<String>,
    code: Vec<u8>,
    created: Option<i64>,
    expires: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignatureDigest {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// Why a signature is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureFault {
    /// It cannot be read: a parameter is missing, there twice, or no value of its kind.
    Unreadable,
    /// It was made in a way that is not known.
    Algorithm,
    /// It covers a line that is not there.
    MissingLine,
    /// It was not made with this secret, or of this request.
    Unlike,
    /// Its time is over, or has not come.
    Time,
}

impl SignatureFault {
    /// The same in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unreadable => "the signature of the request cannot be read",
            Self::Algorithm => "the signature was made in a way that is not known",
            Self::MissingLine => "the signature covers a line that the request does not have",
            Self::Unlike => "the signature was not made of this request with the secret",
            Self::Time => "it is not the time of the signature",
        }
    }
}

impl RequestSignature {
    /// Reads the parameters: `keyId="a",algorithm="hmac-sha256",headers="host date",signature="…"`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read(text: &str) -> Result<Self, SignatureFault> {
        let unreadable = SignatureFault::Unreadable;
        let parameters = Parameters::read(text).ok_or(unreadable)?;
        let number = |name: &str| match parameters.get(name) {
            Some(text) => text.parse().map(Some).map_err(|_| unreadable),
            None => Ok(None),
        };
        let digest = match parameters.get("algorithm").ok_or(SignatureFault::Algorithm)? {
            "hmac-sha1" => SignatureDigest::Sha1,
            "hmac-sha256" => SignatureDigest::Sha256,
            "hmac-sha384" => SignatureDigest::Sha384,
            "hmac-sha512" => SignatureDigest::Sha512,
            _ => return Err(SignatureFault::Algorithm),
        };
        let covers = parameters.get("headers").unwrap_or("(created)").to_ascii_lowercase();
        let covers: Vec<String> = covers.split_ascii_whitespace().map(str::to_owned).collect();
        if covers.is_empty() || covers.len() > MOST_LINES {
            return Err(unreadable);
        }
        let code = parameters.get("signature").and_then(|text| STANDARD.decode(text).ok());
        Ok(Self {
            key: parameters.get("keyId").ok_or(unreadable)?.to_owned(),
            digest,
            covers,
            code: code.ok_or(unreadable)?,
            created: number("created")?,
            expires: number("expires")?,
        })
    }

    /// Whether it was made with `secret` of a request whose lines are these: `line` gives the
    /// values of all lines of a name, joined by `, `, and of `(request-target)` the method in lower
    /// case with path and query. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// When it was not, or when it is not its time.
    pub fn verify(
        &self,
        secret: &[u8],
        now: i64,
        line: impl Fn(&str) -> Option<String>,
    ) -> Result<(), SignatureFault> {
        let is_early = self.created.is_some_and(|created| created > now.saturating_add(LEEWAY));
        let is_late = self.expires.is_some_and(|expires| expires < now.saturating_sub(LEEWAY));
        let is_fresh = self.covers.iter().all(|name| *name != "date" || is_of_now(&line, now));
        let message = self.message(line)?;
        let algorithm = match self.digest {
            SignatureDigest::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            SignatureDigest::Sha256 => hmac::HMAC_SHA256,
            SignatureDigest::Sha384 => hmac::HMAC_SHA384,
            SignatureDigest::Sha512 => hmac::HMAC_SHA512,
        };
        let key = hmac::Key::new(algorithm, secret);
        hmac::verify(&key, message.as_bytes(), &self.code).map_err(|_| SignatureFault::Unlike)?;
        if is_early || is_late || !is_fresh { Err(SignatureFault::Time) } else { Ok(()) }
    }

    /// What was signed (§2.3).
    fn message(&self, line: impl Fn(&str) -> Option<String>) -> Result<String, SignatureFault> {
        let value = |name: &str| match name {
            "(created)" => self.created.map(|it| it.to_string()),
            "(expires)" => self.expires.map(|it| it.to_string()),
            name => line(name),
        };
        let lines = self.covers.iter().map(|name| Some(format!("{name}: {}", value(name)?)));
        let lines: Option<Vec<String>> = lines.collect();
        Ok(lines.ok_or(SignatureFault::MissingLine)?.join("\n"))
    }
}

/// Whether a request's date is about now.
fn is_of_now(line: impl Fn(&str) -> Option<String>, now: i64) -> bool {
    let date = line("date").and_then(|text| httpdate::parse_http_date(&text).ok());
    let since = date.and_then(|date| date.duration_since(SystemTime::UNIX_EPOCH).ok());
    let seconds = since.and_then(|since| i64::try_from(since.as_secs()).ok());
    seconds.is_some_and(|seconds| (seconds - now).abs() <= FRESH)
}

/// Whether a `Digest` line is of this body (RFC 3230): each that it has by SHA-256 or SHA-512, and
/// it has one.
pub fn is_digest_of(line: &str, body: &[u8]) -> bool {
    let judged = line.split(',').filter_map(|one| {
        let (name, code) = one.trim().split_once('=')?;
        let algorithm = match name.to_ascii_uppercase().as_str() {
            "SHA-256" => &digest::SHA256,
            "SHA-512" => &digest::SHA512,
            _ => return None,
        };
        let code = STANDARD.decode(code);
        Some(code.is_ok_and(|code| code == digest::digest(algorithm, body).as_ref()))
    });
    let judged: Vec<bool> = judged.collect();
    !judged.is_empty() && judged.into_iter().all(|is_right| is_right)
}

/// `name="value"` or `name=number`, with commas between; each name once.
struct Parameters<'t>(Vec<(&'t str, &'t str)>);

impl<'t> Parameters<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let mut rest = text.trim();
        let mut all: Vec<(&str, &str)> = Vec::new();
        if text.len() > LONGEST {
            return None;
        }
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=')?;
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_at(after.find(',').unwrap_or(after.len())),
            };
            if all.iter().any(|(known, _)| *known == name) {
                return None;
            }
            all.push((name, value));
            rest = match after.trim_start().strip_prefix(',') {
                Some(next) => next.trim_start(),
                None if after.trim().is_empty() => "",
                None => return None,
            };
        }
        Some(Self(all))
    }

    fn get(&self, name: &str) -> Option<&'t str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}
