//! Refuses who says to be one of a list, or to come from one (`block-user-agents`,
//! `block-referers`).

use steelyard_http::{Head as _, RequestEdits};
use steelyard_model::routing::filter::nginx::{NginxBlocked, NginxWord};

use crate::context::{Context, Note};
use crate::frame::Enter;
use crate::response::Response;

pub(super) fn enter(
    blocked: &NginxBlocked,
    cx: &mut Context<'_>,
    head: &RequestEdits<'_>,
) -> Enter {
    let says = |name: &str, words: &[NginxWord]| {
        let value = String::from_utf8_lossy(head.first(name).unwrap_or_default());
        words.iter().any(|word| word.is(&value))
    };
    if !says("user-agent", &blocked.agents) && !says("referer", &blocked.referers) {
        return Enter::Next;
    }
    cx.notes.push(Note::Reason("what the client says of itself is not let in"));
    Enter::Answer(Box::new(Response::of_nginx(403)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Asked, World};

    #[test]
    fn whole_values_and_expressions() {
        let word = |text: &str| NginxWord::read(text).unwrap();
        let blocked = NginxBlocked {
            agents: vec![word("AlphaBot"), word(r"~*chrome\/68\.0"), word("~curl")],
            referers: vec![word("https://bad.test/")],
        };
        for (name, value, is_blocked) in [
            ("User-Agent", "AlphaBot", true),
            ("User-Agent", "alphabot", true),
            ("User-Agent", "AlphaBot/2", false),
            ("User-Agent", "Mozilla Chrome/68.0.1", true),
            ("User-Agent", "Curl", false),
            ("User-Agent", "x curl/8", true),
            ("Referer", "https://bad.test/", true),
            ("Referer", "https://bad.test/x", false),
            ("Referer", "AlphaBot", false),
        ] {
            let asked = Asked::get("http://a.b", "/").with(name, value);
            let mut world = World::new();
            let entered = enter(&blocked, &mut world.context(), &RequestEdits::new(&asked));
            assert_eq!(matches!(entered, Enter::Answer(_)), is_blocked, "{name}: {value}");
        }
    }
}
