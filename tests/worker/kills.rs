//! `kill -9` of worker, handler and server at random moments under load.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::chance::Chance;
use crate::handlers::{has, python};
use crate::process::Worker;
use crate::producer::push_all;
use crate::support::{Server, eventually, figure, server};

const JOBS: usize = 300;
const KILLS: usize = 12;

/// The effect of each job is a line in a list at the server. IDEMP tells whether it is there, and
/// the script adds it in the same step as it completes the record.
const IDEMPOTENT: &str = r#"
import os, random, socket, time

SCRIPT = b"redis.call('IDEMP.COMPLETE', KEYS[1], ARGV[1], 'done') redis.call('RPUSH', KEYS[2], ARGV[2])"

class Server:
    def __init__(self):
        port = int(os.environ['WORKGATE_REDIS'].rsplit(':', 1)[1].strip('/'))
        self.file = socket.create_connection(('127.0.0.1', port)).makefile('rwb')

    def call(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.file.write(b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(w), w) for w in words))
        self.file.flush()
        return self.read()

    def read(self):
        line = self.file.readline()
        if not line.endswith(b'\r\n'):
            raise ConnectionError('the server is gone')
        kind, rest = line[:1], line[1:-2]
        if kind == b'-':
            raise RuntimeError(rest.decode())
        if kind == b':':
            return int(rest)
        if kind == b'$':
            return None if rest == b'-1' else self.file.read(int(rest) + 2)[:-2]
        if kind == b'*':
            return None if rest == b'-1' else [self.read() for _ in range(int(rest))]
        return rest

@job()
def handle(job):
    server = Server()
    state, _, token, _, _, _ = server.call('IDEMP.CLAIM', 'effect:' + job.id, 'LEASE', '300ms')
    if state == b'BUSY':
        raise Release(delay='50ms')
    time.sleep(random.random() * 0.02)
    if state == b'CLAIMED':
        server.call('EVAL', SCRIPT, 2, 'effect:' + job.id, 'effects', token, job.id)
    time.sleep(random.random() * 0.02)
"#;

fn worker(s: &Server, handler: &str) -> Worker {
    let flags = ["--queue", "q", "--stdio", handler, "--concurrency", "4", "--lease", "500ms"];
    Worker::run(&s.url(), &flags)
}

#[test]
fn whatever_is_killed_every_job_ends_and_its_effect_is_there_once() {
    if !has("python3") {
        return;
    }
    let (mut s, folder) = (server!("appendonly yes", "appendfsync always"), TempDir::new().unwrap());
    let mut chance = Chance::new();
    s.ok("JOBQ.CONFIG SET q retries 1000 backoff fixed:20ms stall_max 1000");
    let port = Arc::new(AtomicU16::new(s.port()));
    let producer = push_all(port, "q", JOBS, 0, Duration::from_millis(10));
    let handler = python(&folder, IDEMPOTENT);
    let mut w = worker(&s, &handler);
    let mut killed = [0; 3];
    for _ in 0..KILLS {
        chance.pause(50, 400);
        let which = chance.below(3) as usize;
        match which {
            0 => {
                w.signal(Signal::KILL);
                w = worker(&s, &handler);
            }
            1 => w.kill_a_handler(&mut chance),
            _ => s.crash_and_restart(),
        }
        killed[which] += 1;
    }
    producer.join().expect("all are pushed");
    eventually("every job has ended", || {
        let stats = s.ok("JOBQ.STATS q");
        stats.field("done").int() + stats.field("dead").int() == JOBS as i64
    });
    let stats = s.ok("JOBQ.STATS q");
    assert_eq!(stats.field("dead").int(), 0, "retries and stalls enough: {killed:?} {stats:?}");
    let effects: Vec<String> =
        s.ok("LRANGE effects 0 -1").items().iter().map(crate::support::Reply::text).collect();
    let distinct: BTreeSet<&String> = effects.iter().collect();
    assert_eq!((effects.len(), distinct.len()), (JOBS, JOBS), "{killed:?}: each effect is there once");
    let [workers, handlers, servers] = killed;
    figure(format!(
        "{workers} workers, {handlers} handlers and {servers} servers killed under {JOBS} jobs: all done, each effect once"
    ));
    w.signal(Signal::TERM);
    assert_eq!(w.status(), Some(0), "{}", w.log());
}
