//! Input that means harm: a primary that sends damaged effects, and commands of random words.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use crate::support::{
    Client, Random, Reply, Server, Start, decode, eventually, figure, scaled, scaled_to, server,
    write_every_state,
};

type Frame = Vec<Vec<u8>>;

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", frame.len()).into_bytes();
    for part in frame {
        bytes.extend(format!("${}\r\n", part.len()).bytes());
        bytes.extend(part);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// All that a primary replicates for a history of every state.
fn true_frames() -> Vec<Frame> {
    let s = server!();
    let stream = s.stream();
    write_every_state(&s);
    stream.frames(&s)
}

/// All commands that carry effects.
const APPLY: [&str; 7] = [
    "breaker._apply",
    "cache._apply",
    "idemp._apply",
    "idemp.seen._apply",
    "jobq._apply",
    "ratelimit._apply",
    "workgate._apply",
];

/// A frame with something wrong in one of its arguments.
fn damage(frame: &mut Frame, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = 1 + random.below((frame.len() - 1).max(1));
        let Some(part) = frame.get_mut(at) else { return };
        match random.below(6) {
            0 if !part.is_empty() => {
                let byte = random.below(part.len());
                part[byte] ^= 1 << random.below(8);
            }
            1 => part.truncate(random.below(part.len() + 1)),
            2 => part.insert(random.below(part.len() + 1), random.below(256) as u8),
            3 if !part.is_empty() => {
                let byte = random.below(part.len());
                part[byte] = random.one_of(&[0x00, 0x7f, 0x80, 0xff]);
            }
            4 => drop(frame.remove(at)),
            5 => frame.push(b"more".to_vec()),
            _ => {}
        }
    }
}

/// A program that plays the primary: it gives every replica `file`, then what it is handed.
struct FakePrimary {
    port: u16,
    frames: mpsc::Sender<Vec<u8>>,
}

impl FakePrimary {
    fn start(file: Vec<u8>) -> FakePrimary {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let (frames, handed) = mpsc::channel::<Vec<u8>>();
        thread::spawn(move || {
            let (mut link, _) = listener.accept().expect("a replica");
            let mut heard = Vec::new();
            'handshake: loop {
                let mut chunk = [0; 4096];
                let size = link.read(&mut chunk).expect("the replica speaks");
                assert!(size > 0, "the replica has gone");
                heard.extend(&chunk[..size]);
                while let Some((command, length)) = decode(&heard) {
                    heard.drain(..length);
                    if command.at(0).text().eq_ignore_ascii_case("PSYNC") {
                        break 'handshake;
                    }
                    link.write_all(b"+OK\r\n").expect("the replica hears");
                }
            }
            let head = format!("+FULLRESYNC {} 0\r\n${}\r\n", "a".repeat(40), file.len());
            link.write_all(head.as_bytes()).expect("the replica hears");
            link.write_all(&file).expect("the replica takes the file");
            let reader = link.try_clone().expect("a second handle");
            thread::spawn(move || swallow(reader));
            for bytes in handed {
                if link.write_all(&bytes).is_err() {
                    return;
                }
            }
        });
        FakePrimary { port, frames }
    }
}

fn swallow(mut link: TcpStream) {
    let mut chunk = [0; 4096];
    while matches!(link.read(&mut chunk), Ok(1..)) {}
}

/// Reads whatever a replica may be asked for.
fn read_all(r: &Client) {
    let keys = r.ok("KEYS *");
    for key in keys.items() {
        let key = key.bytes().to_vec();
        for command in [
            "WORKGATE.DIGEST",
            "DUMP",
            "JOBQ.STATS",
            "RATELIMIT.PEEK",
            "IDEMP.GET",
            "CACHE.GET",
            "BREAKER.GET",
        ] {
            r.call(vec![command.as_bytes().to_vec(), key.clone()]);
        }
    }
}

#[test]
fn a_replica_survives_damaged_effects_of_a_primary() {
    let frames = true_frames();
    assert!(frames.len() > 200, "a history of every state: {}", frames.len());
    // The effects of every family and table, and the calls that travel as they came.
    for name in APPLY.iter().copied().chain(["jobq.pop", "jobq.push", "jobq.ack", "ratelimit.check"]) {
        let is_one = |frame: &Frame| frame[0].eq_ignore_ascii_case(name.as_bytes());
        assert!(frames.iter().any(is_one), "there is no {name}");
    }
    for table in ["time", "start", "ratelimit.policy", "cache.policy", "cache.invalidate"] {
        let is_one = |frame: &Frame| frame[0] == b"workgate._apply" && frame[1] == table.as_bytes();
        assert!(frames.iter().any(is_one), "there is no {table}");
    }
    let empty = server!();
    empty.ok("SAVE");
    let file = std::fs::read(empty.directory().join("dump.rdb")).expect("the file");
    let mut random = Random::of_this_run();
    let mut sent = 0;
    for _ in 0..scaled(2) {
        let r = server!();
        let primary = FakePrimary::start(file.clone());
        r.ok(format!("REPLICAOF 127.0.0.1 {}", primary.port));
        eventually("it is synchronised", || r.info("master_link_status") == "up");
        for frame in &frames {
            let name = frame[0].to_ascii_lowercase();
            let is_own = name.ends_with(b"_apply") || name.contains(&b'.');
            let mut frame = frame.clone();
            if is_own && frame.len() > 1 && random.below(2) == 0 {
                damage(&mut frame, &mut random);
            }
            primary.frames.send(encoded(&frame)).expect("the primary lives");
            sent += 1;
        }
        let end = vec![b"SET".to_vec(), b"the-end".to_vec(), b"v".to_vec()];
        // The history may have ended in another database, or in the middle of a transaction.
        for frame in [vec![b"EXEC".to_vec()], vec![b"SELECT".to_vec(), b"0".to_vec()], end] {
            primary.frames.send(encoded(&frame)).expect("the primary lives");
        }
        eventually("all was taken", || r.ok("EXISTS the-end").int() == 1);
        read_all(&r);
        r.lives();
        // As a primary it goes on: its tokens were not used up.
        r.ok("REPLICAOF NO ONE");
        let token = r.ok("IDEMP.CLAIM afterwards").at(2).int();
        assert!(token > 0 && token < 100_000_000_000_000);
        r.ok("DEBUG RELOAD");
        r.lives();
    }
    figure(format!("{sent} frames, half of them damaged: the replica lives, its files load"));
}

/// Names of all commands, and all words that their documentation names.
fn vocabulary(s: &Server) -> (Vec<Vec<Vec<u8>>>, Vec<Vec<u8>>) {
    let mut words = BTreeSet::new();
    let mut names = Vec::new();
    for command in s.ok("COMMAND LIST FILTERBY MODULE workgate").items() {
        let name = command.text();
        // Those would hold the connection, or end the server because a test asked for that.
        if name.contains("_apply") || name == "workgate.test" {
            continue;
        }
        let info = s.ok(format!("COMMAND DOCS {name}"));
        collect_tokens(&info, &mut words);
        let parts: Vec<Vec<u8>> = name.split('|').map(|word| word.as_bytes().to_vec()).collect();
        names.push(parts);
    }
    words.remove(&b"BLOCK"[..]);
    (names, words.into_iter().collect())
}

fn collect_tokens(reply: &Reply, words: &mut BTreeSet<Vec<u8>>) {
    let Reply::Array(items) = reply else { return };
    for pair in items.windows(2) {
        if let (Reply::Bulk(name), Reply::Bulk(token)) = (&pair[0], &pair[1])
            && name == b"token"
        {
            words.insert(token.clone());
        }
    }
    items.iter().for_each(|item| collect_tokens(item, words));
}

#[test]
fn random_commands_end_no_server_and_part_no_replica() {
    let s = server!();
    let r = s.replica(&[]);
    let mut random = Random::of_this_run();
    let (names, words) = vocabulary(&s);
    assert!(names.len() > 60 && words.len() > 60, "{} commands, {} words", names.len(), words.len());
    let values: Vec<Vec<u8>> = [
        "0",
        "1",
        "2",
        "-1",
        "10",
        "1000",
        "9007199254740991",
        "18446744073709551615",
        "1e9",
        "nan",
        "",
        "*",
        "5ms",
        "1h",
        "1000d",
        "0s",
        "10/1m",
        "a=5/1h:burst=7",
        "3/1d:fixed",
        "9/month@Europe/Berlin",
        "exp:1s:max=1h",
        "list:1s,2s",
        "* * * * * *",
        "@every 5s",
        "{\"a\":1}",
        "id1",
        "id2",
        "job",
        "\u{0}\u{ff}",
        "fixed:1s",
        "open",
        "ready",
        "window",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    let keys: Vec<Vec<u8>> = (0..8).map(|key| format!("k{key}").into_bytes()).collect();
    let (total, mut accepted) = (scaled_to(20_000, 1_000_000), 0);
    let mut sent = 0;
    while sent < total {
        let batch: Vec<Vec<Vec<u8>>> = (0..200)
            .map(|_| {
                let mut command = names[random.below(names.len())].clone();
                command.push(keys[random.below(keys.len())].clone());
                for _ in 0..random.below(7) {
                    command.push(match random.below(5) {
                        0 | 1 => words[random.below(words.len())].clone(),
                        2 => keys[random.below(keys.len())].clone(),
                        _ => values[random.below(values.len())].clone(),
                    });
                }
                command
            })
            .collect();
        sent += batch.len();
        accepted += s.pipeline(&batch).iter().filter(|reply| !reply.is_error()).count();
        if random.below(20) == 0 {
            s.ok("FLUSHALL");
        }
    }
    assert!(accepted > total / 100, "{accepted} of {total} were accepted");
    s.ok("DEBUG RELOAD");
    s.in_step_with(&r);
    eventually("the replica holds the same", || {
        let same = s.ok("WORKGATE.DIGEST") == r.ok("WORKGATE.DIGEST");
        s.in_step_with(&r);
        same
    });
    s.lives();
    r.lives();
    figure(format!(
        "{sent} random commands, {accepted} of them accepted: server and replica live and are equal"
    ));
}

#[test]
fn memory_returns_after_many_operations() {
    // A busy machine fills the log of slow commands.
    let s = server!("slowlog-log-slower-than -1");
    let round = |s: &Server| {
        write_every_state(s);
        s.pipeline((0..200).map(|n| format!("JOBQ.PUSH q p ID j{n} GROUP g{} UNIQUE u{n}", n % 7)));
        s.pipeline((0..200).map(|n| format!("IDEMP.SEEN s 1d id{n}")));
        s.pipeline((0..200).map(|n| format!("CACHE.SET c{n} v TTL 1d TAGS 2 a b{}", n % 5)));
        s.pipeline((0..200).map(|n| format!("RATELIMIT.CHECK l{} a=5/1h b=7/1d", n % 50)));
        for _ in 0..20 {
            let jobs = s.ok("JOBQ.POP q COUNT 10");
            let ack = |job: &Reply| format!("JOBQ.ACK q {} {} RESULT r", job.at(0).text(), job.at(1).int());
            s.pipeline(jobs.items().iter().map(ack));
        }
        let waiters = ["JOBQ.POP e BLOCK 1h", "IDEMP.CLAIM claim:leased BLOCK 1h"].map(|call| s.asks(call));
        drop(waiters);
        for command in ["RATELIMIT.POLICY", "CACHE.POLICY"] {
            for policy in s.ok(format!("{command} LIST")).items() {
                if let Reply::Bulk(name) = policy {
                    s.call(vec![command.as_bytes().to_vec(), b"DEL".to_vec(), name.clone()]);
                }
            }
        }
        s.ok("FLUSHALL SYNC");
        eventually("nobody waits", || s.info("workgate_blocked_clients") == "0");
        s.info("used_memory").parse::<i64>().expect("a number")
    };
    // What is kept for good is there after a few rounds, and the log of CACHE.EVENTS is full.
    s.pipeline(vec!["CACHE.INVALIDATE TAG 1 a"; 10_001]);
    for _ in 0..3 {
        round(&s);
    }
    let processed = || s.info("total_commands_processed").parse::<usize>().expect("a number");
    let begun = processed();
    let low = (0..3).map(|_| round(&s)).min().expect("three");
    while processed() - begun < scaled_to(30_000, 3_000_000) {
        round(&s);
    }
    let after = (0..3).map(|_| round(&s)).min().expect("three");
    let calls = processed() - begun;
    let grown = after - low;
    assert!(grown < 100_000, "{grown} bytes more after {calls} commands");
    figure(format!("{calls} commands, used_memory changed by {grown} bytes"));
}

#[test]
fn no_payload_gets_into_the_log() {
    const SECRET: &str = "the-secret-payload";
    let mut s = server!("appendonly yes", "loglevel debug");
    let r = s.replica(&["loglevel debug"]);
    let mut calls = 0;
    for call in [
        "JOBQ.PUSH q SECRET ID a META SECRET",
        "JOBQ.PUSH q SECRET ID",
        "IDEMP.CLAIM i PAYLOAD SECRET",
        "IDEMP.CLAIM i JSON SECRET",
        "CACHE.SET c SECRET TTL 1h META SECRET",
        "CACHE.SET c SECRET TTL SECRET",
        "JOBQ.CRON SET q s @yearly SECRET",
        "JOBQ.CRON SET q s SECRET p",
        "JOBQ._APPLY q SECRET",
        "CACHE._APPLY c SECRET SECRET",
        "WORKGATE._APPLY time SECRET",
        "RATELIMIT.CHECK u SECRET",
    ] {
        s.call(call.replace("SECRET", SECRET));
        calls += 1;
    }
    for (at, settle) in ["ACK", "FAIL"].iter().enumerate() {
        s.ok(format!("JOBQ.PUSH q {SECRET} ID s{at}"));
        for job in s.ok("JOBQ.POP q COUNT 5").items() {
            let option = if *settle == "ACK" { "RESULT" } else { "ERROR" };
            s.ok(format!("JOBQ.{settle} q {} {} {option} {SECRET}", job.at(0).text(), job.at(1).int()));
        }
    }
    s.call(format!("WORKGATE.TEST PANIC {SECRET}"));
    s.in_step_with(&r);
    s.ok("BGREWRITEAOF");
    s.crash_and_restart();
    s.ok("DEBUG RELOAD");
    for server in [&s, &r] {
        let log = std::fs::read(server.directory().join("server.log")).expect("the log");
        let log = String::from_utf8_lossy(&log).into_owned();
        assert!(
            !log.contains(SECRET),
            "{}",
            log.lines().find(|line| line.contains(SECRET)).unwrap_or_default()
        );
    }
    // A damaged file is told of by command and key alone.
    let frame = encoded(&vec![b"jobq._apply".to_vec(), b"q".to_vec(), SECRET.as_bytes().to_vec()]);
    let files: [(&str, &[u8]); 2] = [
        ("appendonlydir/appendonly.aof.manifest", b"file appendonly.aof.1.incr.aof seq 1 type i\n"),
        ("appendonlydir/appendonly.aof.1.incr.aof", &frame),
    ];
    let Start::Refused { log, .. } = Server::try_on_files(&["appendonly yes"], &files) else {
        panic!("it is refused")
    };
    assert!(!log.contains(SECRET), "{log}");
    figure(format!("{calls} calls with a secret, a panic, a crash, a damaged file: it is in no log"));
}
