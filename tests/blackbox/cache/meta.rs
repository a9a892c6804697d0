//! META and WITHMETA: what a caller says of a value, such as its ETag and content type.

use crate::support::{Snapshot, any, cmd, list, nil, server, status, token, within};

#[test]
fn meta_goes_with_its_value_to_readers_that_ask_for_it() {
    let s = server!();
    let fill = s.ok("CACHE.GETSET k WITHMETA").is(list!["FILL", nil(), token(), 10_000, nil()]).at(2).int();
    s.ok("CACHE.GETSET k WITHMETA").is(list!["BUSY", nil(), 0, within(1..=10_000), nil()]);
    s.ok(cmd!["CACHE.SET", "k", "v", "TOKEN", fill, "TTL", "1h", "GRACE", "1h", "META", b"etag\0\xff"]).is(1);
    s.ok("CACHE.GETSET k").is(list!["HIT", "v", 0, any()]);
    let hit = s.ok("CACHE.GETSET k WITHMETA");
    assert_eq!((hit.items().len(), hit.at(4).bytes()), (5, &b"etag\0\xff"[..]));
    s.ok("CACHE.EXPIRE k").is(1);
    let refresh = s.ok("CACHE.GETSET k WITHMETA");
    assert_eq!((refresh.at(0).text().as_str(), refresh.at(4).bytes()), ("REFRESH", &b"etag\0\xff"[..]));
    let stale = s.ok("CACHE.GETSET k WITHMETA");
    assert_eq!((stale.at(0).text().as_str(), stale.at(4).bytes()), ("STALE", &b"etag\0\xff"[..]));
    s.ok("CACHE.SET k w").is(1);
    s.ok("CACHE.GETSET k WITHMETA").is(list!["HIT", "w", 0, -1, nil()]);
    s.ok("CACHE.ABSENT k").is(1);
    s.ok("CACHE.GETSET k WITHMETA").is(list!["ABSENT", nil(), 0, any(), nil()]);
}

#[test]
fn a_reader_that_brings_the_value_may_bring_its_meta() {
    let s = server!();
    s.ok("CACHE.GETSET k VALUE v META m TAGS 1 t WITHMETA").is(list!["STORED", "v", 0, -1, "m"]);
    s.ok("CACHE.GETSET k VALUE w META n WITHMETA").is(list!["HIT", "v", 0, -1, "m"]);
    s.ok("CACHE.GETSET k VALUE w").is(list!["HIT", "v", 0, -1]);
    s.ok("CACHE.INVALIDATE TAG 1 t");
    s.ok("CACHE.GET k").is(nil());
    s.refuses("CACHE.GETSET k META m", "ERR META needs VALUE");
    s.refuses("CACHE.ABSENT k META m", "ERR unknown option 'META'");
    s.ok("SET plain text");
    s.ok("CACHE.GETSET plain WITHMETA").is(list!["HIT", "text", 0, -1, nil()]);
}

#[test]
fn a_client_that_waits_gets_the_meta_too() {
    let s = server!();
    let fill = s.ok("CACHE.GETSET k").at(2).int();
    let (with, without) = (s.waits("CACHE.GETSET k BLOCK 1m WITHMETA"), s.waits("CACHE.GETSET k BLOCK 1m"));
    s.ok(format!("CACHE.SET k v TOKEN {fill} META m")).is(1);
    with.reply().is(list!["HIT", "v", 0, -1, "m"]);
    without.reply().is(list!["HIT", "v", 0, -1]);
}

#[test]
fn meta_is_saved_replicated_and_bounded() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    s.ok("CACHE.SET a v META m");
    s.ok("CACHE.SET b v META m TAGS 1 t TTL 1h");
    s.ok(cmd!["CACHE.SET", "c", "v", "META", ""]);
    s.ok("COPY a d").is(1);
    s.in_step_with(&r);
    let want = Snapshot::of(&s);
    assert_eq!(Snapshot::of(&r), want);
    r.ok("CACHE.GET a").is("v");
    drop(r);
    s.ok("BGREWRITEAOF");
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), want);
    s.ok("CACHE.GETSET c WITHMETA").is(list!["HIT", "v", 0, -1, ""]);
    s.ok("CACHE.GETSET d WITHMETA").is(list!["HIT", "v", 0, -1, "m"]);
    s.ok("CONFIG SET workgate.cache-max-value 3").is(status("OK"));
    s.refuses("CACHE.SET a v META long", "TOOBIG META of 4 bytes");
    s.ok("CACHE.GETSET a WITHMETA").is(list!["HIT", "v", 0, -1, "m"]);
}
