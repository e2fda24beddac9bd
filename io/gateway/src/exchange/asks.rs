//! Carries out what filters ask for, apart from the body of the request itself.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use steelyard_filters::{Ask, Flight, Got};
use tokio::io::Interest;

use crate::core::Core;
use crate::exchange::course::Course;
use crate::exchange::fetch::fetch;
use crate::shared::flights::{Boarding, Landing};
use crate::wire::stream::Stream;

/// The client went away while a filter waited.
#[derive(Debug)]
pub(crate) struct Gone;

/// What comes of an ask of a frame of `course`.
pub(crate) async fn answer(
    ask: Ask,
    course: &mut Course,
    core: &Core,
    client: &Stream,
) -> Result<Got, Gone> {
    match ask {
        Ask::Sleep(time) => {
            unless_gone(core, client, tokio::time::sleep(time)).await?;
            Ok(Got::Nothing)
        }
        Ask::Fetch { to, letter } => {
            let passed = course.passed();
            let fetching = fetch(core, &to, &letter, course.client(), &passed);
            let fetched = unless_gone(core, client, fetching).await?;
            Ok(fetched.map_or(Got::Unanswered, |it| Got::Response(Box::new(it))))
        }
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
    }
}

/// What `future` comes to, if the client stays that long.
pub(crate) async fn unless_gone<T>(
    core: &Core,
    client: &Stream,
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
async fn leaves(core: &Core, client: &Stream) {
    match client.ready(Interest::PRIORITY | Interest::ERROR).await {
        Ok(ready) if ready.is_error() || ready.is_write_closed() => {}
        Ok(ready) if ready.is_read_closed() => {
            tokio::time::sleep(core.options().timeouts.half_closed).await;
        }
        Ok(_) => pending().await,
        Err(_) => {}
    }
}
