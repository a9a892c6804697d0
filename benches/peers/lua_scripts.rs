//! What would be written in Lua instead, by hand and as well as we can.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use crate::contender::{Contender, nothing};
use crate::our_commands::fresh;
use crate::support::resp::{Connection, write};

/// A token bucket by the generic cell rate algorithm: `burst` at once, one per `interval`
/// microseconds.
const GCRA: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local new = tat + interval * cost
local wait = new - interval * burst - now
if wait > 0 then
  return {0, burst, math.floor((interval * burst - (tat - now)) / interval), math.ceil(wait / 1000), math.ceil((tat - now) / 1000)}
end
redis.call('SET', KEYS[1], string.format('%.0f', new), 'PX', math.ceil((new - now) / 1000) + 1)
return {cost, burst, math.floor((interval * burst - (new - now)) / interval), 0, math.ceil((new - now) / 1000)}
";

/// A sliding log in a sorted set.
const LOG: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local period, count = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - period)
local used = redis.call('ZCARD', KEYS[1])
if used >= count then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return {0, count, 0, oldest[2] + period - now, period}
end
redis.call('ZADD', KEYS[1], now, now .. ':' .. time[2] .. ':' .. used)
redis.call('PEXPIRE', KEYS[1], period)
return {1, count, count - used - 1, 0, period}
";

/// A claim with a fencing token.
const CLAIM: &str = "
local state = redis.call('HMGET', KEYS[1], 'state', 'token', 'value')
if state[1] then return {state[1], state[2], state[3]} end
local token = redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], 'state', 'PENDING', 'token', token)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {'NEW', token}
";

/// A read that hands the load of a missing value to one reader.
const GET_OR_LOCK: &str = "
local value = redis.call('GET', KEYS[1])
if value then return {'HIT', value} end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {'FILL'} end
return {'WAIT'}
";

const ALL: &[&str] = &[GCRA, LOG, CLAIM, GET_OR_LOCK];

/// The names by which the server knows the scripts.
static NAMES: LazyLock<Mutex<HashMap<String, Vec<u8>>>> = LazyLock::new(Mutex::default);

/// Makes a script known to the server.
pub fn load(server: &mut Connection, script: &str) -> Result<(), String> {
    let name = server.call(&[b"SCRIPT", b"LOAD", script.as_bytes()])?.bytes().to_vec();
    NAMES.lock().expect("no one panicked").insert(script.to_owned(), name);
    Ok(())
}

fn all(server: &mut Connection) -> Result<(), String> {
    ALL.iter().try_for_each(|script| load(server, script))
}

fn all_and_a_value(server: &mut Connection) -> Result<(), String> {
    all(server)?;
    server.call(&[b"SET", b"k", &[b'v'; 100]]).map(drop)
}

pub fn call(wire: &mut Vec<u8>, script: &str, words: &[&[u8]]) {
    let names = NAMES.lock().expect("no one panicked");
    let mut command: Vec<&[u8]> = vec![b"EVALSHA", &names[script]];
    command.extend(words);
    write(wire, &command);
}

pub fn contenders() -> Vec<Contender> {
    vec![
        Contender::new(
            "a module command that does nothing, five integers",
            nothing,
            &[|w, _, _| write(w, &[b"NOOP.FIVE", b"u", b"1000000000/1s:bucket"])],
        )
        .beside("INCR"),
        Contender::new(
            "Lua GCRA, allowed",
            all,
            &[|w, _, _| call(w, GCRA, &[b"1", b"u", b"0.001", b"1000000000", b"1"])],
        )
        .beside("CHECK bucket, allowed"),
        Contender::new(
            "Lua sliding log of 10, denied",
            all,
            &[|w, _, _| call(w, LOG, &[b"1", b"u", b"86400000", b"10"])],
        )
        .beside("CHECK window of 10, denied"),
        Contender::new(
            "Lua claim, fresh",
            all,
            &[|w, n, _| call(w, CLAIM, &[b"2", &fresh("c", n), b"serial", b"60000"])],
        )
        .beside("CLAIM, fresh"),
        Contender::new(
            "Lua get-or-lock, hit",
            all_and_a_value,
            &[|w, _, _| call(w, GET_OR_LOCK, &[b"2", b"k", b"k:lock", b"me", b"10000"])],
        )
        .beside("GETSET hit, 100 B"),
        Contender::new(
            "Lua get-or-lock, miss",
            all,
            &[|w, n, _| {
                call(w, GET_OR_LOCK, &[b"2", &fresh("c", n), &fresh("l", n), b"me", b"60000"]);
            }],
        )
        .beside("GETSET miss, one fills"),
    ]
}
