//! Server-sent events: one per published view, so that a page need not ask again and again.
//!
//! An event says which generation there is now, not what is in it. Nothing queues up for a slow
//! reader: it gets the newest event when it reads again, and is dropped when it does not (see
//! server.rs).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::json;
use steelyard_host::places::Places;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::{Published, View, reply};

/// Streams open at a time, at most.
const MAX_STREAMS: usize = 64;
/// A comment this often keeps the connection open, and finds out when the reader is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The streams of one listener.
#[derive(Clone)]
pub(crate) struct Streams {
    published: Arc<Published>,
    free: Arc<Semaphore>,
    places: Places,
}

struct Reader {
    views: watch::Receiver<Arc<View>>,
    _permit: OwnedSemaphorePermit,
}

impl Streams {
    pub(crate) fn new(published: Arc<Published>, places: Places) -> Self {
        Self { published, free: Arc::new(Semaphore::new(MAX_STREAMS)), places }
    }

    /// They never make room, so half of the places are not for them.
    fn take(&self) -> Option<OwnedSemaphorePermit> {
        let open = MAX_STREAMS - self.free.available_permits();
        let is_free = open < self.places.limit().div_ceil(2);
        is_free.then(|| self.free.clone().try_acquire_owned().ok()).flatten()
    }
}

pub(crate) async fn stream(State(streams): State<Streams>) -> Response {
    let Some(permit) = streams.take() else {
        let message = "too many streams are open; close a page";
        return reply::refuse("/api", StatusCode::SERVICE_UNAVAILABLE, message);
    };
    let mut views = streams.published.subscribe();
    views.mark_changed(); // the first event tells what there is already
    let heartbeat = KeepAlive::new().interval(HEARTBEAT);
    Sse::new(events(Reader { views, _permit: permit })).keep_alive(heartbeat).into_response()
}

fn events(reader: Reader) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(reader, async |mut reader| {
        reader.views.changed().await.ok()?;
        let event = event(&reader.views.borrow_and_update());
        Some((Ok(event), reader))
    })
}

fn event(view: &View) -> Event {
    let data = json!({ "generation": view.generation, "ready": view.unready.is_empty() });
    Event::default().event("publish").data(data.to_string())
}
