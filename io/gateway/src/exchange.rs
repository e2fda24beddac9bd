//! One request and its response: an endpoint is picked, a connection taken or made, and another
//! one tried where that loses nothing.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use steelyard_http::Reject;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use crate::buffers::Buffer;
use crate::core::{Core, Listener};
use crate::fault::{Failed, Fault};
use crate::live::{RouteState, ServiceState, Target};
use crate::request::{Request, release};
use crate::respond::{Progress, Responded, Terms, respond, since};
use crate::stream::{read, within, write_all};
use crate::tunnel::tunnel;
use crate::upstream::Upstream;

/// One request at its backends.
pub(crate) struct Exchange<'c> {
    pub(crate) core: &'c Core,
    pub(crate) client: &'c mut TcpStream,
    /// What the client has sent beyond this request.
    pub(crate) held: &'c mut Option<Buffer>,
    /// The rewritten head and what had come of the body.
    pub(crate) out: &'c [u8],
    pub(crate) request: &'c mut Request,
    pub(crate) listener: &'c Listener,
    pub(crate) progress: Progress,
    pub(crate) trace: Trace,
}

/// Where a request went, for the log.
#[derive(Default)]
pub(crate) struct Trace {
    /// Index among the services of the route.
    pub(crate) service: Option<usize>,
    pub(crate) endpoint: Option<Rc<Upstream>>,
    pub(crate) retries: u32,
    /// When the request was sent to the endpoint; known when it is logged.
    pub(crate) sent: Option<Instant>,
}

impl Exchange<'_> {
    /// Tries the route's endpoints until one answers.
    pub(crate) async fn run(&mut self, route: &RouteState) -> Result<Responded, Failed> {
        let Some(picked) = route.pick() else {
            let failed = Failed::new(Fault::NoEndpoints);
            self.core.warn(&failed, &route.name, "");
            return Err(failed);
        };
        let service = &route.services[picked];
        self.trace.service = Some(picked);
        let mut last = Failed::new(Fault::NoEndpoints);
        let limit = self.core.options().timeouts.connect_all;
        for (attempt, index) in service.turns.attempts(service.targets.len()).enumerate() {
            if attempt > 0 {
                if since(self.request.started) > limit {
                    break;
                }
                self.trace.retries += 1;
                self.core.counters.count_retry(&service.name);
            }
            match self.at_target(service, &service.targets[index]).await {
                Err(failed) if failed.retry => last = failed,
                outcome => return outcome,
            }
        }
        last.retry = false;
        Err(last)
    }

    async fn at_target(
        &mut self,
        service: &ServiceState,
        target: &Target,
    ) -> Result<Responded, Failed> {
        let (name, port) = match target {
            Target::Address(upstream) => return self.at(service, upstream).await,
            Target::Name(name, port) => (name, *port),
        };
        let core = self.core;
        let limit = core.options().timeouts.connect;
        let addresses = match core.upstreams.resolve(name, port, Instant::now(), limit).await {
            Ok(addresses) => addresses,
            Err(error) => {
                let failed = Failed { fault: Fault::Unresolved, detail: Some(error), retry: true };
                core.warn(&failed, &service.name, name);
                return Err(failed);
            }
        };
        let mut last = Failed { fault: Fault::Unresolved, detail: None, retry: true };
        for address in addresses.iter() {
            match self.at(service, &core.upstreams.at(*address)).await {
                Err(failed) if failed.retry => last = failed,
                outcome => return outcome,
            }
        }
        Err(last)
    }

    async fn at(
        &mut self,
        service: &ServiceState,
        upstream: &Rc<Upstream>,
    ) -> Result<Responded, Failed> {
        self.trace.endpoint = Some(upstream.clone());
        if let Some(stream) = upstream.checkout() {
            match self.over(stream, upstream).await {
                // It may have been closed in the moment it was taken: a fresh one tells.
                Err(failed) if failed.retry => {}
                outcome => return self.warned(service, upstream, outcome),
            }
        }
        let outcome = match upstream.connect(self.core.options().timeouts.connect).await {
            Ok(stream) => self.over(stream, upstream).await,
            Err(error) => Err(Failed::connect(error)),
        };
        self.warned(service, upstream, outcome)
    }

    fn warned(
        &self,
        service: &ServiceState,
        upstream: &Upstream,
        outcome: Result<Responded, Failed>,
    ) -> Result<Responded, Failed> {
        if let Err(failed) = &outcome
            && failed.fault.is_ours()
        {
            self.core.warn(failed, &service.name, &upstream.label);
        }
        outcome
    }

    /// Sends the request over `stream` and passes the response on.
    async fn over(
        &mut self,
        mut stream: TcpStream,
        upstream: &Upstream,
    ) -> Result<Responded, Failed> {
        let core = self.core;
        let (mut from, mut to) = stream.split();
        let (mut client_from, mut client_to) = self.client.split();
        let replayable = self.request.is_replayable();
        self.trace.sent = core.log.as_ref().map(|_| Instant::now());
        write_all(&mut to, self.out, core.options().timeouts.write)
            .await
            .map_err(|(error, taken)| Failed::upstream(error, taken == 0 || replayable))?;
        let terms = Terms {
            core,
            asked: self.request.asked,
            listener: self.listener,
            keep_alive: self.request.keep_alive,
            replayable,
            progress: &self.progress,
        };
        let responding = respond(terms, &mut from, &mut client_to);
        let responded = if self.request.body.is_done() {
            let watching = watch(core, &mut client_from, self.held);
            alongside(responding, watching).await?
        } else {
            let uploading = upload(core, &mut client_from, self.held, &mut to, self.request);
            alongside(responding, uploading).await?
        };
        if responded.switched {
            tunnel(core, self.client, stream, self.held.take(), &self.progress).await;
        } else if responded.reuse && self.request.body.is_done() {
            upstream.give_back(stream, core.tick.get());
        }
        Ok(responded)
    }
}

/// `main`'s outcome, unless `side` fails first. `side` may end well before `main` does.
async fn alongside<T>(
    main: impl Future<Output = Result<T, Failed>>,
    side: impl Future<Output = Result<(), Failed>>,
) -> Result<T, Failed> {
    let (mut main, mut side) = (pin!(main), pin!(side));
    let mut side_ended = false;
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = main.as_mut().poll(cx) {
            return Poll::Ready(outcome);
        }
        if !side_ended && let Poll::Ready(outcome) = side.as_mut().poll(cx) {
            side_ended = true;
            if let Err(failed) = outcome {
                return Poll::Ready(Err(failed));
            }
        }
        Poll::Pending
    })
    .await
}

/// Notices a client that goes away while it waits. One that has only closed its side gets some
/// time for its answer; a request sent ahead is kept.
async fn watch(
    core: &Core,
    client: &mut ReadHalf<'_>,
    held: &mut Option<Buffer>,
) -> Result<(), Failed> {
    if held.is_some() {
        return Ok(());
    }
    match read(client, &core.heads, held).await {
        Ok(0) => {
            tokio::time::sleep(core.options().timeouts.half_closed).await;
            Err(Failed::new(Fault::ClientGone))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(Failed::client(error)),
    }
}

/// The rest of a request's body. When upstream has closed its side, its response says why.
async fn upload(
    core: &Core,
    client: &mut ReadHalf<'_>,
    held: &mut Option<Buffer>,
    to: &mut WriteHalf<'_>,
    request: &mut Request,
) -> Result<(), Failed> {
    let timeouts = &core.options().timeouts;
    let mut slot = None;
    while !request.body.is_done() {
        match within(timeouts.request_body, read(client, &core.bulk, &mut slot)).await {
            Ok(0) => return Err(Failed::new(Fault::ClientGone)),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                return Err(Failed::new(Fault::RequestTimeout));
            }
            Err(error) => return Err(Failed::client(error)),
        }
        let Some(buffer) = &mut slot else { continue };
        let fed =
            request.body.feed(buffer).map_err(|_| Failed::new(Fault::Rejected(Reject::Chunk)))?;
        request.bytes_in += fed.consumed as u64;
        let mut sent = write_all(to, &buffer[..fed.forward], timeouts.write).await;
        if sent.is_ok() {
            sent = write_all(to, fed.closing, timeouts.write).await;
        }
        match sent {
            Ok(()) => {}
            Err((error, _)) if error.kind() == std::io::ErrorKind::TimedOut => {
                return Err(Failed::upstream(error, false));
            }
            Err(_) => return Ok(()),
        }
        release(&mut slot, fed.consumed);
    }
    *held = slot;
    watch(core, client, held).await
}
