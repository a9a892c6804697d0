//! Lua prints numbers with `%.14g`: no number of a reply loses digits on its way through a script.

use crate::support::{Server, cmd, eventually, server, status};

/// Runs a command in a script. The script fails where a number of the reply does not come back from
/// `tostring` or from cjson, and returns the reply's token as Lua prints it.
const SCRIPT: &str = "
local function check(value)
    if type(value) == 'table' then
        for _, item in ipairs(value) do check(item) end
    elseif type(value) == 'number' then
        assert(tostring(value) == string.format('%.0f', value), 'tostring gives ' .. tostring(value))
        local decoded = cjson.decode(cjson.encode({value}))[1]
        assert(decoded == value, 'cjson gives ' .. cjson.encode({value}))
    end
end
local place = tonumber(table.remove(ARGV))
local reply = redis.call(unpack(ARGV))
check(reply)
local row = type(reply[1]) == 'table' and reply[1] or reply
return tostring(row[place])";

/// The token at this place of the reply, counted from 1, as Lua prints it.
fn printed(s: &Server, key: &str, place: usize, command: &str) -> String {
    let mut parts = cmd!["EVAL", SCRIPT, 1, key];
    parts.extend(command.split_whitespace().map(|word| word.as_bytes().to_vec()));
    parts.extend(cmd![place]);
    String::from_utf8(s.ok(parts).bytes().to_vec()).expect("digits")
}

/// Grants tokens by each command that answers one, and uses what Lua printed.
fn grant_and_use_all(s: &Server, round: usize) {
    let name = |family: &str| format!("{family}:{round}");
    let (q, i, c) = (name("q"), name("i"), name("c"));
    s.ok(format!("JOBQ.PUSH {q} x ID one"));
    let token = printed(s, &q, 2, &format!("JOBQ.POP {q}"));
    s.ok(format!("JOBQ.EXTEND {q} one {token}")).is(1);
    s.ok(format!("JOBQ.ACK {q} one {token}")).is(status("OK"));
    let token = printed(s, &i, 3, &format!("IDEMP.CLAIM {i}"));
    s.ok(format!("IDEMP.COMPLETE {i} {token} done")).is(status("OK"));
    let token = printed(s, &c, 3, &format!("CACHE.GETSET {c}"));
    s.ok(format!("CACHE.SET {c} value TOKEN {token} TTL 1h GRACE 1h")).is(1);
    s.ok(format!("CACHE.EXPIRE {c}")).is(1);
    let token = printed(s, &c, 3, &format!("CACHE.GETSET {c}"));
    s.ok(format!("CACHE.RELEASE {c} {token}")).is(status("OK"));
    let place = name("place");
    let token = printed(s, &place, 5, &format!("RATELIMIT.ACQUIRE {place} holder MAX 1 LEASE 1h"));
    s.ok(format!("RATELIMIT.ACQUIRE {place} holder MAX 1 LEASE 1h TOKEN {token}")).at(0).clone().is(1);
    s.ok(format!("RATELIMIT.RELEASE {place} holder TOKEN {token}")).is(1);
    let breaker = name("b");
    s.ok(format!("BREAKER.RESET {breaker}"));
    s.ok(format!("BREAKER.FORCE {breaker} closed"));
    printed(s, &breaker, 3, &format!("BREAKER.ALLOW {breaker}"));
    s.ok(format!("BREAKER.RESET {breaker}"));
    s.ok(format!("BREAKER.CONFIG SET {breaker} min_calls 1 open 1ms max 1ms probe_lease 1h"));
    s.ok(format!("BREAKER.REPORT {breaker} FAIL 1"));
    eventually("the breaker is half-open", || {
        s.ok(format!("BREAKER.GET {breaker}")).field("state").text() == "half_open"
    });
    let token = printed(s, &breaker, 3, &format!("BREAKER.ALLOW {breaker}"));
    s.ok(format!("BREAKER.REPORT {breaker} OK 1 PERMIT {token}"));
    s.ok("CACHE.INVALIDATE TAG 2 red blue");
    assert!(printed(s, "events", 1, "CACHE.EVENTS 0").len() <= 14);
}

#[test]
fn no_number_of_a_reply_loses_digits_in_a_script() {
    let mut s = server!("appendonly yes");
    // Each start skips up to 2^32 tokens.
    for round in 0..4 {
        grant_and_use_all(&s, round);
        s.crash_and_restart();
    }
}
