//! The thread that sends.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use http::Uri;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use steelyard_http::{RequestSpan, SpanCounts, SpanSink};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use crate::TraceOptions;
use crate::client::CollectorClient;
use crate::spans::{SpanTerms, spans};

/// Requests that wait to be sent; more are dropped.
const WAITING: usize = 4096;
/// Requests sent at once.
const BATCH: usize = 256;
/// A batch that is not full goes after this long.
const PAUSE: Duration = Duration::from_secs(1);
/// At the end what waits is sent in this time, or not at all.
const LAST: Duration = Duration::from_secs(2);

/// Why nothing is sent.
#[derive(Debug, thiserror::Error)]
pub enum TraceStartError {
    /// Not an address of a collector.
    #[error("{0:?} is not http://HOST:PORT/PATH or https://HOST:PORT/PATH")]
    Endpoint(String),
    /// The system's certificates cannot be read.
    #[error("cannot read the system's certificates: {0}")]
    Roots(#[source] std::io::Error),
    /// No thread, or no runtime for it.
    #[error("cannot start to send traces: {0}")]
    Thread(#[source] std::io::Error),
    /// The exporter cannot be made.
    #[error("cannot send traces: {0}")]
    Exporter(#[from] ExporterBuildError),
}

/// Takes requests in and sends them; dropping it sends what waits, for a moment, and ends.
#[derive(Debug)]
pub struct Exporter {
    to: Sender<RequestSpan>,
    counted: Arc<Counted>,
    end: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// What waits to be sent.
struct Waiting {
    requests: Receiver<RequestSpan>,
    end: watch::Receiver<bool>,
}

#[derive(Debug, Default)]
struct Counted {
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl Exporter {
    /// Starts the thread. Whether there is a collector shows with the first request.
    ///
    /// # Errors
    /// When the endpoint is no URL, or something of the system's is missing.
    pub fn start(options: &TraceOptions) -> Result<Self, TraceStartError> {
        let exporter = exporter(options)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(TraceStartError::Thread)?;
        let ((to, requests), (end, ends)) = (channel(WAITING), watch::channel(false));
        let counted = Arc::<Counted>::default();
        let (counts, waiting) = (counted.clone(), Waiting { requests, end: ends });
        let terms = SpanTerms {
            scope: scope(),
            attributes: options.attributes.clone(),
            safe_query: options.safe_query.clone(),
        };
        let work = move || runtime.block_on(run(exporter, waiting, (&terms, &counts)));
        let thread = std::thread::Builder::new().name("traces".into()).spawn(work);
        let thread = thread.map_err(TraceStartError::Thread)?;
        Ok(Self { to, counted, end, thread: Some(thread) })
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.end.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there was printed there
        }
    }
}

impl SpanSink for Exporter {
    fn take(&self, span: RequestSpan) {
        if self.to.try_send(span).is_err() {
            self.counted.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counts(&self) -> SpanCounts {
        let Counted { sent, dropped } = &*self.counted;
        SpanCounts { sent: sent.load(Ordering::Relaxed), dropped: dropped.load(Ordering::Relaxed) }
    }
}

fn exporter(options: &TraceOptions) -> Result<SpanExporter, TraceStartError> {
    let wrong = || TraceStartError::Endpoint(options.endpoint.clone());
    let endpoint: Uri = options.endpoint.parse().map_err(|_| wrong())?;
    let is_known = matches!(endpoint.scheme_str(), Some("http" | "https"));
    if !is_known || endpoint.path() == "/" {
        return Err(wrong());
    }
    let client = CollectorClient::new().map_err(TraceStartError::Roots)?;
    let headers: HashMap<String, String> = options.headers.clone().into_iter().collect();
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&options.endpoint)
        .with_headers(headers)
        .build()?;
    let attributes = options.resource.iter();
    let attributes = attributes.map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    let resource = Resource::builder_empty()
        .with_service_name(options.service_name.clone())
        .with_attributes(attributes)
        .build();
    exporter.set_resource(&resource);
    Ok(exporter)
}

impl Waiting {
    /// The next one; none once everything is taken that was there at the end.
    async fn next(&mut self) -> Option<RequestSpan> {
        if !self.requests.is_closed() {
            tokio::select! {
                next = self.requests.recv() => return next,
                _ = self.end.wait_for(|is_end| *is_end) => self.requests.close(),
            }
        }
        self.requests.recv().await
    }

    /// The next ones, as many as go at once; none at the end.
    async fn batch(&mut self) -> Option<Vec<RequestSpan>> {
        let mut batch = vec![self.next().await?];
        let until = Instant::now() + PAUSE;
        while batch.len() < BATCH
            && let Ok(Some(next)) = timeout_at(until, self.next()).await
        {
            batch.push(next);
        }
        Some(batch)
    }
}

/// Sends until the end, and what is left then for a moment.
async fn run(
    exporter: SpanExporter,
    mut waiting: Waiting,
    (terms, counted): (&SpanTerms, &Counted),
) {
    let mut end = waiting.end.clone();
    let too_late = async {
        let _ = end.wait_for(|is_end| *is_end).await;
        sleep(LAST).await;
    };
    tokio::select! {
        () = send(exporter, &mut waiting, terms, counted) => {}
        () = too_late => {}
    }
}

fn scope() -> InstrumentationScope {
    let version = env!("CARGO_PKG_VERSION");
    InstrumentationScope::builder("steelyard").with_version(version).build()
}

async fn send(exporter: SpanExporter, waiting: &mut Waiting, terms: &SpanTerms, counted: &Counted) {
    let mut is_failing = false;
    while let Some(batch) = waiting.batch().await {
        let told = batch.iter().flat_map(|request| spans(request, terms)).collect();
        let sent = exporter.export(told).await;
        let counter = if sent.is_ok() { &counted.sent } else { &counted.dropped };
        counter.fetch_add(batch.len() as u64, Ordering::Relaxed);
        match &sent {
            Ok(()) if is_failing => tracing::info!("traces arrive again"),
            Err(error) if !is_failing => tracing::warn!(%error, "traces do not arrive"),
            _ => {}
        }
        is_failing = sent.is_err();
    }
}
