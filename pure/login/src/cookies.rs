//! Cookies (RFC 6265bis): what of a request's is ours, and what a browser is told to keep.
//!
//! A value that is too long for one lies in several, as `NAME`, `NAME.1` and so on, of which the
//! first says how many they are. What is not whole is not there.

use std::fmt::Write as _;

use steelyard_model::routing::cookie::SameSite;

/// Bytes of a value that one cookie has, at most; browsers keep 4096 with its name.
const PIECE: usize = 3700;
/// Cookies of one value, at most.
pub const MOST_PIECES: usize = 5;
/// Bytes of a value, at most.
pub const MOST_BYTES: usize = PIECE * MOST_PIECES;
/// What browsers keep only of the site itself, by TLS, and for all its paths (§4.1.3.2).
const OF_HOST: &str = "__Host-";

/// How a cookie is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieRule {
    /// Its name, whole.
    pub name: String,
    /// For which paths.
    pub path: String,
    /// For which domain; none is the host alone.
    pub domain: Option<String>,
    /// For which requests of other sites.
    pub same_site: SameSite,
    /// Hidden from scripts.
    pub is_hidden: bool,
    /// By TLS only.
    pub is_secure: bool,
}

/// Cookies of a request.
#[derive(Clone, Default)]
pub struct Jar<'h>(Vec<(&'h str, &'h str)>);

impl<'h> Jar<'h> {
    /// Takes in a line of the request.
    pub fn add(&mut self, line: &'h [u8]) {
        let pairs = line.split(|byte| *byte == b';').filter_map(|pair| str::from_utf8(pair).ok());
        let pairs = pairs.filter_map(|pair| pair.trim_ascii().split_once('='));
        self.0.extend(pairs);
    }

    /// The value of the first one of that name.
    pub fn first(&self, name: &str) -> Option<&'h str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// A value that may lie in several.
    pub fn whole(&self, name: &str) -> Option<String> {
        let (count, first) = self.first(name)?.split_once('~')?;
        let count: usize = count.parse().ok().filter(|count| (1..=MOST_PIECES).contains(count))?;
        let mut whole = first.to_owned();
        for index in 1..count {
            whole.push_str(self.first(&format!("{name}.{index}"))?);
        }
        (whole.len() <= MOST_BYTES).then_some(whole)
    }

    /// How many pieces of a value came, whole or not.
    pub fn pieces(&self, name: &str) -> usize {
        let is_there = |index: &usize| self.first(&piece_name(name, *index)).is_some();
        (0..MOST_PIECES).rev().find(is_there).map_or(0, |last| last + 1)
    }

    /// The line without those of these names and their pieces; none where it has no other.
    pub fn others(&self, names: &[&str]) -> Option<String> {
        let mut line = String::new();
        for (name, value) in self.0.iter().filter(|(name, _)| !is_of(name, names)) {
            let sign = if line.is_empty() { "" } else { "; " };
            line.extend([sign, name, "=", value]);
        }
        (!line.is_empty()).then_some(line)
    }

    /// Whether it has one of these names, or a piece of one.
    pub fn has(&self, names: &[&str]) -> bool {
        self.0.iter().any(|(name, _)| is_of(name, names))
    }
}

/// Whether a cookie has one of these names, or is a piece of one.
fn is_of(known: &str, names: &[&str]) -> bool {
    names.iter().any(|name| {
        let rest = known.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || is_index(rest))
    })
}

fn is_index(rest: &str) -> bool {
    let index = rest.strip_prefix('.').and_then(|index| index.parse::<usize>().ok());
    index.is_some_and(|index| index < MOST_PIECES)
}

fn piece_name(name: &str, index: usize) -> String {
    if index == 0 { name.to_owned() } else { format!("{name}.{index}") }
}

impl CookieRule {
    /// The name that browsers hold to what is said: that of the host alone, where it is for that.
    pub fn named(mut self) -> Self {
        let is_of_host = self.is_secure && self.domain.is_none() && self.path == "/";
        if is_of_host && !self.name.starts_with(OF_HOST) {
            self.name.insert_str(0, OF_HOST);
        }
        self
    }

    /// What a browser is told: it is to keep `value` for so many seconds.
    pub fn kept(&self, value: &str, seconds: u64) -> String {
        self.line(&self.name, value, seconds)
    }

    /// What it is told of a value that may lie in several cookies, of which it has sent `former`
    /// so far; none where the value is too long.
    pub fn kept_whole(&self, value: &str, seconds: u64, former: usize) -> Option<Vec<String>> {
        if value.len() > MOST_BYTES || !value.is_ascii() {
            return None;
        }
        let pieces: Vec<&[u8]> = value.as_bytes().chunks(PIECE).collect();
        let mut lines = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            let piece = str::from_utf8(piece).ok()?;
            let count = if index == 0 { format!("{}~", pieces.len()) } else { String::new() };
            let name = piece_name(&self.name, index);
            lines.push(self.line(&name, &format!("{count}{piece}"), seconds));
        }
        lines.extend(self.gone(pieces.len()..former));
        Some(lines)
    }

    /// What it is told of those pieces that are to go.
    pub fn gone(&self, pieces: std::ops::Range<usize>) -> impl Iterator<Item = String> {
        pieces.map(|index| self.line(&piece_name(&self.name, index), "", 0))
    }

    fn line(&self, name: &str, value: &str, seconds: u64) -> String {
        let mut line = format!("{name}={value}; Path={}; Max-Age={seconds}", self.path);
        if let Some(domain) = &self.domain {
            _ = write!(line, "; Domain={domain}");
        }
        let same_site = match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        };
        _ = write!(line, "; SameSite={same_site}");
        line.push_str(if self.is_hidden { "; HttpOnly" } else { "" });
        line.push_str(if self.is_secure { "; Secure" } else { "" });
        line
    }
}
