//! A claim, a plain PUSH or MPUSH, a POP of one queue and an ACK are replicated as they came,
//! behind the time at which they happened and the token that comes next. `verbatim_check` has what
//! holds for CHECK, and for ticks.

use crate::support::{
    Server, Snapshot, Start, cmd, frame, nothing_is_lost_across_rewrites, numbers, server,
    server_on_commands, try_on_commands,
};

fn is_tick(line: &str) -> bool {
    line.to_ascii_lowercase().starts_with("workgate._apply time ")
}

/// What went to the replicas, without transactions and ticks.
fn without_ticks(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().filter(|line| !is_tick(line) && line != "MULTI" && line != "EXEC").collect()
}

/// A key claimed, a job pushed, popped and acknowledged; the replies that name a token.
fn work(s: &Server, round: usize) -> (i64, i64) {
    let claimed = s.ok(format!("IDEMP.CLAIM claim:{round} OWNER me"));
    s.ok("JOBQ.PUSH q payload");
    s.ok("JOBQ.MPUSH q 2 kept kept");
    let job = s.ok("JOBQ.POP q").at(0).clone();
    let token = job.at(1).int();
    s.ok(cmd!["JOBQ.ACK", "q", job.at(0).text(), token.to_string()]);
    (claimed.at(2).int(), token)
}

#[track_caller]
fn same(s: &Server, r: &Server) {
    s.in_step_with(r);
    assert_eq!(Snapshot::of(r), Snapshot::of(s));
}

#[test]
fn what_follows_from_the_command_the_time_and_the_token_travels_as_it_came() {
    let s = server!();
    s.ok("JOBQ.PUSH q first");
    let job = s.ok("JOBQ.POP q").at(0).clone();
    let ack = format!("JOBQ.ACK q {} {}", job.at(0).text(), job.at(1).int());
    let stream = s.stream();
    for call in [
        "IDEMP.CLAIM k",
        "IDEMP.CLAIM l LEASE 5s OWNER o BLOCK 1s",
        "JOBQ.PUSH q payload",
        "JOBQ.MPUSH q 2 one another",
        &ack,
        "JOBQ.POP q",
        "JOBQ.POP q COUNT 2 LEASE 5s WORKER w BLOCK 1s",
    ] {
        s.ok(call);
        assert_eq!(without_ticks(stream.taken(&s)), [call]);
    }
    // What changes nothing is not replicated at all.
    for call in ["IDEMP.CLAIM k", &ack, "JOBQ.POP q"] {
        s.ok(call);
        assert_eq!(stream.taken(&s), [""; 0]);
    }
}

#[test]
fn what_needs_more_than_that_travels_as_its_effect() {
    let s = server!();
    s.ok("JOBQ.PUSH q first");
    let job = s.ok("JOBQ.POP q").at(0).clone();
    let ack = format!("JOBQ.ACK q {} {} RESULT r", job.at(0).text(), job.at(1).int());
    let stream = s.stream();
    for (call, carrier) in [
        ("IDEMP.CLAIM k FINGERPRINT f", "idemp._apply k "),
        ("IDEMP.CLAIM l PAYLOAD p", "idemp._apply l "),
        ("JOBQ.PUSH q payload PRIORITY 1", "jobq._apply q "),
        ("JOBQ.MPUSH q 2 one another LIFO", "jobq._apply q "),
        ("JOBQ.POP q GROUPED", "jobq._apply q "),
        ("JOBQ.POP q COUNT 1 LINGER 1s BLOCK 1s", "jobq._apply q "),
        ("JOBQ.POP none ALSO 1 q", "jobq._apply q "),
        (&ack, "jobq._apply q "),
    ] {
        s.ok(call);
        let [effect] = &without_ticks(stream.taken(&s))[..] else { panic!("one command") };
        assert!(effect.to_ascii_lowercase().starts_with(carrier), "{call}: {effect}");
    }
}

#[test]
fn claims_of_one_millisecond_share_a_tick_and_their_tokens_follow_from_it() {
    let s = server!();
    let r = s.replica(&["appendonly yes", "appendfsync always"]);
    let stream = s.stream();
    let claims = s.pipeline((0..1_000).map(|key| format!("IDEMP.CLAIM k{key}")));
    let tokens: Vec<i64> = claims.iter().map(|claim| claim.at(2).int()).collect();
    assert!(tokens.is_sorted_by(|one, next| one < next));
    let ticks = stream.taken(&s).iter().filter(|line| is_tick(line)).count();
    assert!((1..500).contains(&ticks), "{ticks} ticks");
    same(&s, &r);
    r.ok("REPLICAOF NO ONE");
    for (key, token) in tokens.iter().enumerate() {
        r.ok(format!("IDEMP.COMPLETE k{key} {token} done"));
    }
}

#[test]
fn tokens_that_effects_carry_in_between_are_counted() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    for round in 0..50 {
        work(&s, round);
        s.ok(format!("IDEMP.CLAIM print:{round} FINGERPRINT f"));
        s.ok(format!("CACHE.GETSET cold:{round}"));
    }
    s.transaction(["IDEMP.CLAIM a", "JOBQ.POP q", "IDEMP.CLAIM b", "JOBQ.PUSH q p"]);
    let script = "redis.call('IDEMP.CLAIM', KEYS[1]) redis.call('JOBQ.PUSH', KEYS[2], 'p') \
                  redis.call('JOBQ.POP', KEYS[2]) return redis.call('IDEMP.CLAIM', KEYS[3])";
    s.ok(cmd!["EVAL", script, "3", "one", "q", "two"]);
    same(&s, &r);
    let before = Snapshot::of(&s);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), before);
}

/// After a load, a promotion and a RESTORE the clock of tokens is ahead of what the history has
/// granted.
#[test]
fn where_the_clock_leaves_tokens_out_a_tick_says_so() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&["appendonly yes", "appendfsync always"]);
    work(&s, 0);
    same(&s, &r);
    s.crash_and_restart();
    let (first, _) = work(&s, 1);
    same(&s, &r);
    let dump = s.ok("DUMP claim:1");
    s.ok("DEL claim:1");
    s.ok(cmd!["RESTORE", "again", "0", dump.bytes()]);
    assert!(work(&s, 2).0 > first);
    same(&s, &r);
    let late = r.replica(&[]);
    r.ok("REPLICAOF NO ONE");
    work(&r, 3);
    work(&r, 4);
    r.in_step_with(&late);
    assert_eq!(Snapshot::of(&late), Snapshot::of(&r));
}

fn keeps_its_tokens_across_rewrites(preamble: &str) {
    nothing_is_lost_across_rewrites(preamble, |s, round| {
        (0..40).for_each(|call| _ = work(s, round * 40 + call));
    });
}

#[test]
fn rewrites_with_an_rdb_preamble_keep_commands_and_tokens_together() {
    keeps_its_tokens_across_rewrites("aof-use-rdb-preamble yes");
}

#[test]
fn rewrites_without_an_rdb_preamble_keep_commands_and_tokens_together() {
    keeps_its_tokens_across_rewrites("aof-use-rdb-preamble no");
}

#[test]
fn a_replica_that_lets_clients_write_still_repeats_its_primary() {
    let s = server!();
    let r = s.replica(&["replica-read-only no"]);
    work(&s, 0);
    s.in_step_with(&r);
    r.pipeline((0..50).map(|key| format!("IDEMP.CLAIM own:{key}")));
    r.ok("JOBQ.PUSH own p");
    r.ok("JOBQ.POP own");
    s.pipeline((0..50).map(|key| format!("IDEMP.CLAIM k:{key}")));
    work(&s, 1);
    s.in_step_with(&r);
    for key in (0..50).map(|key| format!("k:{key}")).chain(["q".into(), "claim:1".into()]) {
        r.ok(format!("WORKGATE.DIGEST {key}")).is(s.ok(format!("WORKGATE.DIGEST {key}")));
    }
}

/// What a primary has let in is not measured again by the settings of a replica.
#[test]
fn a_replica_with_a_lower_limit_takes_what_its_primary_took() {
    let s = server!();
    let r = s.replica(&["workgate.jobq-max-payload 10"]);
    s.ok(format!("JOBQ.PUSH q {}", "p".repeat(1_000)));
    same(&s, &r);
}

/// Of a slot that is handed over, the commands come to a primary, which passes them on as what they
/// do here.
#[test]
fn who_imports_a_slot_repeats_what_came_for_it_and_passes_on_its_effect() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    s.ok("JOBQ.PUSH q mine");
    let job = s.ok("JOBQ.POP q LEASE 1h").at(0).clone();
    let ack = format!("JOBQ.ACK q {} {}", job.at(0).text(), job.at(1).int());
    let stream = s.stream();
    s.ok("WORKGATE.TEST IMPORT on");
    for (call, carrier) in [
        ("JOBQ.PUSH q one", "jobq._apply q "),
        ("JOBQ.MPUSH q 2 two three", "jobq._apply q "),
        (&ack, "jobq._apply q "),
        ("RATELIMIT.CHECK user 5/1h", "ratelimit._apply user "),
    ] {
        s.ok(call).is(crate::support::status("OK"));
        let [effect] = &without_ticks(stream.taken(&s))[..] else { panic!("one command") };
        assert!(effect.to_ascii_lowercase().starts_with(carrier), "{call}: {effect}");
    }
    for judged in ["JOBQ.PUSH q p PRIORITY 1", "JOBQ.MPUSH q 1 p LIFO", "JOBQ.POP q"] {
        assert!(s.call(judged).is_error(), "{judged} comes as an effect");
    }
    s.ok("WORKGATE.TEST IMPORT off");
    s.ok("JOBQ.STATS q").field("ready").clone().is(3);
    s.ok("JOBQ.STATS q").field("done").clone().is(1);
    s.ok("RATELIMIT.CHECK user 5/1h").at(2).clone().is(3);
    same(&s, &r);
    let before = Snapshot::of(&s);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), before);
}

/// Jobs of groups, of priorities, at a rate: whatever a POP chose, a replica, the append-only file
/// and a replica that came by a file choose too.
#[test]
fn what_a_pop_has_chosen_is_chosen_again() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let early = s.replica(&["appendonly yes", "appendfsync always"]);
    s.ok("JOBQ.CONFIG SET q group_concurrency 2 group_rate 20/10m rate 60/10m aging 10ms");
    for number in 0..200 {
        let group = if number % 3 == 0 { String::new() } else { format!(" GROUP g{}", number % 7) };
        let expire = if number % 11 == 0 { " EXPIRE 30ms" } else { "" };
        s.ok(format!("JOBQ.PUSH q {number} PRIORITY {}{group}{expire}", number % 4));
    }
    s.ok("JOBQ.PAUSE q GROUP g1");
    s.ok("JOBQ.GROUP SET q g2 CONCURRENCY 3");
    let mut popped = 0;
    let late = s.replica(&[]);
    for round in 0..40 {
        let jobs = s.ok(format!("JOBQ.POP q COUNT {}", 1 + round % 5));
        popped += jobs.items().len();
        for job in jobs.items().iter().filter(|job| job.at(1).int() % 3 > 0) {
            let verb = if job.at(1).int() % 2 == 0 { "ACK" } else { "RELEASE" };
            s.ok(cmd![format!("JOBQ.{verb}"), "q", job.at(0).text(), job.at(1).int().to_string()]);
        }
    }
    assert!(popped > 40, "{popped} jobs popped");
    for r in [&early, &late] {
        same(&s, r);
    }
    let before = Snapshot::of(&s);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), before);
}

/// A file whose POPs have chosen by rules that this version does not know ends the start.
#[test]
fn a_pop_by_other_rules_is_refused() {
    let since_1970 = std::time::UNIX_EPOCH.elapsed().expect("a time after 1970");
    let commands = |rules| {
        let tick = numbers([since_1970.as_millis() as u64, 2_000_000_000_000, rules]);
        let push: &[&[u8]] = &[b"JOBQ.PUSH", b"q", b"payload"];
        [frame(&[b"WORKGATE._APPLY", b"time", &tick]), frame(push), frame(&[b"JOBQ.POP", b"q"])].concat()
    };
    let Start::Refused { log, .. } = try_on_commands(&[], &commands(2)) else { panic!("started") };
    assert!(log.contains("by the rules of number 2"), "{log}");
    let s = server_on_commands(&[], &commands(1));
    s.ok("JOBQ.STATS q").field("active").clone().is(1);
}
