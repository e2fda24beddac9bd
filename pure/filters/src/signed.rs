//! Asks for requests that are signed with a secret that their sender shares with us.

use std::sync::Arc;

use steelyard_http::{Head as _, RequestEdits, RequestView as _};
use steelyard_model::routing::filter::token::SignatureAuth;
use steelyard_tokens::{RequestSignature, SignatureFault, is_digest_of};

use crate::ask::{Ask, Got};
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame};
use crate::password::authorization;
use crate::refusal::Refusal;
use crate::response::Response;

/// Bytes of a body whose digest is looked at, at most.
const LARGEST: usize = 10 << 20;

/// Who may sign, and what.
#[derive(Clone, Debug)]
pub(crate) struct Signed(pub(crate) Arc<SignatureAuth>);

impl Signed {
    /// The signature, if it is good.
    fn verified(
        &self,
        cx: &Context<'_>,
        head: &RequestEdits<'_>,
    ) -> Result<RequestSignature, &'static str> {
        let value = match authorization(head) {
            Ok(value) => value,
            Err(Refusal::Nothing) => return Err("the request is not signed"),
            Err(why) => return Err(why.reason()),
        };
        let value = str::from_utf8(&value).ok();
        let (scheme, text) =
            value.and_then(|value| value.split_once(' ')).ok_or("the request is not signed")?;
        if !["hmac", "signature"].iter().any(|it| scheme.eq_ignore_ascii_case(it)) {
            return Err("the request is not signed");
        }
        let signature = RequestSignature::read(text).map_err(SignatureFault::reason)?;
        let covers = |name: &Arc<str>| signature.covers.iter().any(|it| **it == **name);
        if !self.0.enforced.iter().all(covers) {
            return Err("the signature does not cover what it must");
        }
        let known = self.0.secrets.iter().find(|(name, _)| **name == *signature.key);
        // Who is not known is told no sooner than who signs wrongly.
        let secret = known.map_or(&b"nobody"[..], |(_, secret)| secret);
        let now = i64::try_from((cx.clock)()).unwrap_or(i64::MAX);
        signature.verify(secret, now, |name| line(head, name)).map_err(SignatureFault::reason)?;
        if known.is_some() { Ok(signature) } else { Err(SignatureFault::Unlike.reason()) }
    }
}

/// What a signature says of a line: all its values.
fn line(head: &RequestEdits<'_>, name: &str) -> Option<String> {
    if name == "(request-target)" {
        let query = head.query().map(|query| format!("?{query}")).unwrap_or_default();
        return Some(format!("{} {}{query}", head.method().to_ascii_lowercase(), head.path()));
    }
    if name == "host" {
        return Some(head.authority().to_owned());
    }
    let mut values = Vec::new();
    head.each(&mut |line, value| {
        if line.eq_ignore_ascii_case(name) {
            values.push(String::from_utf8_lossy(value.trim_ascii()).into_owned());
        }
    });
    (!values.is_empty()).then(|| values.join(", "))
}

fn unsigned(cx: &mut Context<'_>, why: &'static str) -> Enter {
    cx.notes.push(Note::Reason(why));
    let mut response = Response::bare(401);
    response.lines.push(("WWW-Authenticate".into(), (*b"Hmac").into()));
    Enter::Answer(Box::new(response))
}

impl Frame for Signed {
    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, got: Got) -> Enter {
        let signature = match self.verified(cx, head) {
            Ok(signature) => signature,
            Err(why) => return unsigned(cx, why),
        };
        // Whether it is signed or not: an endpoint may go by it.
        if self.0.checks_digest && line(head, "digest").is_some() {
            match got {
                Got::Nothing => return Enter::Ask(Ask::Body { max: LARGEST }),
                Got::Body(body) => {
                    let told = line(head, "digest").unwrap_or_default();
                    if !is_digest_of(&told, &body) {
                        return unsigned(cx, "the digest is not the body's");
                    }
                }
                _ => {
                    cx.notes.push(Note::Reason("the body is too large to look at its digest"));
                    return Enter::Answer(Box::new(Response::bare(413)));
                }
            }
        }
        cx.notes.push(Note::User(signature.key.into()));
        Enter::Next
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{digest, hmac};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::tests::{Asked, World};

    const SECRET: &[u8] = b"what ann and we know";

    /// A request that covers these lines, signed so.
    fn signed(key: &str, covers: &str, digest: &str, secret: &[u8]) -> Asked {
        let message: Vec<String> = covers
            .split(' ')
            .map(|name| {
                let value = match name {
                    "(request-target)" => "post /x?y=1",
                    "host" => "a.test",
                    "digest" => digest,
                    _ => "1, 2",
                };
                format!("{name}: {value}")
            })
            .collect();
        let code =
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.join("\n").as_bytes());
        let authorization = format!(
            r#"Hmac keyId="{key}",algorithm="hmac-sha256",headers="{covers}",signature="{}""#,
            STANDARD.encode(code)
        );
        let asked = Asked::by("POST", "a.test", "/x?y=1")
            .with("Authorization", authorization.leak())
            .with("X-Two", "1")
            .with("x-two", "2");
        if digest.is_empty() { asked } else { asked.with("Digest", digest.to_owned().leak()) }
    }

    /// A status, 200 where it passes, and what is noted.
    fn entered(asked: Asked, body: Got) -> (u16, Vec<Note>) {
        let auth = SignatureAuth {
            secrets: vec![("ann".into(), SECRET.into())],
            checks_digest: true,
            enforced: vec!["(request-target)".into()],
        };
        let mut frame = Signed(Arc::new(auth));
        let mut world = World::new();
        let mut got = Got::Nothing;
        let mut body = Some(body);
        loop {
            let mut head = RequestEdits::new(&asked);
            got = match frame.enter(&mut world.context(), &mut head, got) {
                Enter::Next => return (200, world.notes),
                Enter::Answer(answer) => return (answer.status, world.notes),
                Enter::Ask(Ask::Body { .. }) => body.take().unwrap(),
                Enter::Ask(ask) => panic!("{ask:?}"),
            };
        }
    }

    #[test]
    fn who_has_signed_is_let_in() {
        let of = |body: &[u8]| {
            format!("SHA-256={}", STANDARD.encode(digest::digest(&digest::SHA256, body)))
        };
        let hello = || Got::Body("hello".into());
        for (asked, body, expected) in [
            (signed("ann", "(request-target) host x-two", "", SECRET), hello(), 200),
            (signed("ann", "(request-target)", "", b"another"), hello(), 401),
            (signed("bob", "(request-target)", "", SECRET), hello(), 401),
            (signed("bob", "(request-target)", "", b"nobody"), hello(), 401),
            (signed("ann", "host", "", SECRET), hello(), 401),
            (signed("ann", "(request-target) digest", &of(b"hello"), SECRET), hello(), 200),
            (signed("ann", "(request-target) digest", &of(b"other"), SECRET), hello(), 401),
            (signed("ann", "(request-target) digest", &of(b"x"), SECRET), Got::TooLarge, 413),
            (signed("ann", "(request-target)", &of(b"hello"), SECRET), hello(), 200),
            (signed("ann", "(request-target)", &of(b"other"), SECRET), hello(), 401),
            (signed("ann", "(request-target)", "MD5=x", SECRET), hello(), 401),
            (Asked::get("a.test", "/"), hello(), 401),
            // Nobody knows which of two an endpoint goes by.
            (
                signed("ann", "(request-target)", "", SECRET).with("authorization", "Basic x"),
                hello(),
                401,
            ),
        ] {
            let case = format!("{asked:?}");
            let (status, notes) = entered(asked, body);
            assert_eq!(status, expected, "{case}");
            let user = notes.iter().any(|note| *note == Note::User("ann".into()));
            assert_eq!(user, status == 200, "{notes:?}");
        }
    }
}
