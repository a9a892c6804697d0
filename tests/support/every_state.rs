//! A server with a history: every family's key in every state that lasts.

use super::client::Client;

/// Fills the selected database. All leases and times are long, so that nothing changes by itself.
#[track_caller]
pub fn write_every_state(s: &Client) {
    write_limits(s);
    write_claims(s);
    write_jobs(s);
    write_cache(s);
    invalidate(s);
    write_breakers(s);
}

fn write_limits(s: &Client) {
    for cost in [1, 5, 2] {
        s.ok(format!("RATELIMIT.CHECK limit:window 10/1h COST {cost}"));
        s.ok(format!("RATELIMIT.CHECK limit:bucket 10/1h:burst=30 COST {cost}"));
        s.ok(format!("RATELIMIT.CHECK limit:several ai=10/1h 100/1d:bucket b:c=7/2h COST ai={cost}"));
    }
    s.ok("RATELIMIT.CHECK limit:several ai=10/1h COST 9");
    for cost in [1, 3] {
        let limits = "5/1h:fixed a=70/week@Asia/Tokyo:anchor=7 b=inf/month@America/New_York";
        s.ok(format!("RATELIMIT.CHECK limit:periods {limits} COST {cost}"));
    }
    s.ok("RATELIMIT.POLICY SET ai/gold ai=100/1h 10/1s:burst=20 30/day@Europe/Berlin");
    s.ok("RATELIMIT.CHECK limit:policy @ai/gold COST 2");
    s.ok("RATELIMIT.POLICY SET gone 1/1s");
    s.ok("RATELIMIT.POLICY DEL gone");
    s.ok("RATELIMIT.CHECK limit:held a=100/1h b=50/1h:bucket c=9/1d:fixed HOLD one 2h COST a=7");
    s.ok("RATELIMIT.CHECK limit:held a=100/1h b=50/1h:bucket HOLD two 3h COST 5");
    s.ok("RATELIMIT.SETTLE limit:held one COST a=3,b=0,c=2");
    s.ok("RATELIMIT.CHECK limit:held a=100/1h b=50/1h:bucket UPTO COST 1000 HOLD three 4h");
    s.ok("RATELIMIT.REFUND limit:held a=100/1h c=9/1d:fixed COST a=1,c=1");
    for _ in 0..2 {
        s.ok("RATELIMIT.CHECK limit:locked login=1/1h x=5/1d LOCKOUT 2h FACTOR 2 MAX 1d");
    }
    s.ok("RATELIMIT.LOCK limit:closed 1h");
    for (holder, lease) in [("a", "1h"), ("b", "2h"), ("c", "3h")] {
        s.ok(format!("RATELIMIT.ACQUIRE limit:places {holder} MAX 3 LEASE {lease}"));
    }
    s.ok("RATELIMIT.RELEASE limit:places b");
    s.ok("RATELIMIT.CHECK limit:reset a=1/1h b=1/1h");
    s.ok("RATELIMIT.RESET limit:reset a");
    s.ok("CL.THROTTLE limit:throttle 15 30 3600 5");
    // Far more entries than a window keeps one by one.
    s.pipeline(vec!["RATELIMIT.CHECK limit:large 100000/7d COST 3"; 3_000]);
}

fn write_claims(s: &Client) {
    s.ok("IDEMP.CLAIM claim:held LEASE 1h TTL 2h OWNER me FINGERPRINT f");
    let t = s.ok("IDEMP.CLAIM claim:released LEASE 1h OWNER me PAYLOAD p").at(2).int();
    s.ok(format!("IDEMP.RELEASE claim:released {t}"));
    let t = s.ok("IDEMP.CLAIM claim:done LEASE 1h PAYLOAD p").at(2).int();
    s.ok(super::cmd!["IDEMP.COMPLETE", "claim:done", t, b"result\0\xff", "TTL", "3h"]);
    let t = s.ok("IDEMP.CLAIM claim:again LEASE 1h").at(2).int();
    s.ok(format!("IDEMP.RELEASE claim:again {t}"));
    s.ok("IDEMP.CLAIM claim:again LEASE 1h");
    // A checkpoint that a take-over handed on, and one that waits for the next attempt.
    let t = s.ok("IDEMP.CLAIM claim:half LEASE 1h").at(2).int();
    s.ok(super::cmd!["IDEMP.EXTEND", "claim:half", t, "LEASE", "2h", "CHECKPOINT", b"page 7\0\xff"]);
    s.ok(format!("IDEMP.RELEASE claim:half {t}"));
    let t = s.ok("IDEMP.CLAIM claim:half LEASE 1h").at(2).int();
    s.ok(format!("IDEMP.EXTEND claim:half {t} LEASE 3h"));
    s.ok(super::cmd!["IDEMP.SEEN", "seen:few", "1h", "a", b"b\0\xff"]);
    s.ok("IDEMP.SEEN seen:few 30d c a");
    // Larger than one block of the encoding.
    s.pipeline((0..5).map(|call| {
        let ids: Vec<String> = (0..1_000).map(|id| format!("{call}-{id}")).collect();
        format!("IDEMP.SEEN seen:many 1h {}", ids.join(" "))
    }));
    let t = s.ok("IDEMP.CLAIM claim:returned LEASE 1h").at(2).int();
    s.ok(format!("IDEMP.EXTEND claim:returned {t} CHECKPOINT here"));
    s.ok(format!("IDEMP.RELEASE claim:returned {t} DELAY 1h"));
}

fn write_jobs(s: &Client) {
    let pop = |queue: &str| s.ok(format!("JOBQ.POP {queue} LEASE 1h")).at(0).at(1).int();
    for (id, retries) in [("done", 3), ("dead", 0), ("retried", 3), ("returned", 3)] {
        s.ok(format!("JOBQ.PUSH jobs payload ID {id} RETRIES {retries} BACKOFF exp:1h:max=2h"));
        let t = pop("jobs");
        match id {
            "done" => s.ok(format!("JOBQ.ACK jobs {id} {t}")),
            "returned" => s.ok(format!("JOBQ.RELEASE jobs {id} {t}")),
            _ => s.ok(format!("JOBQ.FAIL jobs {id} {t}")),
        };
    }
    let t = pop("jobs");
    s.ok(format!("JOBQ.ACK jobs returned {t}"));
    s.ok("JOBQ.CONFIG SET jobs group_concurrency 2 rate 1000/1d:bucket aging 1m keep_dead 30d/10");
    for (id, group) in [("g1", "a"), ("g2", "a"), ("g3", "b"), ("g4", "c")] {
        s.ok(format!("JOBQ.PUSH grouped payload ID {id} GROUP {group} PRIORITY 3 RETRIES 1"));
    }
    s.ok("JOBQ.CONFIG SET grouped rate 1000/1d concurrency 50");
    let t = pop("grouped");
    s.ok(format!("JOBQ.FAIL grouped g1 {t} DELAY 1h"));
    pop("grouped");
    s.ok("JOBQ.PAUSE grouped FOR 2h PUSHES");
    s.ok("JOBQ.PUSH jobs payload ID active");
    let t = pop("jobs");
    s.ok(format!("JOBQ.EXTEND jobs active {t} LEASE 2h"));
    s.ok("JOBQ.PUSH jobs payload ID delayed DELAY 1h BACKOFF list:1s,1m");
    s.ok(super::cmd!["JOBQ.PUSH", "jobs", b"\0\xff", "ID", b"\0\xfe"]);
    s.ok("JOBQ.PUSH jobs payload");
    s.ok("JOBQ.MPUSH jobs:batch 4 a b c d IDS 4 a b c d RETRIES 0");
    let popped = s.ok("JOBQ.POP jobs:batch COUNT 3 LEASE 1h");
    let token = |at: usize| popped.at(at).at(1).int();
    s.ok(format!("JOBQ.MEXTEND jobs:batch 2 a {} b {} LEASE 2h", token(0), token(1)));
    s.ok(format!("JOBQ.FAIL jobs:batch c {}", token(2)));
    s.ok("JOBQ.REDRIVE jobs:batch");
    s.ok("JOBQ.CANCEL jobs:batch a d");
    s.ok(format!("JOBQ.MACK jobs:batch 1 b {}", token(1)));
    s.ok("JOBQ.MPUSH jobs:ranked 3 a b c IDS 3 a b c PRIORITY 7");
    s.ok("JOBQ.PUSH jobs:ranked d ID d PRIORITY -2147483648 DELAY 1h");
    s.ok("JOBQ.MPUSH jobs:ranked 2 e f IDS 2 e f LIFO");
    s.ok("JOBQ.POP jobs:ranked COUNT 2 LEASE 1h");
    s.ok("JOBQ.MPUSH jobs:purged 2 a b");
    s.ok("JOBQ.PURGE jobs:purged ready LIMIT 1");
    for (name, pattern, options) in [
        ("nightly", "0 2 29 2 *", "TZ Europe/Berlin CATCHUP one"),
        ("weekly", "0 0 1 1 *", "OVERLAP CATCHUP all NAME n META m PRIORITY 3 LEASE 1h BACKOFF fixed:1h"),
        ("every", "@every 90s", "START 8000000000000 END 8000000900000 RUNS 9"),
        ("deleted", "@yearly", "LIFO"),
    ] {
        let mut set = super::cmd!["JOBQ.CRON", "SET", "jobs:planned", name, pattern, b"\0\xff"];
        set.extend(options.split(' ').map(|word| word.as_bytes().to_vec()));
        s.ok(set);
    }
    s.ok("JOBQ.CRON RUN jobs:planned nightly");
    s.ok("JOBQ.CRON DEL jobs:planned deleted");
    s.ok("JOBQ.CONFIG SET jobs:groups group_rate 2/1h");
    s.ok("JOBQ.MPUSH jobs:groups 3 a b c GROUP used-up");
    s.ok("JOBQ.POP jobs:groups COUNT 1 LEASE 1h");
    s.ok("JOBQ.GROUP SET jobs:groups wide CONCURRENCY 9");
    s.ok("JOBQ.PAUSE jobs:groups GROUP paused FOR 2h PUSHES");
    s.ok("JOBQ.PAUSE jobs:groups GROUP closed");
    // A batch of which one job waits for its next run, one is active and one has ended.
    s.ok("JOBQ.MPUSH jobs:batched 4 a b c d IDS 4 a b c d GROUP g");
    let batch = s.ok("JOBQ.POP jobs:batched COUNT 3 GROUPED LEASE 1h");
    s.ok(format!("JOBQ.FAIL jobs:batched a {} DELAY 1h", batch.at(0).at(1).int()));
    s.ok(format!("JOBQ.ACK jobs:batched c {}", batch.at(2).at(1).int()));
    // Costs of shared limits, and what POPs have charged for a job that is active and one that was
    // given back.
    s.ok("JOBQ.MPUSH jobs:costly 4 a b c d IDS 4 a b c d COST 7");
    s.ok("JOBQ.PUSH jobs:costly e ID e COST 0 DELAY 1h");
    let rate = "RATE limit:shared 3 w=40/1h b=90/1d:burst=90 m=50/month@Europe/Berlin";
    let costly = s.ok(format!("JOBQ.POP jobs:costly {rate} COUNT 3 LEASE 1h"));
    s.ok(format!("JOBQ.RELEASE jobs:costly b {}", costly.at(1).at(1).int()));
    s.ok(format!("JOBQ.ACK jobs:costly c {} RATE limit:shared COST 2", costly.at(2).at(1).int()));
    s.ok("JOBQ.CRON SET jobs:costly yearly @yearly p COST 3");
    // Larger than one block of the encoding, with slots that were used and freed.
    let large = "x".repeat(300);
    s.pipeline((0..1_000).map(|_| format!("JOBQ.PUSH jobs:large {large}")));
    let some = s.ok("JOBQ.POP jobs:large COUNT 100 LEASE 1h");
    let acks = some.items().iter().take(50);
    s.pipeline(acks.map(|job| format!("JOBQ.ACK jobs:large {} {}", job.at(0).text(), job.at(1).int())));
    s.pipeline((0..20).map(|i| format!("JOBQ.PUSH jobs:large p{i} ID named{i} DELAY 1h")));
}

fn write_cache(s: &Client) {
    s.ok(
        "CACHE.POLICY SET cache:ruled: TTL 2h GRACE 1h JITTER 50 ABSENTTL 3h LEASE 1h EARLY 1.5 COMPRESS 100",
    );
    s.ok("CACHE.POLICY SET cache:ruled:none");
    s.ok("CACHE.POLICY SET cache:large COMPRESS 0");
    s.ok(super::cmd!["CACHE.SET", "cache:ruled:packed", vec![b'v'; 5_000]]);
    s.ok("CACHE.ABSENT cache:ruled:absent");
    s.ok("CACHE.GETSET cache:ruled:lease");
    s.ok("CACHE.GETSET cache:brought VALUE v TTL 1h GRACE 1h");
    s.ok("CACHE.SET cache:plain v");
    s.ok("CACHE.SET cache:ttl v TTL 1h GRACE 2h");
    s.ok("CACHE.GETSET cache:lease LEASE 1h");
    let t = s.ok("CACHE.GETSET cache:filled LEASE 1h").at(2).int();
    s.ok(super::cmd!["CACHE.SET", "cache:filled", b"\0\xff", "TOKEN", t, "TTL", "1h"]);
    // Stale, and one recomputes it.
    s.ok("CACHE.SET cache:stale v TTL 1ms GRACE 2h");
    s.goes_on(3);
    s.ok("CACHE.GETSET cache:stale LEASE 1h");
    s.ok("CACHE.ABSENT cache:absent TTL 1h");
    let t = s.ok("CACHE.GETSET cache:released LEASE 1h").at(2).int();
    s.ok(format!("CACHE.RELEASE cache:released {t} DELAY 1h"));
    for key in ["expired", "touched", "gone"] {
        s.ok(format!("CACHE.SET cache:{key} v TTL 1h GRACE {}", if key == "gone" { "0s" } else { "2h" }));
    }
    s.ok("SET cache:string v EX 1000");
    s.ok("SET cache:deleted v");
    s.ok("CACHE.EXPIRE cache:expired cache:gone cache:deleted cache:missing").is(3);
    s.ok("CACHE.GETSET cache:touched TOUCH 3h");
    s.ok("CACHE.GETSET cache:string TOUCH 3h");
    s.ok(super::cmd!["CACHE.SET", "cache:large", vec![b'v'; 200_000], "TTL", "1h"]);
}

fn invalidate(s: &Client) {
    for key in ["tagged", "gone", "gone:grace"] {
        s.ok(format!("CACHE.SET cache:{key} v TTL 3h GRACE 2h TAGS 2 all {key}"));
    }
    s.ok("CACHE.GETSET prefix:lease LEASE 1h");
    s.ok("CACHE.SET prefix:endless v");
    s.ok("CACHE.INVALIDATE TAG 3 gone gone:grace nobody");
    s.ok("CACHE.INVALIDATE PREFIX 2 prefix: cache:none");
    // One that somebody has met since.
    s.ok("CACHE.GETSET cache:gone:grace LEASE 1h");
}

fn write_breakers(s: &Client) {
    s.ok("BREAKER.CONFIG SET breaker:closed window 1d min_calls 5 factor 2 max 10m");
    s.ok("BREAKER.REPORT breaker:closed OK 7 FAIL 3 SLOW 2");
    s.ok("BREAKER.CONFIG SET breaker:open window 1d open 1h");
    s.ok("BREAKER.REPORT breaker:open OK 5 FAIL 5");
    s.ok("BREAKER.CONFIG SET breaker:probed probes 3 probe_lease 1h open 1ms");
    s.ok("BREAKER.REPORT breaker:probed FAIL 10");
    s.goes_on(2);
    let permit = s.ok("BREAKER.ALLOW breaker:probed").at(2).int();
    s.ok("BREAKER.ALLOW breaker:probed");
    s.ok(format!("BREAKER.REPORT breaker:probed OK 1 SLOW 1 PERMIT {permit}"));
    s.ok("BREAKER.CONFIG SET breaker:again open 1ms");
    s.ok("BREAKER.REPORT breaker:again FAIL 10");
    s.goes_on(2);
    let permit = s.ok("BREAKER.ALLOW breaker:again").at(2).int();
    s.ok(format!("BREAKER.REPORT breaker:again OK 1 PERMIT {permit}"));
    s.ok("BREAKER.FORCE breaker:forced open FOR 1h");
    s.ok("BREAKER.FORCE breaker:disabled disabled");
}
