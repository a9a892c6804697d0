//! Word of news, as open pages get it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Instant;

use crate::program::Served;
use crate::support::{DEADLINE, eventually, server};

/// An open stream of events.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(served: &Served, query: &str) -> Stream {
        let mut socket = TcpStream::connect(("127.0.0.1", served.port)).expect("it listens");
        socket.set_read_timeout(Some(DEADLINE)).expect("a time-out");
        let head = format!("GET /live?{query} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
        socket.write_all(head.as_bytes()).expect("it reads");
        let mut stream = Stream(BufReader::new(socket));
        stream.until("text/event-stream");
        stream
    }

    #[track_caller]
    fn until(&mut self, words: &str) {
        let mut line = String::new();
        let begun = Instant::now();
        while !line.contains(words) {
            line.clear();
            assert!(begun.elapsed() < 2 * DEADLINE, "no {words}");
            assert!(self.0.read_line(&mut line).expect("a line in time") > 0, "it ended before {words}");
        }
    }
}

/// How many clients of the server wait for events.
fn followers(s: &crate::support::Server) -> usize {
    let clients = s.ok("CLIENT LIST").text();
    clients.lines().filter(|line| line.contains("cmd=jobq.events")).count()
}

#[test]
fn a_page_of_a_queue_hears_of_each_event_over_one_wait_for_all_pages() {
    let s = server!();
    let served = Served::start(&s.url(), &[]);
    let mut pages = [Stream::open(&served, "queue=q"), Stream::open(&served, "queue=q")];
    for round in 0..3 {
        eventually("it waits", || followers(&s) == 1);
        s.ok(format!("JOBQ.PUSH q p ID job-{round}"));
        for page in &mut pages {
            page.until("event: changed");
        }
    }
    drop(pages);
    // It hears of that with the next event.
    s.ok("JOBQ.PUSH q p");
    eventually("nobody waits any more", || followers(&s) == 0);
}

#[test]
fn the_list_of_queues_hears_of_a_queue_that_came() {
    let s = server!();
    let served = Served::start(&s.url(), &[]);
    let mut page = Stream::open(&served, "of=list");
    page.until("event: changed");
    s.ok("JOBQ.PUSH q p");
    page.until("event: changed");
    eventually("it is shown", || served.get("/").body.contains("/queue/q\""));
}

#[test]
fn a_follower_comes_back_after_its_server() {
    let mut s = server!("appendonly yes");
    let served = Served::start(&s.url(), &[]);
    let mut page = Stream::open(&served, "queue=q");
    eventually("it waits", || followers(&s) == 1);
    s.crash_and_restart();
    eventually("it waits again", || followers(&s) == 1);
    s.ok("JOBQ.PUSH q p");
    page.until("event: changed");
}
