//! Spans of producer and consumer, by the semantic conventions of OpenTelemetry for messaging.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracer, SdkTracerProvider, Span};
use prometheus_client::metrics::counter::Counter;

use crate::Failure;
use crate::handler::verdict::{Verdict, beginning};
use crate::job::Job;
use crate::traces::backlog::{Backlog, Bounded, Counted};
use crate::traces::collector::Collector;
use crate::traces::endpoint::{endpoint, timeout};
use crate::traces::traceparent;
use crate::web_client;

/// How long the last spans are waited for when the program ends.
const LAST_EXPORT: Duration = Duration::from_secs(2);

/// How much of an error is the description of a span's status.
const DESCRIPTION_AT_MOST: usize = 1_000;

/// Makes spans, which are sent in batches by a thread of its own.
#[derive(Debug, Clone)]
pub struct Spans {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Spans {
    /// None where no spans are wanted. `lost` counts those that the collector does not get.
    pub fn open(otlp: Option<&str>, lost: Counter) -> Result<Option<Self>, Failure> {
        let Some(endpoint) = endpoint(otlp)? else { return Ok(None) };
        const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
        let ca = std::env::var_os(CERTIFICATE).filter(|file| !file.is_empty()).map(Into::into);
        let client = web_client::open(CERTIFICATE, ca).map_err(Failure::usage)?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new(client, timeout()))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .build()
            .map_err(|error| Failure::usage(format!("--otlp: {error}")))?;
        let backlog = Backlog::new(lost);
        let exporter = Counted { exporter, backlog: backlog.clone() };
        let processor = BatchSpanProcessor::builder(exporter).build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Bounded { processor, backlog })
            .with_resource(resource())
            .build();
        let scope = InstrumentationScope::builder("workgate").with_version(env!("CARGO_PKG_VERSION")).build();
        let tracer = provider.tracer_with_scope(scope);
        Ok(Some(Spans { provider, tracer }))
    }

    /// A run of a job begins, by this worker; its parent is the span that META names.
    pub fn run(&self, job: &Job, worker: &str) -> RunSpan {
        let queue = text(&job.queue);
        let mut attributes = attributes("process", &queue);
        attributes.extend([
            KeyValue::new("messaging.message.id", text(&job.id)),
            KeyValue::new("messaging.client.id", worker.to_owned()),
            KeyValue::new("workgate.job.attempt", job.attempt),
        ]);
        for (key, value) in [("workgate.job.name", &job.name), ("workgate.job.group", &job.group)] {
            attributes.extend(value.as_ref().map(|value| KeyValue::new(key, text(value))));
        }
        let begun = SystemTime::now();
        let builder = self
            .tracer
            .span_builder(format!("process {queue}"))
            .with_kind(SpanKind::Consumer)
            .with_start_time(begun)
            .with_attributes(attributes);
        let parent = below(traceparent::of(job.meta.as_deref()));
        let span = self.tracer.build_with_context(builder, &parent);
        RunSpan { traceparent: traceparent_of(&span), begun, span: Mutex::new(span) }
    }

    /// So many jobs are about to be pushed; the parent is the span that TRACEPARENT names.
    pub fn push(&self, queue: &str, jobs: usize) -> PushSpan {
        let mut attributes = attributes("send", queue);
        if jobs > 1 {
            let jobs = i64::try_from(jobs).unwrap_or(i64::MAX);
            attributes.push(KeyValue::new("messaging.batch.message_count", jobs));
        }
        let builder = self
            .tracer
            .span_builder(format!("send {queue}"))
            .with_kind(SpanKind::Producer)
            .with_attributes(attributes);
        let parent = std::env::var("TRACEPARENT").ok();
        let parent = below(traceparent::of(parent.as_deref().map(str::as_bytes)));
        let span = self.tracer.build_with_context(builder, &parent);
        PushSpan { traceparent: traceparent_of(&span), span }
    }

    /// Sends what is left, but not for long.
    pub async fn close(&self) {
        let provider = self.provider.clone();
        // The collector has told why, if it could not.
        let _ = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST_EXPORT)).await;
    }
}

/// The span of one run of a job.
#[derive(Debug)]
pub struct RunSpan {
    traceparent: String,
    begun: SystemTime,
    span: Mutex<Span>,
}

impl RunSpan {
    /// What the spans of the handler hang below.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// The run took so long; `outcome` is what became of the job.
    pub fn end(&self, took: Duration, outcome: &'static str, verdict: &Verdict) {
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        span.set_attribute(KeyValue::new("workgate.job.outcome", outcome));
        match (verdict, outcome) {
            (Verdict::Retry { failure, .. } | Verdict::Dead(failure), _) => {
                let kind = failure.kind.clone().unwrap_or_else(|| beginning(&failure.error));
                let kind = if kind.is_empty() { "_OTHER".into() } else { kind };
                fail(&mut span, kind, &failure.error);
            }
            (_, "abandoned" | "lost" | "unsettled") => fail(&mut span, outcome.into(), outcome),
            _ => {}
        }
        span.end_with_timestamp(self.begun + took);
    }
}

/// The span of one write of jobs.
#[derive(Debug)]
pub struct PushSpan {
    traceparent: String,
    span: Span,
}

impl PushSpan {
    /// What META of the jobs says.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// All were answered, and so many of them rejected; or it could not go on.
    pub fn end(mut self, outcome: Result<u64, &Failure>) {
        match outcome {
            Ok(0) => {}
            Ok(rejected) => {
                fail(&mut self.span, "rejected".into(), &format!("{rejected} jobs were rejected"));
            }
            Err(failure) => fail(&mut self.span, "unreachable".into(), &failure.text),
        }
        self.span.end();
    }
}

/// Named `workgate` unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES name it.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let given = Resource::builder().build();
    let name = given.get(&"service.name".into()).map(|name| name.to_string());
    let mut builder = Resource::builder();
    if given.get(&"service.version".into()).is_none() {
        builder = builder.with_attribute(version);
    }
    if name.is_none_or(|name| name.starts_with("unknown_service")) {
        builder = builder.with_service_name("workgate");
    }
    builder.build()
}

fn attributes(operation: &'static str, queue: &str) -> Vec<KeyValue> {
    vec![
        KeyValue::new("messaging.system", "workgate"),
        KeyValue::new("messaging.operation.name", operation),
        KeyValue::new("messaging.operation.type", operation),
        KeyValue::new("messaging.destination.name", queue.to_owned()),
    ]
}

fn fail(span: &mut Span, kind: String, error: &str) {
    span.set_attribute(KeyValue::new("error.type", kind));
    span.set_status(Status::error(error.chars().take(DESCRIPTION_AT_MOST).collect::<String>()));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A context whose span is the one of a valid traceparent; without one a new trace begins.
fn below(parent: Option<String>) -> Context {
    let read = |parent: &str| {
        let mut parts = parent.split('-').skip(1);
        let trace = TraceId::from_hex(parts.next()?).ok()?;
        let span = SpanId::from_hex(parts.next()?).ok()?;
        let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?);
        Some(SpanContext::new(trace, span, flags, true, TraceState::default()))
    };
    match parent.as_deref().and_then(read) {
        Some(parent) => Context::new().with_remote_span_context(parent),
        None => Context::new(),
    }
}

fn traceparent_of(span: &Span) -> String {
    let context = span.span_context();
    format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8())
}
