//! A crafted RESTORE cannot spend the tokens that all families share.

use crate::support::{
    Dump, Server, Start, cmd, figure, frame, list, numbers, server, server_on_commands, status, text,
    try_on_commands,
};

/// A queue's payload with its clock in the year 2108, at the same length.
fn from_2108(payload: &[u8]) -> Vec<u8> {
    let mut dump = Dump::of(payload);
    let start = dump.own_bytes().start;
    // A string, its length, the head block's tag, then the clock in groups of seven bits, lowest
    // first.
    assert_eq!((dump.body[start], dump.body[start + 2]), (5, 1), "the layout of a queue's dump");
    let highest = start + 3 + 5;
    assert!(dump.body[highest] < 0x7f && dump.body[highest - 1] >= 0x80, "six groups");
    dump.body[highest] = 0x7f;
    dump.sealed()
}

#[test]
fn a_queue_from_the_far_future_is_refused_and_tokens_go_on() {
    let s = server!();
    s.ok("JOBQ.PUSH q p");
    let payload = from_2108(s.ok("DUMP q").bytes());
    assert!(s.call(cmd!["RESTORE", "evil", 0, payload]).is_error());
    s.ok("EXISTS evil").is(0);
    s.ok("JOBQ.POP evil").is(list![]);
    let token = s.ok("IDEMP.CLAIM k").at(2).int();
    assert!(token < 1 << 52);
    s.ok(format!("IDEMP.COMPLETE k {token} r")).is(status("OK"));
}

/// An IDEMP effect of today: a claim (kind 1, with the bit that says its token is short).
fn claim_effect(token: u64, since: u64) -> Vec<u8> {
    // Token, since, lease, ttl, attempt; neither owner nor fingerprint.
    [vec![1 | 64], numbers([token, since, 1_000, 1_000, 1]), vec![0, 0]].concat()
}

fn loading_what_is_sound(commands: &[Vec<u8>]) -> Server {
    server_on_commands(&["workgate.skip-damaged-commands yes"], &commands.concat())
}

#[test]
fn at_15_digits_grants_are_refused_and_what_is_held_can_be_settled() {
    const LAST: u64 = 99_999_999_999_999;
    const MOST_AHEAD: u64 = 1 << 40;
    let now = 1_000_000_000_000;
    let tokens = (now..LAST).step_by(MOST_AHEAD as usize / 2).chain([LAST]);
    let claims: Vec<Vec<u8>> =
        tokens.map(|token| frame(&[b"idemp._apply", b"spent", &claim_effect(token, 0)])).collect();
    let s = loading_what_is_sound(&claims);
    s.ok("JOBQ.PUSH q p ID one");
    s.ok("RATELIMIT.CHECK limit 10/1m").at(0).clone().is(1);
    for command in [
        "JOBQ.POP q",
        "JOBQ.POP q BLOCK 1h",
        "JOBQ.POP q ALSO 1 r",
        "IDEMP.CLAIM i",
        "IDEMP.CLAIM i BLOCK 1h",
        "CACHE.GETSET c",
        "CACHE.GETSET c BLOCK 1h",
        "CACHE.GETSET c VALUE v",
        "CACHE.SET c v",
        "CACHE.ABSENT c",
        "CACHE.INVALIDATE TAG 1 t",
        "RATELIMIT.ACQUIRE places h MAX 1",
        "RATELIMIT.ACQUIRE places h MAX 1 BLOCK 1h",
        "BREAKER.FORCE b closed",
    ] {
        s.refuses(command, "ERR the token clock");
    }
    s.ok("EXISTS i c places b").is(0);
    s.ok("JOBQ.GET q one").field("state").clone().is(text("ready"));
    s.ok("JOBQ.CANCEL q one").is(list![1]);
    s.lives();
}

#[test]
fn a_damaged_effect_does_not_spend_the_tokens_nor_holds_its_key_for_ever() {
    let now = 1_795_000_000_000;
    let token = 2_000_000_000_000;
    let claim =
        |key: &str, token, since| frame(&[b"idemp._apply", key.as_bytes(), &claim_effect(token, since)]);
    let s = loading_what_is_sound(&[
        claim("first", 99_999_999_999_999, now),
        claim("sound", token, now),
        claim("spends", token + (1 << 43), now),
        claim("spends", (1 << 53) - 1, now),
        claim("holds", token, 1 << 52),
    ]);
    s.ok("EXISTS first spends holds").is(0);
    let last = s.ok("IDEMP.CLAIM k").at(2).int() as u64;
    // A start skips up to 2^32.
    assert!((token..token + (1 << 34)).contains(&last), "{last}");
    s.ok("BGREWRITEAOF");
    s.lives();
}

/// The token clock as a file holds it: the last token, the last tick and its token, no long ones,
/// the rules of POP.
fn clock(last: u64, tick: u64, token: u64) -> Vec<u8> {
    numbers([last, tick, token, 0, 1])
}

/// An RDB file whose token clock is this one.
fn with_clock(file: &[u8], last: u64, content: &[u8]) -> Vec<u8> {
    let begins = numbers([last]);
    // A string of the module, its length, its content.
    let is_clock = |at: &usize| file[*at] == 5 && file[at + 2..].starts_with(&begins) && file[at + 1] < 64;
    let at = (0..file.len() - begins.len() - 2).find(is_clock).expect("the clock");
    let end = at + 2 + usize::from(file[at + 1]);
    [&file[..=at], &[content.len() as u8], content, &file[end..]].concat()
}

#[test]
fn a_damaged_token_clock_is_refused_at_every_door() {
    const SPENT: u64 = 99_999_999_999_998;
    let (now, token) = (1_795_000_000_000, 2_000_000_000_000);
    let s = server!("rdbchecksum no");
    let last = s.ok("IDEMP.CLAIM k").at(2).int() as u64;
    s.ok("SAVE");
    let file = std::fs::read(s.directory().join("dump.rdb")).expect("the file");
    let sound = clock(last, now, last);
    let damaged = [clock(SPENT, now, last), clock(last, now, SPENT), clock(last, 1 << 52, last)];
    let start =
        |content: &[u8]| Server::try_on_files(&[], &[("dump.rdb", &with_clock(&file, last, content))]);
    assert!(matches!(start(&sound), Start::Runs(_)), "a sound one is taken");
    // Of a mark, everything that is stored later would be older.
    let mark =
        |token| [vec![0], numbers([1]), numbers([1]), vec![b't'], numbers([token, now]), vec![0; 7]].concat();
    let state = |name: &[u8], content: &[u8]| frame(&[b"workgate._apply", name, b"STATE", b"3", content]);
    let mut refused = 0;
    for content in &damaged {
        let Start::Refused { log, .. } = start(content) else { panic!("an RDB file of {content:?}") };
        assert!(log.contains("does not start"), "{log}");
        refused += 1;
    }
    let files = damaged
        .iter()
        .map(|content| state(b"clock", content))
        .chain([state(b"cache.invalidate", &mark(SPENT))]);
    for commands in files {
        let Start::Refused { log, .. } = try_on_commands(&[], &commands) else { panic!("{commands:?}") };
        assert!(log.contains("does not start"), "{log}");
        refused += 1;
        let s = server_on_commands(&["workgate.skip-damaged-commands yes"], &commands);
        let next = s.ok("IDEMP.CLAIM k").at(2).int() as u64;
        assert!(next < SPENT / 2);
    }
    let s = server_on_commands(
        &[],
        &[state(b"clock", &clock(token, now, token)), state(b"cache.invalidate", &mark(token))].concat(),
    );
    assert!(s.ok("IDEMP.CLAIM k").at(2).int() as u64 > token);
    figure(format!("{refused} files with a token or a time from far ahead refused, sound ones loaded"));
}
