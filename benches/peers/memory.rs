//! What many items take: memory, the RDB file, and the pause of a fork.

use std::time::Instant;

use crate::support::resp::write;
use crate::support::server::Server;

/// How many of each.
pub const COUNT: usize = 100_000;

pub struct Item {
    pub what: &'static str,
    /// Of `used_memory` and of the RDB file, for one item.
    pub bytes: f64,
    pub rdb_bytes: f64,
    /// Milliseconds to save all, and to fork with all of them in memory.
    pub save_ms: f64,
    pub fork_ms: f64,
    pub bound: Option<Bound>,
}

/// At most this many bytes above those of another item.
pub struct Bound {
    pub of: &'static str,
    pub most_above: f64,
}

const COUNTER: &str = "counter with a TTL";
const SUBJECT: &str = "RATELIMIT subject, one bucket";

fn bound(what: &str) -> Option<Bound> {
    (what == SUBJECT).then_some(Bound { of: COUNTER, most_above: 64.0 })
}

type Fill = fn(&mut Vec<u8>, &str);

const P200: &[u8] = &[b'p'; 200];

const ALL: &[(&str, Fill)] = &[
    (COUNTER, |w, n| write(w, &[b"SET", n.as_bytes(), b"1", b"PX", b"3600000"])),
    (SUBJECT, |w, n| {
        write(w, &[b"RATELIMIT.CHECK", n.as_bytes(), b"10/1h:burst=20"]);
    }),
    ("IDEMP claim, pending", |w, n| write(w, &[b"IDEMP.CLAIM", n.as_bytes(), b"LEASE", b"1h"])),
    ("string of 200 B with a TTL", |w, n| write(w, &[b"SET", n.as_bytes(), P200, b"PX", b"3600000"])),
    ("CACHE entry of 200 B", |w, n| write(w, &[b"CACHE.SET", n.as_bytes(), P200, b"TTL", b"1h"])),
    ("list entry of 200 B", |w, _| write(w, &[b"RPUSH", b"l", P200])),
    ("stream entry of 200 B", |w, _| write(w, &[b"XADD", b"s", b"*", b"p", P200])),
    ("JOBQ job of 200 B, waiting", |w, _| write(w, &[b"JOBQ.PUSH", b"q", P200])),
];

pub fn all(server: &Server) -> Result<Vec<Item>, String> {
    ALL.iter().map(|(what, fill)| measure(server, what, *fill)).collect()
}

fn measure(server: &Server, what: &'static str, fill: Fill) -> Result<Item, String> {
    let mut control = server.connect()?;
    control.call(&[b"FLUSHALL", b"SYNC"])?;
    let empty = control.memory_alone()?;
    // The buffers of a connection that fills are not to count: it is closed before the second look.
    let mut filling = server.connect()?;
    for batch in 0..COUNT / 1_000 {
        let mut wire = Vec::new();
        (0..1_000).for_each(|item| fill(&mut wire, &format!("key:{:09}", batch * 1_000 + item)));
        filling.send(&wire)?;
        for _ in 0..1_000 {
            filling.reply()?;
        }
    }
    drop(filling);
    let bytes = (control.memory_alone()? - empty) / COUNT as f64;
    let begun = Instant::now();
    control.call(&[b"SAVE"])?;
    let save_ms = begun.elapsed().as_secs_f64() * 1_000.0;
    let rdb_bytes = server.snapshot_size()? as f64 / COUNT as f64;
    control.call(&[b"BGSAVE"])?;
    let fork_ms = control.info(b"all", "latest_fork_usec")? / 1_000.0;
    while control.info(b"all", "rdb_bgsave_in_progress")? > 0.0 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Ok(Item { what, bytes, rdb_bytes, save_ms, fork_ms, bound: bound(what) })
}
