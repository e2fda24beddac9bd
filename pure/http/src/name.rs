//! Names of headers that mean something to a gateway.

/// Names that need a look. Everything else is forwarded as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Host,
    Connection,
    ContentLength,
    TransferEncoding,
    Upgrade,
    Expect,
    Accept,
    /// Meant for this hop only (RFC 9110 §7.6.1).
    HopByHop,
    /// `X-Forwarded-*` and the like: only a gateway may say these. `Proxy` too, which CGI would
    /// take for a setting of the server (`HTTP_PROXY`).
    Forwarded,
    /// Whom the request has passed (RFC 8586).
    CdnLoop,
    /// Any of these with other signs for its hyphens. CGI, WSGI and PHP make both `-` and `_` an
    /// underscore, some (lighttpd, old Apaches) every sign that is no letter or digit: to them it
    /// is the name itself, and it would speak beside or instead of what we say.
    Shadow,
    Other,
}

impl Name {
    /// Lengths first: most names are done after one comparison.
    pub(crate) fn of(name: &[u8]) -> Self {
        let known = Self::folded(name);
        if known == Self::Other {
            return known;
        }
        let is_spelled = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        if is_spelled { known } else { Self::Shadow }
    }

    fn folded(name: &[u8]) -> Self {
        let is = |other: &[u8]| is_folded(name, other);
        match name.len() {
            2 if is(b"te") => Self::HopByHop,
            4 if is(b"host") => Self::Host,
            5 if is(b"proxy") => Self::Forwarded,
            6 if is(b"expect") => Self::Expect,
            6 if is(b"accept") => Self::Accept,
            7 if is(b"upgrade") => Self::Upgrade,
            7 if is(b"trailer") => Self::HopByHop,
            8 if is(b"cdn-loop") => Self::CdnLoop,
            9 if is(b"forwarded") => Self::Forwarded,
            10 if is(b"connection") => Self::Connection,
            10 if is(b"keep-alive") => Self::HopByHop,
            14 if is(b"content-length") => Self::ContentLength,
            14 if is(b"http2-settings") => Self::HopByHop,
            16 if is(b"proxy-connection") => Self::HopByHop,
            17 if is(b"transfer-encoding") => Self::TransferEncoding,
            18 if is(b"proxy-authenticate") => Self::HopByHop,
            19 if is(b"proxy-authorization") => Self::HopByHop,
            _ if is_folded(&name[..name.len().min(2)], b"x-") => Self::of_extension(name),
            _ => Self::Other,
        }
    }

    fn of_extension(name: &[u8]) -> Self {
        const BEGIN: &[u8] = b"x-forwarded-";
        if name.len() == 9 {
            return if is_folded(name, b"x-real-ip") { Self::Forwarded } else { Self::Other };
        }
        let Some((begin, rest)) = name.split_at_checked(BEGIN.len()) else { return Self::Other };
        let known: &[&[u8]] = match rest.len() {
            3 => &[b"for", b"uri"],
            4 => &[b"host", b"port"],
            5 => &[b"proto"],
            6 => &[b"prefix", b"server", b"method"],
            15 => &[b"tls-client-cert"],
            20 => &[b"tls-client-cert-info"],
            _ => return Self::Other,
        };
        let is_known = is_folded(begin, BEGIN) && known.iter().any(|it| is_folded(rest, it));
        if is_known { Self::Forwarded } else { Self::Other }
    }
}

/// Whether ingress-nginx lets a client say `name`, of which a gateway lets it say more: nothing but
/// letters, digits, hyphens (`ignore_invalid_headers on`), and underscores where they are let, and
/// nothing that it says itself, here or to whom it asks about a request. That it lets
/// `X-Original-URL` pass where it asks nobody, and `Ssl-Client-Verify` where it asks for no
/// certificate, is no example: some applications take the one for the path, which would be one that
/// no route was chosen by, and believe the other, which any client could write.
pub fn is_kept_by_nginx(name: &[u8], keeps_underscores: bool) -> bool {
    const OWN: [&[u8]; 11] = [
        b"x-scheme",
        b"x-forwarded-scheme",
        b"x-original-url",
        b"x-original-uri",
        b"x-original-method",
        b"x-original-forwarded-for",
        b"x-original-forwarded-host",
        b"ssl-client-verify",
        b"ssl-client-subject-dn",
        b"ssl-client-issuer-dn",
        b"ssl-client-cert",
    ];
    let is_plain = |byte: &u8| match byte {
        b'-' => true,
        b'_' => keeps_underscores,
        other => other.is_ascii_alphanumeric(),
    };
    let is_own = || OWN.iter().any(|own| is_taken_for(name, own));
    name.iter().all(is_plain) && !(matches!(name, [b'x' | b'X' | b's' | b'S', ..]) && is_own())
}

/// Whether `name` is `other`, of the same length, but for case and signs.
pub(crate) fn is_folded(name: &[u8], other: &[u8]) -> bool {
    name.iter().zip(other).all(|(byte, known)| FOLDED[usize::from(*byte)] == *known)
}

/// Whether some servers read `name` as `other`: many take `_` for `-`, some every sign that is no
/// letter or digit, and they know no case.
pub fn is_taken_for(name: &[u8], other: &[u8]) -> bool {
    let folded = |byte: &u8| FOLDED[usize::from(*byte)];
    name.len() == other.len() && name.iter().map(folded).eq(other.iter().map(folded))
}

/// Each character in lower case, signs as hyphens: every name of every head is looked at.
const FOLDED: [u8; 256] = {
    let mut folded = [b'-'; 256];
    let mut byte = 0_u8;
    while byte.is_ascii() {
        if byte.is_ascii_alphanumeric() {
            folded[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    folded
};

/// Whether a header line, by its name in lower case, is about the message or whom it is for, and
/// so none that a rule can ask for: with Traefik they are no headers.
pub(crate) fn is_of_message(name: &str) -> bool {
    matches!(name, "host" | "transfer-encoding" | "trailer")
}

/// Whether it is a token (RFC 9110 §5.6.2).
pub(crate) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_token_char)
}

/// Whether tokens have it (RFC 9110 §5.6.2).
pub(crate) const fn is_token_char(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// The characters of tokens.
const TOKEN: [bool; 256] = {
    let mut token = [false; 256];
    let mut byte = 0_u8;
    while byte.is_ascii() {
        token[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let signs = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < signs.len() {
        token[signs[at] as usize] = true;
        at += 1;
    }
    token
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_shadows() {
        for (name, expected) in [
            ("HOST", Name::Host),
            ("content-LENGTH", Name::ContentLength),
            ("content_length", Name::Shadow),
            ("Transfer_Encoding", Name::Shadow),
            ("keep_alive", Name::Shadow),
            ("proxy_connection", Name::Shadow),
            ("http2_settings", Name::Shadow),
            ("cdn_loop", Name::Shadow),
            ("X-Forwarded-For", Name::Forwarded),
            ("x_forwarded-for", Name::Shadow),
            ("X_REAL_IP", Name::Shadow),
            ("X.Forwarded.For", Name::Shadow),
            ("x~real!ip", Name::Shadow),
            ("Content.Length", Name::Shadow),
            ("Transfer+Encoding", Name::Shadow),
            ("x.y", Name::Other),
            ("x", Name::Other),
            ("Proxy", Name::Forwarded),
            ("Forwarded", Name::Forwarded),
            ("proxies", Name::Other),
            ("dt", Name::Other),
            ("te", Name::HopByHop),
            ("accept", Name::Accept),
            ("expect", Name::Expect),
            ("cookie", Name::Other),
            ("if-rangex", Name::Other),
            ("user-agent", Name::Other),
            ("proxy-authenticate", Name::HopByHop),
            ("proxy-authorization", Name::HopByHop),
            ("if-unmodified-since", Name::Other),
            ("x_custom", Name::Other),
            ("content_lengths", Name::Other),
            ("x-forwarded-extra", Name::Other),
            ("x-forwarded-uri", Name::Forwarded),
            ("X-Forwarded-Host", Name::Forwarded),
            ("x-forwarded-port", Name::Forwarded),
            ("x-forwarded-proto", Name::Forwarded),
            ("x-forwarded-server", Name::Forwarded),
            ("x-forwarded-method", Name::Forwarded),
            ("x_forwarded_prefix", Name::Shadow),
            ("x-forwarded-prefixx", Name::Other),
            ("x-forwarded-tls-client-cert", Name::Forwarded),
            ("x-forwarded-tls-client-cert-info", Name::Forwarded),
            ("x-real-ips", Name::Other),
            ("x-real-pi", Name::Other),
        ] {
            assert_eq!(Name::of(name.as_bytes()), expected, "{name}");
        }
    }
}
