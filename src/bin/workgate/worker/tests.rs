//! The worker beside a server of the test.

use super::*;
use crate::cli::{Cli, Command};
use crate::redis::test_server::{Say, TestServer};
use clap::Parser;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A queue of `jobs` jobs, handed out as asked for, that counts itself.
async fn queue_of(jobs: usize, stats: &'static str) -> TestServer {
    let given = AtomicUsize::new(0);
    TestServer::start(move |_, command| match (&command[0][..], command.get(1).map(|arg| &arg[..])) {
        (b"CLIENT", Some(b"ID")) => Say::line(":1"),
        (b"TIME", _) => Say::line("*2\r\n$1\r\n1\r\n$1\r\n0"),
        (b"JOBQ.POP", _) => {
            let count: usize = String::from_utf8_lossy(&command[3]).parse().unwrap();
            let first = given.fetch_add(count, Ordering::SeqCst);
            let ids = (first..jobs).take(count);
            let rows: Vec<String> = ids
                .map(|n| format!("*9\r\n$4\r\nj{n:03}\r\n:7\r\n$1\r\np\r\n:1\r\n:99000\r\n$1\r\nq\r\n$-1\r\n$-1\r\n$-1\r\n"))
                .collect();
            Say::Bytes(format!("*{}\r\n{}", rows.len(), rows.concat()).into_bytes())
        }
        (b"JOBQ.STATS", _) => Say::line(stats),
        (b"JOBQ.GET", _) => Say::line("*2\r\n+retries\r\n:3"),
        (b"JOBQ.MACK" | b"JOBQ.MEXTEND", _) => {
            let count: usize = String::from_utf8_lossy(&command[2]).parse().unwrap();
            Say::Bytes(format!("*{count}\r\n{}", ":1\r\n".repeat(count)).into_bytes())
        }
        _ => Say::line("+OK"),
    })
    .await
}

const EMPTY: &str = "*6\r\n+ready\r\n:0\r\n+delayed\r\n:0\r\n+active\r\n:0";

fn args(fake: &TestServer, more: &[&str]) -> WorkArgs {
    let url = fake.url();
    let base = ["workgate", "work", "--redis", &url, "--queue", "q"];
    match Cli::parse_from(base.iter().chain(more)).command {
        Command::Work(args) => *args,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_job_is_run_once_and_the_worker_ends_when_the_queue_is_empty() {
    let fake = queue_of(20, EMPTY).await;
    let args = args(&fake, &["--exec", "printf %s $WORKGATE_ID", "--concurrency", "3", "--until-empty"]);
    work(args, &Shutdown::new()).await.unwrap();
    let mut acks = fake.seen("JOBQ.ACK");
    acks.sort();
    let expected: Vec<String> = (0..20).map(|n| format!("JOBQ.ACK q j{n:03} 7 RESULT j{n:03}")).collect();
    assert_eq!(acks, expected);
    assert!(
        fake.seen("JOBQ.POP").iter().all(|pop| ["1", "2", "3"].contains(&pop.split(' ').nth(3).unwrap()))
    );
}

#[tokio::test]
async fn a_stop_lets_running_handlers_finish() {
    let fake = queue_of(2, EMPTY).await;
    let shutdown = Shutdown::new();
    let stop = async {
        while fake.seen("JOBQ.POP").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        shutdown.advance(Phase::Draining);
    };
    let (worked, ()) =
        tokio::join!(work(args(&fake, &["--exec", "sleep 0.5", "--concurrency", "2"]), &shutdown), stop);
    worked.unwrap();
    let acknowledged: Vec<String> = fake.seen("JOBQ.MACK");
    assert_eq!(acknowledged.join(" ").matches(" 7").count(), 2, "{acknowledged:?}");
    assert!(fake.seen("JOBQ.RELEASE").is_empty());
}

#[tokio::test]
async fn a_server_without_the_module_is_told_so() {
    let fake = TestServer::start(|_, command| match &command[0][..] {
        b"CLIENT" => Say::line(":1"),
        b"TIME" => Say::line("*2\r\n$1\r\n1\r\n$1\r\n0"),
        _ => Say::line("-ERR unknown command 'JOBQ.POP', with args beginning with: 'q'"),
    })
    .await;
    let error = work(args(&fake, &["--exec", "true"]), &Shutdown::new()).await.unwrap_err().text;
    assert!(error.contains("unknown command") && error.contains("MODULE LIST"), "{error}");
}

#[tokio::test]
async fn with_once_one_pop_is_run_and_no_more() {
    let fake = queue_of(20, EMPTY).await;
    let args = args(&fake, &["--exec", "printf %s $WORKGATE_ID", "--concurrency", "3", "--once"]);
    work(args, &Shutdown::new()).await.unwrap();
    assert_eq!(fake.seen("JOBQ.ACK").len(), 3);
    assert!(fake.seen("JOBQ.RELEASE").is_empty());
}

#[tokio::test]
async fn a_job_that_comes_after_the_stop_is_given_back_unrun() {
    let fake = TestServer::start(|_, command| match (&command[0][..], command.get(1).map(|arg| &arg[..])) {
        (b"CLIENT", Some(b"ID")) => Say::line(":1"),
        (b"TIME", _) => Say::line("*2\r\n$1\r\n1\r\n$1\r\n0"),
        (b"JOBQ.POP", _) => Say::WhenUnblocked(
            b"*1\r\n*9\r\n$2\r\nj1\r\n:7\r\n$1\r\np\r\n:1\r\n:99000\r\n$1\r\nq\r\n$-1\r\n$-1\r\n$-1\r\n"
                .to_vec(),
        ),
        _ => Say::line("+OK"),
    })
    .await;
    let shutdown = Shutdown::new();
    let stop = async {
        while fake.seen("JOBQ.POP").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        shutdown.advance(Phase::Draining);
    };
    let (worked, ()) = tokio::join!(work(args(&fake, &["--exec", "echo run"]), &shutdown), stop);
    worked.unwrap();
    assert_eq!(fake.seen("JOBQ.RELEASE"), ["JOBQ.RELEASE q j1 7"]);
    assert!(fake.seen("JOBQ.GET").is_empty(), "no handler was started");
}
