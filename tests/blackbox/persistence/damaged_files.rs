//! Files that are cut or that hold wrong bits: the server refuses to start and says so, or starts
//! with all that the file holds. It never crashes, never hangs, and never starts with a part.

use std::fs;

use crate::support::{
    Random, SPINS, Server, Snapshot, Start, cmd, figure, frame, scaled_to, server, server_on_commands,
    try_on_commands,
};

/// A value of each type, and something beside the keys.
fn write(s: &Server) {
    s.ok("RATELIMIT.POLICY SET ai calls=10/1h");
    s.ok("RATELIMIT.CHECK limit a=10/1h b=5/1d");
    s.ok("RATELIMIT.ACQUIRE places me MAX 3 LEASE 1d");
    s.ok("IDEMP.CLAIM claim LEASE 1d FINGERPRINT f");
    s.ok("IDEMP.SEEN seen 1d a b c");
    s.ok("CACHE.SET entry v TTL 1d GRACE 1d TAGS 2 x y");
    s.ok("CACHE.SET other w TTL 1d TAGS 1 z");
    s.ok("CACHE.INVALIDATE TAG 1 x");
    s.ok("BREAKER.REPORT breaker OK 3 FAIL 2 SLOW 1");
    for id in 0..8 {
        s.ok(format!("JOBQ.PUSH jobs payload-{id} ID job-{id} GROUP g{} META m", id % 3));
    }
    let job = s.ok("JOBQ.POP jobs LEASE 1d");
    s.ok(format!("JOBQ.ACK jobs {} {}", job.at(0).at(0).text(), job.at(0).at(1).int()));
    s.ok("JOBQ.POP jobs LEASE 1d");
    s.ok("SET plain text");
}

fn rdb_file(checksum: &str) -> (Vec<u8>, Snapshot) {
    let s = server!(checksum);
    write(&s);
    s.ok("SAVE");
    (fs::read(s.directory().join("dump.rdb")).expect("the file"), Snapshot::of(&s))
}

/// Whether the log reports a crash in which the module has no part, such as that of a command of
/// the server with too few arguments.
fn is_crash_of_the_servers_own(log: &str) -> bool {
    let trace = log.split_once("STACK TRACE").map(|(_, rest)| rest);
    let trace = trace.and_then(|rest| rest.split_once("INFO OUTPUT")).map(|(trace, _)| trace);
    trace.is_some_and(|trace| trace.contains("Backtrace:") && !trace.contains("libworkgate"))
}

/// Whether the start was refused in order: by an exit, with a line that says why.
#[track_caller]
fn is_refused(start: &Start, what: &str) -> bool {
    let Start::Refused { status, log } = start else { return false };
    if status == SPINS || is_crash_of_the_servers_own(log) {
        return true;
    }
    // The server ends with 0 where its own check finds nothing wrong with the form of the file.
    assert!(status.starts_with("exit status: "), "{what}: {status}\n{log}");
    let why = ["does not start", "rdb", "RDB", "DB from file", "AOF", "append only file"];
    assert!(why.iter().any(|word| log.contains(word)), "{what}: the log says nothing:\n{log}");
    true
}

/// Cuts right behind each value of the module, where the server's own mark of its end is missing,
/// and all within the shortest of them.
fn telling_cuts(file: &[u8]) -> Vec<usize> {
    // The last, empty block of a value, then the mark.
    const END: [u8; 3] = [5, 0, 0];
    let ends = (0..file.len() - END.len()).filter(|at| file[*at..].starts_with(&END));
    ends.flat_map(|at| [at, at + 1, at + 2]).collect()
}

#[test]
fn an_rdb_file_that_is_cut_anywhere_is_refused() {
    let (file, _) = rdb_file("rdbchecksum yes");
    let mut random = Random::of_this_run();
    let mut cuts = telling_cuts(&file);
    assert!(cuts.len() >= 3 * 8, "each value has an end");
    cuts.extend((0..scaled_to(400, 2_000)).map(|_| random.below(file.len() - 1) + 1));
    cuts.sort_unstable();
    cuts.dedup();
    for cut in &cuts {
        let start = Server::try_on_files(&[], &[("dump.rdb", &file[..*cut])]);
        assert!(is_refused(&start, &format!("cut at {cut}")), "cut at {cut} of {}", file.len());
    }
    figure(format!("{} cuts, {} refused", cuts.len(), cuts.len()));
}

#[test]
fn an_rdb_file_with_a_wrong_bit_is_refused_or_loaded_whole() {
    let mut random = Random::of_this_run();
    let (mut refused, mut loaded) = (0, 0);
    for checksum in ["rdbchecksum yes", "rdbchecksum no"] {
        let (file, whole) = rdb_file(checksum);
        for _ in 0..scaled_to(200, 2_500) {
            let (at, bit) = (random.below(file.len()), random.below(8));
            let mut damaged = file.clone();
            damaged[at] ^= 1 << bit;
            let start = Server::try_on_files(&[], &[("dump.rdb", &damaged)]);
            let what = format!("bit {bit} of byte {at}, {checksum}");
            if is_refused(&start, &what) {
                refused += 1;
            } else if let Start::Runs(s) = start {
                // Without a checksum a payload may be another one, but no job and no key is gone.
                loaded += 1;
                // A bit in the number of the database moves its keys to another one.
                let size = |db| {
                    s.ok(format!("SELECT {db}"));
                    s.ok("DBSIZE").int()
                };
                let keys: i64 = (0..16).rev().map(size).sum();
                assert!(keys >= whole.len() as i64 - 1, "{what}: {keys} keys");
                if s.ok("EXISTS jobs").int() == 1 && s.ok("TYPE jobs").text() == "workgateQ" {
                    let known = s.ok("JOBQ.STATS jobs");
                    // A bit in a time may let a lease or the retention of the job that is done end.
                    let states = ["ready", "active", "delayed", "blocked", "dead"];
                    let held: i64 = states.map(|state| known.field(state).int()).iter().sum();
                    assert!((7..=8).contains(&held), "{what}: {known:?}");
                }
                use_all(&s);
                s.lives();
            }
        }
    }
    figure(format!("{} wrong bits: {refused} refused, {loaded} loaded whole", refused + loaded));
}

/// The module has read its value by then: what follows is the server's, which says what is wrong
/// and ends, or goes on reading the file behind its end for ever.
#[test]
fn a_wrong_bit_in_the_mark_behind_the_last_value_is_told_of_and_never_loaded() {
    let s = server!("rdbchecksum yes");
    s.ok("JOBQ.PUSH jobs p ID a");
    s.ok("SAVE");
    let file = fs::read(s.directory().join("dump.rdb")).expect("the file");
    // The last block of the value, which is empty, the mark, that of the file, its checksum.
    let mark = file.len() - 8 - 1 - 1;
    assert_eq!(file[mark - 2..=mark + 1], [5, 0, 0, 0xff], "the value is the last one");
    let (mut ended, mut spun) = (0, 0);
    for bit in 0..8 {
        let mut damaged = file.clone();
        damaged[mark] ^= 1 << bit;
        let Start::Refused { status, log } = Server::try_on_files(&[], &[("dump.rdb", &damaged)]) else {
            panic!("bit {bit}: it is refused")
        };
        assert!(log.contains("EOF marker"), "bit {bit}: {log}");
        spun += usize::from(status == SPINS);
        ended += usize::from(status != SPINS);
    }
    figure(format!(
        "8 wrong bits, each told of in the log: {ended} ended the start, {spun} left the server in its own check"
    ));
}

fn use_all(s: &Server) {
    s.pipeline([
        "JOBQ.POP jobs COUNT 10",
        "JOBQ.PUSH jobs p",
        "RATELIMIT.CHECK limit a=10/1h b=5/1d",
        "RATELIMIT.ACQUIRE places you MAX 3",
        "IDEMP.CLAIM claim",
        "IDEMP.SEEN seen 1d a d",
        "CACHE.GETSET entry",
        "BREAKER.ALLOW breaker",
        "BREAKER.REPORT breaker OK 1",
    ]);
}

const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";

/// An append-only file of commands alone: what a rewrite leaves, and what came after it.
fn append_only_files(rewrite: bool) -> Vec<(String, Vec<u8>)> {
    let s = server!("appendonly yes", "appendfsync always", "aof-use-rdb-preamble no");
    write(&s);
    if rewrite {
        s.ok("BGREWRITEAOF");
        crate::support::eventually("the file is rewritten", || {
            s.info("aof_rewrite_in_progress") == "0" && s.info("aof_rewrite_scheduled") == "0"
        });
        s.ok("JOBQ.PUSH jobs later ID job-8");
    }
    let folder = fs::read_dir(s.directory().join("appendonlydir")).expect("the folder");
    folder
        .map(|entry| {
            let entry = entry.expect("a file");
            let name = format!("appendonlydir/{}", entry.file_name().to_string_lossy());
            (name, fs::read(entry.path()).expect("the file"))
        })
        .collect()
}

fn try_files(options: &[&str], files: &[(String, Vec<u8>)]) -> Start {
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
    let options = [&["appendonly yes"], options].concat();
    Server::try_on_files(&options, &files)
}

#[test]
fn an_append_only_file_without_preamble_with_a_wrong_bit_loses_no_job() {
    let mut random = Random::of_this_run();
    let (mut refused, mut loaded) = (0, 0);
    for rewrite in [true, false] {
        let files = append_only_files(rewrite);
        let pushed = if rewrite { 9 } else { 8 };
        for _ in 0..scaled_to(200, 2_500) {
            let mut damaged = files.clone();
            let content =
                damaged.iter_mut().filter(|(name, content)| name != MANIFEST && !content.is_empty());
            let mut content: Vec<_> = content.collect();
            let which = random.below(content.len());
            let (name, content) = &mut content[which];
            let (at, bit) = (random.below(content.len()), random.below(8));
            content[at] ^= 1 << bit;
            let what = format!("bit {bit} of byte {at} of {name}");
            let start = try_files(&["aof-load-truncated no"], &damaged);
            if is_refused(&start, &what) {
                refused += 1;
                continue;
            }
            let Start::Runs(s) = start else { continue };
            loaded += 1;
            // A bit in a name, in a payload or in a whole command of another kind is as sound as
            // the true one: a job may be in another queue, or have other content.
            let queues: Vec<String> = s.ok("JOBQ.QUEUES").at(1).items().iter().map(|q| q.text()).collect();
            let jobs: i64 = queues
                .iter()
                .map(|queue| {
                    let stats = s.ok(cmd!["JOBQ.STATS", queue]);
                    ["ready", "active", "done", "delayed", "blocked", "dead"]
                        .map(|state| stats.field(state).int())
                        .iter()
                        .sum::<i64>()
                })
                .sum();
            assert!(jobs >= pushed - 1, "{what}: {jobs} of {pushed} jobs in {queues:?}");
            use_all(&s);
            s.lives();
        }
    }
    figure(format!("{} wrong bits: {refused} refused, {loaded} loaded", refused + loaded));
}

/// How many pushes end before `cut`, transactions counted as a whole.
fn pushes_before(content: &[u8], cut: usize) -> i64 {
    let (mut at, mut whole, mut in_unit, mut is_unit) = (0, 0, 0, false);
    let line = |at: &mut usize| -> Option<usize> {
        let length = content[*at..].windows(2).position(|two| two == b"\r\n")?;
        let text = std::str::from_utf8(&content[*at + 1..*at + length]).ok()?;
        *at += length + 2;
        text.parse().ok()
    };
    while at < content.len() {
        let mut words = Vec::new();
        for _ in 0..line(&mut at).expect("a count") {
            let length = line(&mut at).expect("a length");
            words.push(content[at..at + length].to_ascii_uppercase());
            at += length + 2;
        }
        if at > cut {
            break;
        }
        in_unit += i64::from(words[0] == b"JOBQ.PUSH");
        match words[0].as_slice() {
            b"MULTI" => is_unit = true,
            b"EXEC" => is_unit = false,
            _ => {}
        }
        if !is_unit {
            whole += std::mem::take(&mut in_unit);
        }
    }
    whole
}

#[test]
fn an_append_only_file_that_is_cut_gives_what_was_written_before_the_cut() {
    let files = append_only_files(false);
    let mut random = Random::of_this_run();
    let cuts = scaled_to(400, 2_000);
    for _ in 0..cuts {
        let mut cut = files.clone();
        let last = cut.iter_mut().find(|(name, _)| name.contains(".incr.")).expect("a file of commands");
        let at = random.below(last.1.len());
        let want = pushes_before(&last.1, at);
        last.1.truncate(at);
        let Start::Runs(s) = try_files(&["aof-load-truncated yes"], &cut) else {
            panic!("cut at {at}: the server did not start")
        };
        let pushed = if want > 0 { s.ok("JOBQ.STATS jobs").field("pushed").int() } else { 0 };
        assert_eq!(pushed, want, "cut at {at}");
        use_all(&s);
        s.lives();
    }
    figure(format!("{cuts} cuts, each loaded with all that was written before it"));
}

#[test]
fn a_damaged_command_is_left_out_where_the_setting_says_so() {
    let commands = [
        frame(&[b"jobq._apply", b"lost", b"\xff\xff"]),
        frame(&[b"jobq._apply", b"half", b"BLOCK", b"1", b"0", b""]),
        frame(&[b"SET", b"kept", b"v"]),
    ];
    for (at, text) in [(0, "jobq._apply lost: ERR damaged effect"), (1, "'half' of database 0 has no end")] {
        let content = [commands[at].clone(), commands[2].clone()].concat();
        let Start::Refused { status, log } = try_on_commands(&[], &content) else { panic!("it is refused") };
        assert_eq!(status, "exit status: 1");
        assert!(log.contains(text), "{log}");
        assert!(log.contains("workgate.skip-damaged-commands yes"), "{log}");
        let s = server_on_commands(&["workgate.skip-damaged-commands yes"], &content);
        s.ok("GET kept").is("v");
        crate::support::eventually("the log says so", || s.log_tail().contains(text));
    }
}
