//! What is answered, by path.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, Response, StatusCode};
use steelyard_admission::{Beside, convert, review};
use tokio::time::timeout;

use crate::certificate::Shown;

/// Bytes of a question at most. An API server takes 3 MiB of an object, and sends it as it was,
/// too, of which it keeps no more than 1.5 MiB.
const LONGEST: usize = 5 << 20;
/// Where ingress-nginx's own webhook is asked, as configurations that people have say.
const OF_NGINX: &str = "/networking/v1/ingresses";
/// Of what is too long so many bytes are taken, so that who sent them hears why.
const DROPPED: usize = 32 << 20;
/// And for so long: whoever has stopped sending until it is answered hears it, too.
const LINGER: Duration = Duration::from_secs(1);
const TOO_LONG: &str = "more than is judged";
/// A question is here in this time. An API server sends it at once, and waits for 5 s as it is told
/// to.
const PATIENCE: Duration = Duration::from_secs(10);

type Answer = Response<Full<Bytes>>;

/// What is asked for.
#[derive(Clone, Copy)]
enum Wanted {
    Review,
    Conversion,
}

/// Answers one question. It is ready while an API server would take the certificate.
pub(crate) async fn answer(
    request: Request<Incoming>,
    shown: &Shown,
    beside: &dyn Beside,
) -> Result<Answer, Infallible> {
    let wanted = match (request.method(), request.uri().path()) {
        (&Method::GET, "/readyz") if !shown.is_valid() => {
            let why = "no API server takes the certificate: it has lapsed, or is not valid yet";
            return Ok(text(StatusCode::SERVICE_UNAVAILABLE, why));
        }
        (&Method::GET, "/healthz" | "/readyz") => return Ok(text(StatusCode::OK, "ok")),
        (&Method::POST, "/validate" | OF_NGINX) => Wanted::Review,
        (&Method::POST, "/convert") => Wanted::Conversion,
        (_, "/validate" | "/convert" | OF_NGINX) => {
            return Ok(text(StatusCode::METHOD_NOT_ALLOWED, "POST a review"));
        }
        _ => return Ok(text(StatusCode::NOT_FOUND, "there is /validate and /convert")),
    };
    let body = match timeout(PATIENCE, whole(request.into_body())).await {
        Ok(Ok(body)) => body,
        Ok(Err(refused)) => return Ok(refused),
        Err(_) => return Ok(text(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    };
    let answered = match wanted {
        Wanted::Review => review(&body, beside),
        Wanted::Conversion => convert(&body),
    };
    Ok(match answered {
        Ok(text) => json(text),
        Err(why) => text(StatusCode::BAD_REQUEST, &why.to_string()),
    })
}

async fn whole(mut body: Incoming) -> Result<Bytes, Answer> {
    let is_short = usize::try_from(body.size_hint().lower()).is_ok_and(|it| it <= LONGEST);
    if !is_short {
        linger(body).await;
        return Err(text(StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG));
    }
    match Limited::new(&mut body, LONGEST).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            linger(body).await;
            Err(text(StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG))
        }
        Err(error) => {
            tracing::debug!(error, "a question broke off");
            Err(text(StatusCode::BAD_REQUEST, "the body broke off"))
        }
    }
}

/// Reads on, and keeps nothing: a connection that is closed on who still sends takes the answer
/// with it.
async fn linger(mut body: Incoming) {
    let dropped = async {
        let mut left = DROPPED;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(less) = left.checked_sub(length) else { return };
            left = less;
        }
    };
    let _ = timeout(LINGER, dropped).await;
}

fn json(text: String) -> Answer {
    let mut answer = Response::new(Full::from(text));
    answer.headers_mut().insert(CONTENT_TYPE, "application/json".parse().expect("a header value"));
    answer
}

fn text(status: StatusCode, text: &str) -> Answer {
    let mut answer = Response::new(Full::from(format!("{text}\n")));
    *answer.status_mut() = status;
    answer
}
