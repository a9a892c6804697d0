//! `--otlp`: spans of producer and consumer, as a collector is sent them.

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span, span::SpanKind, status::StatusCode};
use prost::Message;

use crate::http::{Web, read_request, trace_of_a_line};
use crate::process::Worker;
use crate::support::{Server, cmd, server};

/// The trace of a producer that is none of ours.
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Takes,
    Refuses,
    NeverAnswers,
}

/// A collector that keeps what it is sent.
struct Collector {
    url: String,
    sent: Arc<Mutex<Vec<ResourceSpans>>>,
}

impl Collector {
    fn start(mood: Mood) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let sent = Arc::new(Mutex::new(Vec::new()));
        let log = sent.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let log = log.clone();
                std::thread::spawn(move || take(socket, mood, &log));
            }
        });
        Collector { url, sent }
    }

    fn spans(&self) -> Vec<Span> {
        let sent = self.sent.lock().unwrap();
        sent.iter().flat_map(|all| &all.scope_spans).flat_map(|all| all.spans.clone()).collect()
    }

    /// The one span of this name.
    #[track_caller]
    fn span(&self, name: &str) -> Span {
        let mut spans = self.spans();
        spans.retain(|span| span.name == name);
        assert_eq!(spans.len(), 1, "{name}: {:?}", self.spans());
        spans.remove(0)
    }
}

fn take(socket: TcpStream, mood: Mood, log: &Mutex<Vec<ResourceSpans>>) {
    let mut socket = BufReader::new(socket);
    while let Some((head, body)) = read_request(&mut socket) {
        assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
        let export = ExportTraceServiceRequest::decode(&body[..]).expect("an export");
        log.lock().unwrap().extend(export.resource_spans);
        let status = match mood {
            Mood::NeverAnswers => continue,
            Mood::Refuses => "503 Service Unavailable",
            Mood::Takes => "200 OK",
        };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        if socket.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How those below a span name it.
fn traceparent(span: &Span) -> String {
    format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id))
}

fn value(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{key}: {other:?}"),
    }
}

#[track_caller]
fn has(span: &Span, expected: &[(&str, &str)]) {
    for (key, text) in expected {
        assert_eq!(value(&span.attributes, key).as_deref(), Some(*text), "{key} of {span:?}");
    }
}

/// `workgate push` with this input.
fn push(s: &Server, variables: &[(&str, &str)], flags: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_workgate"))
        .args(["push", "--redis", &s.url()])
        .args(flags)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("workgate starts");
    child.stdin.take().expect("an input").write_all(input.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

#[track_caller]
fn work_until_empty(variables: &[(&str, &str)], s: &Server, flags: &[&str]) -> Worker {
    let mut worker = Worker::run_in(variables, &s.url(), &[flags, &["--until-empty"]].concat());
    assert!(worker.ends(), "{}", worker.log());
    worker
}

#[test]
fn producer_consumer_and_handler_are_in_one_trace() {
    let (s, collector) = (server!(), Collector::start(Mood::Takes));
    let flags = ["--queue", "q", "--id-field", "id", "--name", "mail", "--otlp", &collector.url];
    let pushed = push(&s, &[("TRACEPARENT", TRACE)], &flags, "{\"id\":\"a\"}\n{\"id\":\"b\"}\n");
    assert!(pushed.status.success(), "{pushed:?}");
    let sent = collector.span("send q");
    assert_eq!((sent.kind(), traceparent_parent(&sent)), (SpanKind::Producer, TRACE.to_owned()));
    has(
        &sent,
        &[
            ("messaging.system", "workgate"),
            ("messaging.operation.name", "send"),
            ("messaging.operation.type", "send"),
            ("messaging.destination.name", "q"),
            ("messaging.batch.message_count", "2"),
        ],
    );
    for id in ["a", "b"] {
        s.ok(format!("JOBQ.GET q {id}")).field("meta").clone().is(traceparent(&sent).as_str());
    }
    let handler = "printf %s \"$TRACEPARENT\"";
    work_until_empty(
        &[("OTEL_SERVICE_NAME", "mailer")],
        &s,
        &["--queue", "q", "--exec", handler, "--name", "w1", "--otlp", &collector.url],
    );
    let mut processed = collector.spans();
    processed.retain(|span| span.name == "process q");
    assert_eq!(processed.len(), 2);
    for span in &processed {
        assert_eq!((span.kind(), traceparent_parent(span)), (SpanKind::Consumer, traceparent(&sent)));
        assert_eq!(span.status.as_ref().map_or(0, |status| status.code), StatusCode::Unset as i32);
        assert!(span.end_time_unix_nano > span.start_time_unix_nano);
        let id = value(&span.attributes, "messaging.message.id").expect("an id");
        has(
            span,
            &[
                ("messaging.system", "workgate"),
                ("messaging.operation.name", "process"),
                ("messaging.operation.type", "process"),
                ("messaging.destination.name", "q"),
                ("messaging.client.id", "w1"),
                ("workgate.job.attempt", "1"),
                ("workgate.job.name", "mail"),
                ("workgate.job.outcome", "done"),
            ],
        );
        assert_eq!(value(&span.attributes, "error.type"), None);
        s.ok(format!("JOBQ.RESULT q {id}")).at(1).clone().is(traceparent(span).as_str());
    }
    let services: Vec<_> = collector.sent.lock().unwrap().iter().map(service).collect();
    assert_eq!(services, ["workgate", "mailer"]);
}

fn service(sent: &ResourceSpans) -> String {
    let resource = sent.resource.as_ref().expect("a resource");
    value(&resource.attributes, "service.name").expect("a name")
}

/// The parent, as it names itself.
fn traceparent_parent(span: &Span) -> String {
    format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.parent_span_id))
}

#[test]
fn each_failed_run_is_an_error_of_its_kind() {
    let (s, collector) = (server!(), Collector::start(Mood::Takes));
    s.ok(cmd!["JOBQ.PUSH", "told", "p", "ID", "a", "RETRIES", "1", "BACKOFF", "fixed:1ms", "META", TRACE]);
    let verdict = r#"echo '{"type":"retry","error":"no route to host","kind":"net"}' >&3"#;
    work_until_empty(&[], &s, &["--queue", "told", "--exec", verdict, "--otlp", &collector.url]);
    let mut runs = collector.spans();
    runs.sort_by_key(|span| span.start_time_unix_nano);
    assert_eq!(runs.len(), 2, "{runs:?}");
    for (span, (attempt, outcome)) in runs.iter().zip([("1", "failed"), ("2", "dead")]) {
        assert_eq!(traceparent_parent(span), TRACE);
        let status = span.status.as_ref().expect("a status");
        assert_eq!((status.code(), status.message.as_str()), (StatusCode::Error, "no route to host"));
        has(
            span,
            &[
                ("error.type", "net"),
                ("workgate.job.attempt", attempt),
                ("workgate.job.outcome", outcome),
                ("messaging.message.id", "a"),
            ],
        );
    }
    assert_ne!(runs[0].span_id, runs[1].span_id);

    s.ok("JOBQ.PUSH plain p ID a RETRIES 0");
    work_until_empty(&[], &s, &["--queue", "plain", "--exec", "exit 3", "--otlp", &collector.url]);
    let span = collector.span("process plain");
    has(&span, &[("error.type", "exit 3"), ("workgate.job.outcome", "dead")]);
    assert!(span.parent_span_id.is_empty(), "a trace of its own: {span:?}");
    assert_ne!(span.trace_id, runs[0].trace_id);
}

#[test]
fn each_kind_of_handler_continues_the_span_of_its_run() {
    let (s, collector, web) = (server!(), Collector::start(Mood::Takes), Web::start());
    s.ok(cmd!["JOBQ.PUSH", "http", "p", "ID", "a", "META", TRACE]);
    work_until_empty(&[], &s, &["--queue", "http", "--http", &web.url, "--otlp", &collector.url]);
    let run = collector.span("process http");
    assert_eq!(traceparent_parent(&run), TRACE);
    let head = web.seen.lock().unwrap()[0].head.clone();
    assert!(head.contains(&format!("traceparent: {}\r\n", traceparent(&run))), "{head}");

    s.ok(cmd!["JOBQ.PUSH", "stdio", "p", "ID", "a", "META", TRACE]);
    let handler = trace_of_a_line();
    let flags = ["--queue", "stdio", "--concurrency", "1", "--stdio", &handler, "--otlp", &collector.url];
    work_until_empty(&[], &s, &flags);
    let run = collector.span("process stdio");
    s.ok("JOBQ.RESULT stdio a").at(1).clone().is(traceparent(&run).as_str());
}

#[test]
fn a_trace_that_is_not_sampled_is_continued_and_not_sent() {
    let (s, collector) = (server!(), Collector::start(Mood::Takes));
    let unsampled = format!("{}-00", &TRACE[..52]);
    s.ok(cmd!["JOBQ.PUSH", "q", "p", "ID", "a", "META", unsampled.as_str()]);
    s.ok("JOBQ.PUSH sampled p");
    let handler = "printf %s \"$TRACEPARENT\"";
    let flags = ["--queue", "q", "--queue", "sampled", "--exec", handler, "--otlp", &collector.url];
    work_until_empty(&[], &s, &flags);
    let given = s.ok("JOBQ.RESULT q a").at(1).text();
    assert!(given.starts_with(&TRACE[..36]) && given.ends_with("-00"), "{given}");
    assert_ne!(given, unsampled);
    let names: Vec<String> = collector.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["process sampled"]);
}

#[test]
fn the_variables_of_opentelemetry_count_where_there_is_no_flag() {
    let (s, collector) = (server!(), Collector::start(Mood::Takes));
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str());
    let pushed = push(&s, &[endpoint], &["--queue", "q"], "{}\n");
    assert!(pushed.status.success(), "{pushed:?}");
    assert!(collector.span("send q").parent_span_id.is_empty());
    work_until_empty(&[endpoint, ("OTEL_SDK_DISABLED", "true")], &s, &["--queue", "q", "--exec", "true"]);
    assert_eq!(collector.spans().len(), 1);
    s.ok("JOBQ.PUSH q p");
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let worker = work_until_empty(&[endpoint, grpc], &s, &["--queue", "q", "--exec", "true"]);
    assert!(worker.log().contains("no spans are sent"), "{}", worker.log());
    assert_eq!(collector.spans().len(), 1);
}

#[test]
fn an_address_that_cannot_be_one_ends_the_program_before_it_begins() {
    let s = server!();
    let pushed = push(&s, &[], &["--queue", "q", "--otlp", "localhost:4318"], "{}\n");
    assert_eq!(pushed.status.code(), Some(2), "{pushed:?}");
    let told = String::from_utf8_lossy(&pushed.stderr);
    assert!(told.contains("--otlp 'localhost:4318"), "{told}");
    s.ok("EXISTS q").is(0);
    let flags = ["--queue", "q", "--exec", "true", "--otlp", "grpc://localhost:4317"];
    assert_eq!(Worker::run(&s.url(), &flags).status(), Some(2));
}

/// The line that says that spans are lost.
const LOST: &str = "spans are lost";

#[test]
fn a_collector_that_does_not_take_spans_costs_no_job() {
    let s = server!();
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let refuses = Collector::start(Mood::Refuses);
    for (url, why) in [(format!("http://{closed}"), "refused"), (refuses.url.clone(), "503")] {
        s.pipeline((0..100).map(|n| format!("JOBQ.PUSH q p ID j{n}")));
        let exports = [("OTEL_BSP_SCHEDULE_DELAY", "20")];
        let worker = work_until_empty(&exports, &s, &["--queue", "q", "--exec", "true", "--otlp", &url]);
        let log = worker.log();
        let told: Vec<&str> = log.lines().filter(|line| line.contains(LOST)).collect();
        assert_eq!(told.len(), 1, "{log}");
        assert!(told[0].contains(why), "{}", told[0]);
        s.ok("JOBQ.STATS q").field("done").clone().is(100);
        s.ok("DEL q");
    }
}

#[test]
fn a_collector_that_never_answers_holds_up_neither_jobs_nor_the_end() {
    let (s, collector) = (server!(), Collector::start(Mood::NeverAnswers));
    s.pipeline((0..100).map(|n| format!("JOBQ.PUSH q p ID j{n}")));
    // An export would go on for a minute.
    let variables = [("OTEL_EXPORTER_OTLP_TIMEOUT", "60000"), ("OTEL_BSP_SCHEDULE_DELAY", "20")];
    let flags = ["--queue", "q", "--exec", "true", "--otlp", &collector.url];
    let mut worker = Worker::run_in(&variables, &s.url(), &flags);
    crate::support::eventually("all are done", || s.ok("JOBQ.STATS q").field("done").int() == 100);
    assert!(!collector.spans().is_empty(), "an export is on its way");
    let stopped = Instant::now();
    worker.terminate();
    assert!(worker.ends(), "{}", worker.log());
    assert!(stopped.elapsed() < Duration::from_secs(8), "{:?}: {}", stopped.elapsed(), worker.log());
}
