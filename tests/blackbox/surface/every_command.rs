//! What holds for every command alike: arity, the key's type, bytes, transactions, scripts.

use crate::support::{Server, Untouched, cmd, list, nil, server, status};

/// One well-formed call of each command that has a key, `KEY` standing for it.
pub(super) const CALLS: [(&str, &str); 59] = [
    ("ratelimit", "RATELIMIT.CHECK KEY 10/1m"),
    ("ratelimit", "RATELIMIT.PEEK KEY 10/1m"),
    ("ratelimit", "RATELIMIT.PEEK KEY"),
    ("ratelimit", "RATELIMIT.REFUND KEY 10/1m COST 1"),
    ("ratelimit", "RATELIMIT.SETTLE KEY id COST 1"),
    ("ratelimit", "RATELIMIT.ACQUIRE KEY holder MAX 1"),
    ("ratelimit", "RATELIMIT.RELEASE KEY holder"),
    ("ratelimit", "RATELIMIT.LOCK KEY 1m"),
    ("ratelimit", "RATELIMIT.UNLOCK KEY"),
    ("ratelimit", "RATELIMIT.RESET KEY"),
    ("ratelimit", "CL.THROTTLE KEY 1 1 1"),
    ("idemp", "IDEMP.CLAIM KEY"),
    ("idemp", "IDEMP.COMPLETE KEY 5 result"),
    ("idemp", "IDEMP.RELEASE KEY 5"),
    ("idemp", "IDEMP.EXTEND KEY 5"),
    ("idemp", "IDEMP.GET KEY"),
    ("seen", "IDEMP.SEEN KEY 1h id"),
    ("jobq", "JOBQ.PUSH KEY payload"),
    ("jobq", "JOBQ.POP KEY"),
    ("jobq", "JOBQ.ACK KEY id 5"),
    ("jobq", "JOBQ.FAIL KEY id 5"),
    ("jobq", "JOBQ.RELEASE KEY id 5"),
    ("jobq", "JOBQ.EXTEND KEY id 5"),
    ("jobq", "JOBQ.MPUSH KEY 1 payload"),
    ("jobq", "JOBQ.MACK KEY 1 id 5"),
    ("jobq", "JOBQ.MEXTEND KEY 1 id 5"),
    ("jobq", "JOBQ.CANCEL KEY id"),
    ("jobq", "JOBQ.REDRIVE KEY"),
    ("jobq", "JOBQ.PURGE KEY done"),
    ("jobq", "JOBQ.CONFIG SET KEY lease 1m"),
    ("jobq", "JOBQ.CONFIG GET KEY"),
    ("jobq", "JOBQ.PAUSE KEY"),
    ("jobq", "JOBQ.RESUME KEY"),
    ("jobq", "JOBQ.GET KEY id"),
    ("jobq", "JOBQ.STATS KEY"),
    ("jobq", "JOBQ.EVENTS KEY 0"),
    ("jobq", "JOBQ.LIST KEY ready"),
    ("jobq", "JOBQ.CRON SET KEY name @daily payload"),
    ("jobq", "JOBQ.CRON LIST KEY"),
    ("jobq", "JOBQ.CRON RUN KEY name"),
    ("jobq", "JOBQ.CRON DEL KEY name"),
    ("jobq", "JOBQ.GROUP SET KEY g CONCURRENCY 2"),
    ("jobq", "JOBQ.GROUP GET KEY g"),
    ("jobq", "JOBQ.GROUP LIST KEY"),
    ("jobq", "JOBQ.UPDATE KEY id NOW"),
    ("jobq", "JOBQ.LOG KEY id 5 line"),
    ("jobq", "JOBQ.RESULT KEY id"),
    ("cache", "CACHE.GETSET KEY"),
    ("cache", "CACHE.SET KEY value"),
    ("cache", "CACHE.ABSENT KEY"),
    ("cache", "CACHE.RELEASE KEY 5"),
    ("cache", "CACHE.EXPIRE KEY"),
    ("breaker", "BREAKER.ALLOW KEY"),
    ("breaker", "BREAKER.REPORT KEY FAIL 1"),
    ("breaker", "BREAKER.CONFIG GET KEY"),
    ("breaker", "BREAKER.CONFIG SET KEY open 1h"),
    ("breaker", "BREAKER.FORCE KEY open"),
    ("breaker", "BREAKER.RESET KEY"),
    ("breaker", "BREAKER.GET KEY"),
];

/// A key of every type, named for the family that may use it.
fn fill(s: &Server) -> Vec<(&'static str, &'static str)> {
    s.ok("RATELIMIT.CHECK ratelimit 10/1h");
    s.ok("IDEMP.CLAIM idemp");
    s.ok("IDEMP.SEEN seen 1h id");
    s.ok("JOBQ.PUSH jobq p ID a");
    s.ok("CACHE.SET cache v TTL 1h");
    s.ok("BREAKER.REPORT breaker FAIL 1");
    s.ok("SET string v");
    s.ok("RPUSH list a");
    s.ok("SADD set a");
    s.ok("HSET hash f v");
    s.ok("ZADD zset 1 a");
    s.ok("XADD stream * f v");
    vec![
        ("ratelimit", "ratelimit"),
        ("idemp", "idemp"),
        ("seen", "seen"),
        ("jobq", "jobq"),
        ("cache", "cache"),
        ("breaker", "breaker"),
        // A plain string is a hit for the cache.
        ("cache", "string"),
        ("none", "list"),
        ("none", "set"),
        ("none", "hash"),
        ("none", "zset"),
        ("none", "stream"),
    ]
}

#[test]
fn a_key_of_another_type_is_refused_and_untouched() {
    let s = server!();
    let keys = fill(&s);
    let untouched = Untouched::on(&s);
    for (family, call) in CALLS {
        for (owner, key) in &keys {
            if *owner != family {
                untouched.refuses(*key, call.replace("KEY", key), "WRONGTYPE");
            }
        }
    }
    untouched.refuses("list", "CACHE.GET list", "WRONGTYPE");
    untouched.refuses("jobq", "CACHE.GET jobq", "WRONGTYPE");
    untouched.refuses("list", "JOBQ.POP list BLOCK 5s", "WRONGTYPE");
    untouched.refuses("list", "IDEMP.CLAIM list BLOCK 5s", "WRONGTYPE");
    untouched.refuses("list", "CACHE.GETSET list BLOCK 5s", "WRONGTYPE");
}

#[test]
fn the_types_other_commands_refuse_ours() {
    let s = server!();
    fill(&s);
    for key in ["ratelimit", "idemp", "seen", "jobq", "cache"] {
        s.refuses(format!("GET {key}"), "WRONGTYPE");
        s.refuses(format!("LPUSH {key} a"), "WRONGTYPE");
        s.ok(format!("TYPE {key}"));
        s.ok(format!("OBJECT ENCODING {key}"));
    }
}

#[test]
fn wrong_arity_is_refused() {
    let s = server!();
    let untouched = Untouched::on(&s);
    for (_, call) in CALLS {
        let words: Vec<&str> = call.split(' ').collect();
        let least = if call.starts_with("RATELIMIT.PEEK") { 2 } else { words.len() };
        for short in 1..least {
            untouched.refuses("KEY", words[..short].join(" "), "ERR");
        }
    }
    for call in [
        "IDEMP.GET k extra",
        "IDEMP.COMPLETE k 5 result extra",
        "IDEMP.RELEASE k 5 extra",
        "JOBQ.GET q id extra",
        "JOBQ.STATS q extra",
        "JOBQ.RESULT q id extra",
        "JOBQ.LOG q id 5 line extra",
        "CACHE.GET k extra",
        "CACHE.GET",
        "WORKGATE.DIGEST k extra",
    ] {
        untouched.refuses("k", call, "ERR");
    }
}

#[test]
fn an_error_text_is_one_line_whatever_was_given() {
    let s = server!();
    for call in [
        cmd!["RATELIMIT.CHECK", "k", b"10/1m\r\n+OK\r\n"],
        cmd!["IDEMP.CLAIM", "k", "TTL", b"\r\n\0\xff"],
        cmd!["JOBQ.PUSH", "q", "p", b"\r\nNONSENSE\0"],
        cmd!["CACHE.SET", "k", "v", "TOKEN", b"\r\n1"],
        cmd!["JOBQ.ACK", "q", b"\r\n\xff", "x"],
    ] {
        assert!(s.call(call).is_error());
    }
    s.ok("PING").is(status("PONG"));
}

#[test]
fn a_change_breaks_a_watch() {
    let s = server!();
    let watches = s.client();
    for change in [
        "RATELIMIT.CHECK u 10/1h",
        "IDEMP.CLAIM i",
        "JOBQ.PUSH q p ID a",
        "JOBQ.POP q",
        "CACHE.SET c v TTL 1h",
        "CACHE.SET c w TTL 1h GRACE 1h",
        "CACHE.GETSET c TOUCH 1h",
        "CACHE.EXPIRE c",
    ] {
        watches.ok("WATCH u i q c");
        s.ok(change);
        watches.ok("MULTI");
        watches.ok("PING");
        assert_eq!(watches.ok("EXEC"), crate::support::Reply::Nil, "{change}");
    }
}

#[test]
fn every_family_works_in_a_transaction() {
    let s = server!();
    let replies = s.transaction([
        "RATELIMIT.CHECK u 10/1m",
        "JOBQ.PUSH q p ID a",
        "JOBQ.POP q BLOCK 10s",
        "JOBQ.POP q BLOCK 10s",
        "IDEMP.CLAIM k",
        "IDEMP.CLAIM k BLOCK 10s",
        "CACHE.GETSET c",
        "CACHE.GETSET c BLOCK 10s",
    ]);
    replies[0].clone().is(list![1, 10, 9, 0, 60_000]);
    replies[1].clone().is(list!["a", "NEW"]);
    assert_eq!(replies[2].items().len(), 1);
    // Waiting is not possible inside a transaction: BLOCK acts as not given.
    replies[3].clone().is(list![]);
    replies[5].at(0).clone().is("BUSY");
    replies[7].at(0).clone().is("BUSY");
}

#[test]
fn every_family_works_in_a_script_without_waiting() {
    let s = server!();
    let call = |script: &str| s.ok(cmd!["EVAL", script, 1, "k"]);
    call("return redis.call('JOBQ.POP', KEYS[1], 'BLOCK', '10s')").is(list![]);
    call("redis.call('JOBQ.PUSH', KEYS[1], 'p', 'ID', 'a') return redis.call('JOBQ.POP', KEYS[1], 'BLOCK', '10s')[1][1]")
        .is("a");
    call("return redis.call('RATELIMIT.CHECK', 'u', '10/1m')").is(list![1, 10, 9, 0, 60_000]);
    call("redis.call('IDEMP.CLAIM', 'i') return redis.call('IDEMP.CLAIM', 'i', 'BLOCK', '10s')[3]").is(0);
    call("redis.call('CACHE.GETSET', 'c') return redis.call('CACHE.GETSET', 'c', 'BLOCK', '10s')[3]").is(0);
}

#[test]
fn options_are_read_in_any_case_and_order() {
    let s = server!();
    s.ok("jobq.push q p retries 0 Id a Delay 0s bAcKoFf fixed:1s").is(list!["a", "NEW"]);
    s.ok("JobQ.Pop q lease 1h count 5").at(0).at(0).clone().is("a");
    s.ok("idemp.claim k ttl 1h owner o lease 1s").at(0).clone().is("CLAIMED");
    s.ok("cache.set c v grace 1s ttl 1h").is(1);
}

#[test]
fn keys_of_any_bytes_are_accepted_everywhere() {
    let s = server!();
    for (family, call) in CALLS {
        let key = [family.as_bytes(), b"\0\xff\r\n"].concat();
        let parts: Vec<Vec<u8>> = call
            .split(' ')
            .map(|word| if word == "KEY" { key.clone() } else { word.as_bytes().to_vec() })
            .collect();
        if let crate::support::Reply::Error(text) = s.call(parts) {
            let known = ["FENCED", "NOJOB", "NOHOLD"];
            assert!(known.iter().any(|word| text.starts_with(word)), "{call}: {text}");
        }
    }
    s.ok(cmd!["CACHE.GET", b"missing\0\xff"]).is(nil());
    s.ok(cmd!["WORKGATE.DIGEST", b"cache\0\xff\r\n"]);
}

#[test]
fn a_very_long_key_works() {
    let s = server!();
    let key = vec![b'k'; 100_000];
    s.ok(cmd!["RATELIMIT.CHECK", &key, "10/1m"]).is(list![1, 10, 9, 0, 60_000]);
    s.ok(cmd!["RATELIMIT.PEEK", &key, "10/1m"]).at(2).clone().is(9);
}

#[test]
fn a_database_other_than_the_first_works_alike() {
    let s = server!();
    s.ok("SELECT 5");
    s.ok("JOBQ.PUSH q p ID a");
    let t = s.ok("JOBQ.POP q").at(0).at(1).int();
    s.ok(format!("JOBQ.ACK q a {t}")).is(status("OK"));
    s.ok("SELECT 0");
    s.ok("JOBQ.POP q").is(list![]);
    s.ok("EXISTS q").is(0);
}
