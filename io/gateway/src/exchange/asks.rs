//! Carries out what filters ask for, apart from the body of the request itself.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::io::{Error, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use steelyard_filters::{Ask, Flight, Got, Letter, Recipe, Script};
use steelyard_model::routing::filter::limit::RedisStore;
use steelyard_model::routing::id::BackendId;
use tokio::io::Interest;

use crate::core::Core;
use crate::exchange::course::Course;
use crate::exchange::fetch::{Asker, fetch, reached};
use crate::shared::flights::{Boarding, Landing};
use crate::wire::Wire;

/// Why nothing was asked, or more was answered than is taken: that says nothing of who is asked.
const OF_THE_ASKER: [ErrorKind; 4] = [
    ErrorKind::FileTooLarge,
    ErrorKind::QuotaExceeded,
    ErrorKind::OutOfMemory,
    ErrorKind::InvalidInput,
];

/// The client went away while a filter waited.
#[derive(Debug)]
pub(crate) struct Gone;

/// Why a filter does not get what it asks for, and nobody goes on.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The client went away.
    Gone,
    /// All of the request is to be over by now.
    Late,
}

/// What comes of an ask of a frame of `course`.
pub(crate) async fn answer(
    ask: Ask,
    course: &mut Course,
    core: &Core,
    client: &impl Wire,
) -> Result<Got, Stopped> {
    let due = course.due;
    let answering = carried_out(ask, course, core, client);
    let Some(due) = due else { return Ok(answering.await?) };
    match tokio::time::timeout_at(due.into(), answering).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Stopped::Late),
    }
}

impl From<Gone> for Stopped {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

async fn carried_out(
    ask: Ask,
    course: &mut Course,
    core: &Core,
    client: &impl Wire,
) -> Result<Got, Gone> {
    match ask {
        Ask::Sleep(time) => {
            unless_gone(core, client, tokio::time::sleep(time)).await?;
            Ok(Got::Nothing)
        }
        Ask::Fetch { to, letter } => fetched((to, *letter), course, core, client).await,
        Ask::Run { store, script } => counted(&store, &script, course, core, client).await,
        Ask::Work(job) => {
            let Some(labour) = core.shared.labour() else { return Ok(Got::Unanswered) };
            let found = unless_gone(core, client, labour.done(job)).await?;
            Ok(found.map_or(Got::Unanswered, Got::Done))
        }
        Ask::Shared(key) => {
            if course.leads.iter().any(|lead| lead.key == key) {
                return Ok(Got::Flight(Flight::Lead));
            }
            let landing = match core.shared.flights.board(key) {
                Boarding::Lead(lead) => Landing::Lead(lead),
                Boarding::Wait(from) => match unless_gone(core, client, from).await? {
                    Ok(landing) => landing,
                    Err(_) => return Ok(Got::Unanswered),
                },
            };
            Ok(Got::Flight(match landing {
                Landing::Found(found) => Flight::Found(found),
                Landing::Lead(lead) => {
                    course.leads.push(lead);
                    Flight::Lead
                }
            }))
        }
        // Only before the request is inside, and there it was seen to.
        Ask::Body { .. } => Ok(Got::TooLarge),
        // Only of a response, and there it was seen to.
        Ask::Begin { .. } => Ok(Got::Begin(Bytes::new())),
    }
}

/// What somebody answers to a request of a frame's own.
async fn fetched(
    (to, letter): (BackendId, Letter),
    course: &mut Course,
    core: &Core,
    client: &impl Wire,
) -> Result<Got, Gone> {
    let (kind, address, passed) = (kind(course), course.client(), course.passed().to_vec());
    let course = RefCell::new(course);
    let room = |bytes| {
        let has_room = course.borrow_mut().has_room(bytes);
        if !has_room {
            core.make_room(); // of those who take nothing of what is kept for them
        }
        has_room
    };
    let asker = Asker { client: address, passed: &passed, room: &room };
    let fetching = fetch(core, &to, &letter, asker);
    let fetched = unless_gone(core, client, fetching).await?;
    tell_of(core, (kind, &to), fetched.as_ref().err());
    let (outcome, got) = match fetched {
        Ok(answer) => ("answered", Got::Response(Box::new(answer))),
        Err(error) => match error.kind() {
            ErrorKind::FileTooLarge => ("too-large", Got::TooLarge),
            ErrorKind::TimedOut => ("late", Got::Unanswered),
            ErrorKind::QuotaExceeded => ("too-many", Got::Unanswered),
            ErrorKind::OutOfMemory => ("no-room", Got::Unanswered),
            _ => ("away", Got::Unanswered),
        },
    };
    core.counters.count_asked(kind, outcome);
    Ok(got)
}

/// What a script comes to at who counts for all replicas.
async fn counted(
    store: &Arc<RedisStore>,
    script: &Script,
    course: &mut Course,
    core: &Core,
    client: &impl Wire,
) -> Result<Got, Gone> {
    let (kind, address) = (kind(course), course.client());
    let reach = |at: usize| reached(core, &store.servers[at].1, address);
    let running = core.counting.run(store, script, reach);
    let said = unless_gone(core, client, running).await?;
    if let Some((_, first)) = store.servers.first() {
        tell_of(core, (kind, first), said.as_ref().err());
    }
    let (outcome, got) = match said {
        Ok(said) => ("answered", Got::Said(said)),
        Err(error) => {
            tracing::debug!(%error, "nobody counts for a filter");
            let outcome = match error.kind() {
                ErrorKind::TimedOut => "late",
                ErrorKind::PermissionDenied => "refused",
                _ => "away",
            };
            (outcome, Got::Unanswered)
        }
    };
    core.counters.count_asked(kind, outcome);
    Ok(got)
}

/// Says once that whom a filter asks gives no answer, and once that it does again.
fn tell_of(core: &Core, (filter, backend): (&str, &BackendId), error: Option<&Error>) {
    let absent = &core.shared.absent;
    let Some(error) = error else {
        if absent.is_back(backend) {
            tracing::info!(filter, %backend, "whom a filter asks answers again");
        }
        return;
    };
    if !OF_THE_ASKER.contains(&error.kind()) && absent.is_lost(backend, Instant::now()) {
        tracing::warn!(filter, %backend, %error, "whom a filter asks gives no answer");
    }
}

/// What asks.
fn kind(course: &mut Course) -> &'static str {
    course.stack().at_work().map_or("", Recipe::kind)
}

/// What `future` comes to, if the client stays that long.
pub(crate) async fn unless_gone<T, C: Wire>(
    core: &Core,
    client: &C,
    future: impl Future<Output = T>,
) -> Result<T, Gone> {
    let (mut future, mut leaving) = (pin!(future), pin!(leaves(core, client)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => leaving.as_mut().poll(cx).map(|()| Err(Gone)),
    })
    .await
}

/// Ends when the client's connection breaks, or a while after it has closed its side.
async fn leaves(core: &Core, client: &impl Wire) {
    match client.ready(Interest::PRIORITY | Interest::ERROR).await {
        Ok(ready) if ready.is_error() || ready.is_write_closed() => {}
        Ok(ready) if ready.is_read_closed() => {
            tokio::time::sleep(core.options().timeouts.half_closed).await;
        }
        Ok(_) => pending().await,
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, TcpListener};
    use std::rc::Rc;
    use std::time::Duration;

    use steelyard_filters::Journey;

    use super::*;
    use crate::core::stock::Stock;
    use crate::core::worker::Servants;
    use crate::options::{GatewayOptions, Timeouts};
    use crate::shared::Shared;
    use crate::wire::stream::Stream;

    const SHORT: Duration = Duration::from_millis(300);
    const LONG: Duration = Duration::from_secs(3600);

    fn core(half_closed: Duration) -> Rc<Core> {
        let timeouts = Timeouts { half_closed, ..Timeouts::default() };
        let options = GatewayOptions { timeouts, ..GatewayOptions::default() };
        Core::new(0, Shared::new(options), None, Servants::of_test(|_| ()))
    }

    fn course() -> Course {
        let peer = [127, 0, 0, 1].into();
        let journey = Journey::of(peer);
        let stock = Stock::default();
        Course::new(Vec::new(), journey, Vec::new(), &stock)
    }

    async fn client() -> (Stream, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = Stream::connect(listener.local_addr().unwrap()).await.unwrap();
        (ours, listener.accept().unwrap().0)
    }

    /// What it comes to that a frame sleeps while the client does something.
    async fn sleeping(
        time: Duration,
        half_closed: Duration,
        does: impl FnOnce(&std::net::TcpStream),
    ) -> bool {
        let (ours, theirs) = client().await;
        does(&theirs);
        let core = core(half_closed);
        answer(Ask::Sleep(time), &mut course(), &core, &ours).await.is_ok()
    }

    /// A client that has closed its side is waited with, for a while; one that says something else
    /// has not gone.
    #[tokio::test]
    async fn who_has_gone_ends_what_is_asked_for_it() {
        assert!(sleeping(SHORT, LONG, |_| ()).await);
        assert!(sleeping(SHORT, LONG, |it| it.shutdown(Shutdown::Write).unwrap()).await);
        assert!(!sleeping(LONG, SHORT, |it| it.shutdown(Shutdown::Write).unwrap()).await);
        let urgent = |it: &std::net::TcpStream| {
            socket2::SockRef::from(it).send_out_of_band(b"!").map(drop).unwrap();
        };
        assert!(sleeping(SHORT, Duration::ZERO, urgent).await);
        let resets = |it: &std::net::TcpStream| {
            let socket = socket2::SockRef::from(it);
            socket.set_linger(Some(Duration::ZERO)).unwrap();
            socket.shutdown(Shutdown::Both).unwrap();
        };
        assert!(!sleeping(LONG, SHORT, resets).await);
    }

    /// Who finds something out does not wait for itself.
    #[tokio::test]
    async fn a_leader_leads_when_it_asks_again() {
        let (core, (ours, _theirs), mut course) = (core(LONG), client().await, course());
        for key in ["a", "b", "a", "b"] {
            let got = answer(Ask::Shared(key.into()), &mut course, &core, &ours);
            let got = tokio::time::timeout(Duration::from_secs(9), got).await;
            assert!(matches!(got, Ok(Ok(Got::Flight(Flight::Lead)))), "{key}");
        }
        assert_eq!(course.leads.len(), 2);
    }
}
