//! HTTP to the collector.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};

/// A collector that needs longer is as good as none.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read: it says at most what was not taken.
const LONGEST: usize = 64 * 1024;

/// Keeps a connection.
#[derive(Debug)]
pub(crate) struct CollectorClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl CollectorClient {
    /// # Errors
    /// When the system's certificates cannot be read.
    pub(crate) fn new() -> std::io::Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = self.0.request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}

#[async_trait::async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        tokio::time::timeout(PATIENCE, self.ask(request)).await?
    }
}
