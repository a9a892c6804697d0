//! Requests to the collector, on the worker's runtime.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http_body_util::{BodyExt, Full, Limited};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::web_client::{WebClient, with_causes};

/// The most of an answer that is read.
const ANSWER_AT_MOST: usize = 64 * 1024;

/// How often failures are logged at most.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The collector that spans are sent to.
#[derive(Debug)]
pub struct Collector {
    client: WebClient,
    /// Who calls is a thread of its own.
    runtime: Handle,
    timeout: Duration,
    told: Mutex<Option<Instant>>,
}

impl Collector {
    /// Must be called on the runtime.
    pub fn new(client: WebClient, timeout: Duration) -> Self {
        Collector { client, runtime: Handle::current(), timeout, told: Mutex::new(None) }
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let (client, within) = (self.client.clone(), self.timeout);
        let exchange = async move {
            let answer = client.request(request.map(Full::new)).await;
            let (head, body) = answer.map_err(|error| with_causes(&error))?.into_parts();
            let body = Limited::new(body, ANSWER_AT_MOST).collect().await;
            let body = body.map_err(|error| with_causes(&*error))?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        match self.runtime.spawn(async move { timeout(within, exchange).await }).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(format!("no answer within {within:?}")),
            // The program ends.
            Err(error) => Err(error.to_string()),
        }
    }

    fn tell(&self, fault: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            *told = Some(Instant::now());
            tracing::warn!("spans are lost, the collector does not take them (told once a minute): {fault}");
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let uri = request.uri().clone();
        let answer = self.send(request).await.inspect_err(|fault| self.tell(&format!("{uri}: {fault}")))?;
        if !answer.status().is_success() {
            self.tell(&format!("{uri}: it answers {}", answer.status()));
        }
        Ok(answer)
    }
}
