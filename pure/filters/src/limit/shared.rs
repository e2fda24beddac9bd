//! Lets only so many requests of one source in over time, over all replicas that ask one server.
//!
//! Who cannot be counted is not let in (500, as with Traefik).

use std::sync::Arc;
use std::time::Duration;

use steelyard_http::RequestEdits;
use steelyard_model::routing::filter::limit::{Counted, RateLimit, RedisStore};

use super::buckets::Pace;
use super::rate::too_many;
use super::script::{TakeScript, verdict};
use super::source::text;
use crate::ask::{Ask, Got};
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame};
use crate::response::Response;

/// How many are let in, and who counts.
#[derive(Clone, Debug)]
pub(crate) struct SharedRate {
    /// None where nothing is limited.
    terms: Option<Arc<SharedTerms>>,
    has_waited: bool,
}

#[derive(Debug)]
struct SharedTerms {
    of: Counted,
    pace: Pace,
    status: u16,
    script: TakeScript,
    store: Arc<RedisStore>,
}

impl SharedRate {
    /// `owner` is what the middleware is called.
    pub(crate) fn new(owner: &str, limit: &RateLimit, store: &RedisStore) -> Self {
        let pace = Pace::new(limit.average, limit.period, limit.burst);
        let terms = pace.map(|pace| SharedTerms {
            of: limit.of.clone(),
            pace,
            status: limit.status,
            script: TakeScript::new(owner, limit, pace),
            store: Arc::new(store.clone()),
        });
        Self { terms: terms.map(Arc::new), has_waited: false }
    }
}

impl Frame for SharedRate {
    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, got: Got) -> Enter {
        let Some(terms) = self.terms.clone().filter(|_| !self.has_waited) else {
            return Enter::Next;
        };
        let said = match got {
            Got::Nothing => {
                let script = terms.script.of(&text(&terms.of, cx.journey.peer, head));
                return Enter::Ask(Ask::Run {
                    store: terms.store.clone(),
                    script: Box::new(script),
                });
            }
            Got::Said(parts) => verdict(&parts),
            _ => None,
        };
        match said {
            Some(Ok(0)) => Enter::Next,
            Some(Ok(wait)) => {
                self.has_waited = true;
                // No longer than is waited, whatever is said.
                let wait = Duration::from_micros(wait.min(terms.pace.patience_micros()));
                Enter::Ask(Ask::Sleep(wait))
            }
            Some(Err(wait)) => {
                cx.notes.push(Note::Reason("more requests of this source than its rate allows"));
                Enter::Answer(Box::new(match terms.status {
                    429 => too_many(terms.pace, Duration::from_micros(wait)),
                    other => Response::bare(other),
                }))
            }
            None => {
                cx.notes.push(Note::Reason("who counts for all replicas does not answer"));
                Enter::Answer(Box::new(Response::bare(500)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Asked, World};

    fn limit(average: u64, of: Counted) -> SharedRate {
        let store = RedisStore {
            servers: Vec::new(),
            credentials: None,
            tls: None,
            database: 0,
            pool: 0,
            idle: 0,
            active: 0,
            read: None,
            write: None,
            dial: None,
        };
        let limit = RateLimit {
            average,
            period: Duration::from_secs(60),
            burst: 5,
            of,
            redis: Some(store.clone()),
            status: 429,
            page: Default::default(),
        };
        SharedRate::new("default/few@kubernetescrd", &limit, &store)
    }

    fn entered(frame: &mut SharedRate, world: &mut World, asked: &Asked, got: Got) -> Enter {
        frame.enter(&mut world.context(), &mut RequestEdits::new(asked), got)
    }

    fn said(parts: &[&str]) -> Got {
        Got::Said(parts.iter().map(|it| it.as_bytes().into()).collect())
    }

    #[test]
    fn a_server_is_told_what_to_count_and_how() {
        let long = "x".repeat(300).leak();
        let by_key = || Counted::Header("x-key".into());
        for (of, asked, key) in [
            (Counted::Client(Default::default()), Asked::get("a.b", "/"), "10.0.0.1".to_owned()),
            (Counted::Host, Asked::get("A.b:80", "/"), "a.b".to_owned()),
            (by_key(), Asked::get("a.b", "/").with("X-Key", "k:1"), "k:1".to_owned()),
            (by_key(), Asked::get("a.b", "/"), String::new()),
        ] {
            let asks = entered(&mut limit(30, of), &mut World::new(), &asked, Got::Nothing);
            let Enter::Ask(Ask::Run { script, .. }) = asks else { panic!("{asks:?}") };
            let key = format!("rate:default-few@kubernetescrd:{key}");
            assert_eq!(String::from_utf8_lossy(&script.key), key);
            // Half a request a second: one is waited for half a second at most (Traefik).
            assert_eq!(*script.arguments, ["0.0000005", "5", "500000", "13"]);
            assert_eq!(script.digest.len(), 40);
        }
        let asked = Asked::get("a.b", "/").with("X-Key", long);
        let asks = entered(&mut limit(30, by_key()), &mut World::new(), &asked, Got::Nothing);
        let Enter::Ask(Ask::Run { script, .. }) = asks else { panic!("{asks:?}") };
        assert_eq!(script.key.len(), "rate:default-few@kubernetescrd:".len() + 64);
        let nothing = limit(0, Counted::Host);
        let passes = entered(&mut nothing.clone(), &mut World::new(), &asked, Got::Nothing);
        assert!(matches!(passes, Enter::Next), "nothing is limited: {passes:?}");
    }

    #[test]
    fn what_it_says_is_done_and_without_it_nobody_passes() {
        let (asked, mut world) = (Asked::get("a.b", "/"), World::new());
        for (got, status) in [
            (said(&["1", "0"]), 200),
            (said(&["0", "1500000"]), 429),
            (said(&["1"]), 500),
            (said(&[]), 500),
            (Got::Unanswered, 500),
        ] {
            let mut frame = limit(30, Counted::Host);
            let found = match entered(&mut frame, &mut world, &asked, got) {
                Enter::Next => 200,
                Enter::Answer(answer) => {
                    if answer.status == 429 {
                        use steelyard_http::Head as _;
                        assert_eq!(answer.first("retry-after"), Some(&b"2"[..]));
                    }
                    answer.status
                }
                Enter::Ask(ask) => panic!("{ask:?}"),
            };
            assert_eq!(found, status);
        }
        let mut frame = limit(30, Counted::Host);
        let waits = entered(&mut frame, &mut world, &asked, said(&["1", "99000000"]));
        let Enter::Ask(Ask::Sleep(time)) = waits else { panic!("{waits:?}") };
        assert_eq!(time, Duration::from_millis(500));
        assert!(matches!(entered(&mut frame, &mut world, &asked, Got::Nothing), Enter::Next));
    }
}
