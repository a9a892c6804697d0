//! `--http` beside a real server and a small web server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::process::Worker;
use crate::support::{eventually, server};

/// One request, as it came.
#[derive(Debug, Clone)]
pub struct Request {
    connection: usize,
    pub head: String,
    body: Vec<u8>,
}

/// Answers by the payload: `STATUS` or `STATUS RETRY-AFTER`; anything else is echoed with 200.
pub struct Web {
    pub url: String,
    pub seen: Arc<Mutex<Vec<Request>>>,
}

impl Web {
    pub fn start() -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/jobs", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        std::thread::spawn(move || {
            for (connection, socket) in listener.incoming().flatten().enumerate() {
                let log = log.clone();
                std::thread::spawn(move || serve(connection, socket, &log));
            }
        });
        Web { url, seen }
    }
}

/// The head in lower case, and the body.
pub fn read_request(socket: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if !matches!(socket.read_line(&mut head), Ok(1..)) {
            return None;
        }
    }
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    socket.read_exact(&mut body).ok()?;
    Some((lower, body))
}

fn serve(connection: usize, socket: TcpStream, log: &Mutex<Vec<Request>>) {
    let mut socket = BufReader::new(socket);
    while let Some((head, body)) = read_request(&mut socket) {
        let text = String::from_utf8_lossy(&body).into_owned();
        let mut words = text.split(' ');
        let status = words.next().and_then(|word| word.parse::<u16>().ok()).unwrap_or(200);
        let retry_after = words.next().map(|after| format!("retry-after: {after}\r\n")).unwrap_or_default();
        log.lock().unwrap().push(Request { connection, head, body: body.clone() });
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{retry_after}\r\n", body.len());
        if socket.get_mut().write_all(&[answer.as_bytes(), &body].concat()).is_err() {
            return;
        }
    }
}

#[test]
fn each_status_ends_a_job_as_it_says() {
    let (s, web) = (server!(), Web::start());
    s.ok("JOBQ.PUSH q hello ID good NAME greeting");
    s.ok("JOBQ.PUSH q 422 ID bad");
    s.ok("JOBQ.PUSH q 500 ID broken BACKOFF fixed:1h");
    s.ok(crate::support::cmd!["JOBQ.PUSH", "q", "429 600", "ID", "busy"]);
    let w = Worker::run(&s.url(), &["--queue", "q", "--http", &web.url]);
    let counts = |state| s.ok("JOBQ.STATS q").field(state).int();
    eventually("each has ended", || (counts("done"), counts("dead"), counts("delayed")) == (1, 1, 2));
    s.ok("JOBQ.RESULT q good").at(1).clone().is("hello");
    assert!(s.ok("JOBQ.GET q bad").field("error").text().starts_with("http 422"), "{}", w.log());
    s.ok("JOBQ.GET q broken").field("attempt").clone().is(2);
    let busy = s.ok("JOBQ.GET q busy");
    busy.field("attempt").clone().is(1);
    let wait = busy.field("due_ms").int() - s.now();
    assert!((500_000..=600_000).contains(&wait), "{wait}");
    let seen = web.seen.lock().unwrap();
    let good = seen.iter().find(|request| request.body == b"hello").expect("it came");
    for header in
        ["post /jobs http/1.1", "workgate-id: good", "workgate-name: greeting", "workgate-attempt: 1"]
    {
        assert!(good.head.contains(header), "{header}: {}", good.head);
    }
}

#[test]
fn connections_are_kept_for_the_next_job() {
    let (s, web) = (server!(), Web::start());
    s.pipeline((0..50).map(|id| format!("JOBQ.PUSH q p{id}")));
    let flags = ["--queue", "q", "--http", &web.url, "--concurrency", "2", "--until-empty"];
    let mut w = Worker::run(&s.url(), &flags);
    assert!(w.ends(), "{}", w.log());
    let seen = web.seen.lock().unwrap();
    assert_eq!(seen.len(), 50);
    let connections = seen.iter().map(|request| request.connection).max().unwrap() + 1;
    assert!(connections <= 4, "{connections} connections for 50 jobs");
}

/// A job whose META names its trace, as a producer writes it that passes W3C Trace Context on.
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn the_trace_of_a_job_reaches_every_kind_of_handler() {
    let (s, web) = (server!(), Web::start());
    let meta = format!("{{\"traceparent\":\"{TRACE}\"}}");
    let push = |queue: &str, id: &str, meta: &str| {
        s.ok(crate::support::cmd!["JOBQ.PUSH", queue, "p", "ID", id, "META", meta]);
    };
    let result = |queue: &str, id: &str| s.ok(format!("JOBQ.RESULT {queue} {id}")).at(1).clone();
    let done = |flags: &[&str]| {
        let mut worker = Worker::run(&s.url(), &[flags, &["--until-empty"]].concat());
        assert!(worker.ends(), "{}", worker.log());
    };
    push("exec", "alone", TRACE);
    push("exec", "member", &meta);
    push("exec", "none", "no trace");
    done(&["--queue", "exec", "--exec", "printf %s \"${TRACEPARENT-none}\""]);
    for (id, expected) in [("alone", TRACE), ("member", TRACE), ("none", "none")] {
        result("exec", id).is(expected);
    }
    push("http", "a", &meta);
    done(&["--queue", "http", "--http", &web.url]);
    let head = web.seen.lock().unwrap()[0].head.clone();
    assert!(head.contains(&format!("traceparent: {TRACE}\r\n")), "{head}");
    push("stdio", "a", &meta);
    let handler = trace_of_a_line();
    done(&["--queue", "stdio", "--concurrency", "1", "--stdio", &handler]);
    result("stdio", "a").is(TRACE);
}

/// A handler of `--stdio` that runs one job; its result is the traceparent that it was given.
pub fn trace_of_a_line() -> String {
    let field = r#"s/.*"traceparent":"\([^"]*\)".*/\1/"#;
    format!(
        "read hello; echo '{{\"type\":\"ready\",\"protocol\":1}}'; read -r job; \
         trace=$(printf %s \"$job\" | sed '{field}'); \
         echo \"{{\\\"type\\\":\\\"done\\\",\\\"run\\\":1,\\\"result\\\":\\\"$trace\\\"}}\"; read rest"
    )
}
