//! The pictures of docs/images, which `make screenshots` writes: an hour of traffic, with a server
//! whose clock runs sixty times as fast.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::chromium::Chromium;
use crate::program::Served;
use crate::support::{Client, Server, cmd, server};

/// Of the real clock: an hour of the server's.
const TRAFFIC: Duration = Duration::from_secs(62);

/// Queues, with how many jobs come and are taken in a tick.
const QUEUES: [(&str, usize, usize); 4] =
    [("webhooks", 7, 6), ("search-index", 4, 4), ("mails", 3, 3), ("thumbnails", 2, 2)];

/// A job that is worked on: until when, where, its id and token.
type Held = (u64, &'static str, String, i64);

struct Traffic {
    client: Client,
    tick: u64,
    held: Vec<Held>,
}

impl Traffic {
    /// A number below `most` that differs from tick to tick and is the same in every run.
    fn chance(&self, salt: u64, most: u64) -> u64 {
        (self.tick * 31 + salt * 17).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23) % most
    }

    fn step(&mut self) {
        self.tick += 1;
        let is_busy = self.tick / 150 % 3 == 1;
        for (place, (queue, come, go)) in QUEUES.into_iter().enumerate() {
            let place = place as u64;
            let more = usize::from(is_busy) * come / 2;
            for number in 0..come.saturating_sub(self.chance(place, 3) as usize) + more {
                let id = format!("{}-{}-{number}", &queue[..2], self.tick);
                let user = self.chance(number as u64 + place, 90);
                let payload = format!("{{\"to\":\"user{user}@example.com\",\"template\":\"welcome\"}}");
                let group = format!("shop-{user}");
                self.client.ok(cmd!["JOBQ.PUSH", queue, payload, "ID", id, "NAME", queue, "GROUP", group]);
            }
            let worker = format!("web-{}:4711", 1 + self.chance(place, 4));
            let pop = format!("JOBQ.POP {queue} COUNT {go} LEASE 90m WORKER {worker}");
            for (number, job) in self.client.ok(pop).items().iter().enumerate() {
                let until = self.tick + 1 + self.chance(number as u64, 5);
                self.held.push((until, queue, job.at(0).text(), job.at(1).int()));
            }
        }
        let (ended, held) = std::mem::take(&mut self.held).into_iter().partition(|job| job.0 <= self.tick);
        self.held = held;
        let ended: Vec<Held> = ended;
        for (number, (_, queue, id, token)) in ended.into_iter().enumerate() {
            let token = token.to_string();
            match self.chance(number as u64 + 7, 60) {
                0 => self.client.ok(cmd![
                    "JOBQ.FAIL",
                    queue,
                    id,
                    token,
                    "DEAD",
                    "ERROR",
                    "429 Too Many Requests: slow down",
                    "KIND",
                    "http_429"
                ]),
                1 => self.client.ok(cmd![
                    "JOBQ.FAIL",
                    queue,
                    id,
                    token,
                    "DEAD",
                    "ERROR",
                    "exit 3: no route to host"
                ]),
                2 => self.client.ok(cmd![
                    "JOBQ.FAIL",
                    queue,
                    id,
                    token,
                    "ERROR",
                    "timeout after 30s",
                    "KIND",
                    "timeout"
                ]),
                _ => self.client.ok(cmd!["JOBQ.ACK", queue, id, token, "RESULT", "sent"]),
            };
        }
        std::thread::sleep(Duration::from_millis(40));
    }
}

fn prepare(s: &Server) {
    s.ok(cmd![
        "JOBQ.CRON",
        "SET",
        "reports",
        "nightly",
        "0 2 * * *",
        "{\"report\":\"sales\"}",
        "TZ",
        "Europe/Berlin",
        "CATCHUP",
        "one"
    ]);
    s.ok(cmd!["JOBQ.CRON", "SET", "reports", "weekly", "0 8 * * MON", "{}", "TZ", "Europe/Berlin"]);
    s.ok("RATELIMIT.POLICY SET ai/free requests=20/1m 1000/1d");
    s.ok("CACHE.POLICY SET page: TTL 10m GRACE 1h EARLY 1");
    s.ok("BREAKER.REPORT smtp.example.com OK 3 FAIL 30");
    s.ok("BREAKER.REPORT search OK 60 FAIL 3");
}

#[test]
#[ignore = "`make screenshots` runs it"]
fn write_the_pictures_of_the_docs() {
    let mut browser = Chromium::start().expect("Chromium");
    let s = server!();
    prepare(&s);
    let mut traffic = Traffic { client: s.client(), tick: 0, held: Vec::new() };
    let begun = Instant::now();
    while begun.elapsed() < TRAFFIC {
        traffic.step();
    }
    s.ok("JOBQ.PAUSE thumbnails FOR 6h");
    let served = Served::start(&s.url(), &["--allow-actions"]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    std::fs::create_dir_all(&folder).expect("a folder");
    let dead = s.ok("JOBQ.LIST mails dead COUNT 1").at(1).at(0).field("id").text();
    for (name, path, width, height, is_dark) in [
        ("queues", "/".to_owned(), 1200, 560, false),
        ("queue", "/queue/mails".to_owned(), 1200, 760, false),
        ("queue-dark", "/queue/mails".to_owned(), 1200, 760, true),
        ("busy", "/busy".to_owned(), 1200, 560, false),
        ("dead", "/dead".to_owned(), 1200, 560, false),
        ("job", format!("/queue/mails/job/{dead}"), 1200, 720, false),
        ("phone", "/".to_owned(), 390, 760, false),
    ] {
        (0..5).for_each(|_| traffic.step());
        browser.size(width, height, is_dark);
        browser.open(&format!("http://127.0.0.1:{}{path}", served.port));
        browser.until("document.getElementById('live').textContent === 'live'");
        let picture = browser.picture();
        assert!(picture.len() < 200_000, "{name} has {} bytes", picture.len());
        std::fs::write(folder.join(format!("dashboard-{name}.png")), picture).expect("a file");
    }
}
