//! Spans that wait for the collector are counted. Where it cannot keep up, further ones are lost,
//! and counted too.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};
use prometheus_client::metrics::counter::Counter;

/// How many spans may wait, by default, and the variable that says otherwise.
const WAITING_AT_MOST: usize = 2_048;
const VARIABLE: &str = "OTEL_BSP_MAX_QUEUE_SIZE";

#[derive(Debug, Clone)]
pub struct Backlog {
    waiting: Arc<AtomicUsize>,
    most: usize,
    lost: Counter,
}

impl Backlog {
    pub fn new(lost: Counter) -> Self {
        let given = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
        Backlog { waiting: Arc::default(), most: given.unwrap_or(WAITING_AT_MOST), lost }
    }

    /// Whether one more may wait.
    fn admits(&self) -> bool {
        let admitted = |waiting| (waiting < self.most).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, admitted).is_ok()
    }
}

/// Hands on no more spans than may wait.
#[derive(Debug)]
pub struct Bounded {
    pub processor: BatchSpanProcessor,
    pub backlog: Backlog,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.processor.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if self.backlog.admits() {
            self.processor.on_end(span);
        } else {
            self.backlog.lost.inc();
        }
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

/// Counts what leaves the backlog, and what the collector did not take.
#[derive(Debug)]
pub struct Counted<E> {
    pub exporter: E,
    pub backlog: Backlog,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.backlog.waiting.fetch_sub(spans, Ordering::Relaxed);
        let exported = self.exporter.export(batch).await;
        if exported.is_err() {
            self.backlog.lost.inc_by(spans as u64);
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
