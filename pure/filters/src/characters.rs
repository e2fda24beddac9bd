//! Refuses encoded characters in paths, but for those that are let in.

use steelyard_http::{RequestEdits, RequestView};
use steelyard_model::routing::filter::content::EncodedCharacters;

use crate::ask::Got;
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame};
use crate::response::Response;

/// Which are let in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AllowedCharacters(pub(crate) EncodedCharacters);

impl Frame for AllowedCharacters {
    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        let path = head.path().as_bytes();
        let escapes = path.iter().enumerate().filter(|(_, byte)| **byte == b'%');
        let mut escapes = escapes.filter_map(|(at, _)| path.get(at + 1..at + 3));
        if escapes.all(|escape| self.is_let_in(escape)) {
            return Enter::Next;
        }
        cx.notes.push(Note::Reason("the path has an encoded character that is not let in"));
        Enter::Answer(Box::new(Response::bare(400)))
    }
}

impl AllowedCharacters {
    fn is_let_in(self, escape: &[u8]) -> bool {
        let Self(allowed) = self;
        match escape.to_ascii_uppercase().as_slice() {
            b"2F" => allowed.slash,
            b"5C" => allowed.back_slash,
            b"00" => allowed.null,
            b"3B" => allowed.semicolon,
            b"25" => allowed.percent,
            b"3F" => allowed.question_mark,
            b"23" => allowed.hash,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Asked, World};

    #[test]
    fn each_is_let_in_by_its_own_option() {
        let nothing = EncodedCharacters::default();
        for (path, allowed) in [
            ("/a%2Fb", EncodedCharacters { slash: true, ..nothing }),
            ("/a%2fb", EncodedCharacters { slash: true, ..nothing }),
            ("/a%5Cb", EncodedCharacters { back_slash: true, ..nothing }),
            ("/a%00b", EncodedCharacters { null: true, ..nothing }),
            ("/a%3Bb", EncodedCharacters { semicolon: true, ..nothing }),
            ("/a%25b", EncodedCharacters { percent: true, ..nothing }),
            ("/a%3Fb", EncodedCharacters { question_mark: true, ..nothing }),
            ("/a%23b", EncodedCharacters { hash: true, ..nothing }),
        ] {
            for (allowed, is_in) in [(allowed, true), (nothing, false)] {
                let asked = Asked::get("http://a.b", path);
                let mut request = RequestEdits::new(&asked);
                let mut world = World::new();
                let mut frame = AllowedCharacters(allowed);
                let entered = frame.enter(&mut world.context(), &mut request, Got::Nothing);
                match entered {
                    Enter::Next => assert!(is_in, "{path}"),
                    Enter::Answer(answer) => assert_eq!((answer.status, is_in), (400, false)),
                    Enter::Ask(ask) => panic!("{ask:?}"),
                }
            }
        }
    }
}
