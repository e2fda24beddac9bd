//! Which coding a client takes (RFC 9110 §12.5.3), as Traefik chooses among them.

use steelyard_http::Head;
use steelyard_model::routing::filter::content::{Compression, ContentCoding};

/// What a client says of one coding.
struct Taken {
    what: What,
    /// From 0 to 1; none where it says nothing of it.
    weight: Option<f32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Coding(ContentCoding),
    Any,
    Identity,
}

/// The coding for a client; none where the response stays as it is.
pub(super) fn coding(head: &dyn Head, terms: &Compression) -> Option<ContentCoding> {
    if head.first("accept-encoding").is_none() {
        return terms.default;
    }
    let mut taken = Vec::new();
    head.each(&mut |name, value| {
        if name.eq_ignore_ascii_case("accept-encoding") {
            taken.extend(value.split(|byte| *byte == b',').filter_map(|it| read(it, terms)));
        }
    });
    match best(&taken, terms)? {
        What::Coding(coding) => Some(coding),
        What::Any => usual(terms),
        What::Identity => None,
    }
}

/// For who takes any.
fn usual(terms: &Compression) -> Option<ContentCoding> {
    let brotli = terms.encodings.iter().find(|it| **it == ContentCoding::Brotli);
    terms.default.or_else(|| brotli.or_else(|| terms.encodings.first()).copied())
}

fn read(text: &[u8], terms: &Compression) -> Option<Taken> {
    let end = text.iter().position(|byte| *byte == b';');
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let what = match name.trim_ascii() {
        b"*" => What::Any,
        name if name.eq_ignore_ascii_case(b"identity") => What::Identity,
        name => {
            let mut codings = terms.encodings.iter();
            let is_it = |it: &&ContentCoding| it.as_str().as_bytes().eq_ignore_ascii_case(name);
            What::Coding(*codings.find(is_it)?)
        }
    };
    let weight = rest.get(1..).map(<[u8]>::trim_ascii);
    let weight = weight.and_then(|it| it.strip_prefix(b"q=").or_else(|| it.strip_prefix(b"Q=")));
    // A weight that is none is the least.
    let weight = weight.map(|it| {
        let number = str::from_utf8(it).ok().and_then(|it| it.trim().parse().ok());
        number.unwrap_or(0.0_f32).clamp(0.0, 1.0)
    });
    Some(Taken { what, weight })
}

/// The heaviest; of equally heavy ones that which is preferred here.
fn best(taken: &[Taken], terms: &Compression) -> Option<What> {
    let rank = |what: What| match what {
        What::Coding(coding) => terms.encodings.iter().position(|it| *it == coding),
        What::Any => Some(terms.encodings.len()),
        What::Identity => Some(terms.encodings.len() + 1),
    };
    let weight = |it: &Taken| it.weight.unwrap_or(1.0);
    let accepted = taken.iter().filter(|it| weight(it) > 0.0);
    let better = |a: &&Taken, b: &&Taken| {
        weight(b).total_cmp(&weight(a)).then_with(|| rank(a.what).cmp(&rank(b.what)))
    };
    accepted.min_by(better).map(|it| it.what)
}
