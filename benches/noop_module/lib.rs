//! A module that does nothing: what a command costs at the least that replies as ours do and asks
//! the server for what ours must ask it for. `make bench` loads it beside ours.
//!
//! `NOOP.FIVE key` answers five integers and does nothing else. The others open their key, make it
//! if it is missing, let it expire (where ours does), replicate and signal, and reply with as much
//! as ours does; they decide nothing, keep nothing and look nothing up. What is above them is ours.

mod server;

use std::ffi::{CStr, c_int};

use redis_module::raw;
use server::Call;

/// What a waiting job of the benchmark holds.
const P200: &[u8] = &[b'p'; 200];
const V100: &[u8] = &[b'v'; 100];

/// How many jobs a batch has.
const MANY: usize = 100;

fn five(call: Call) {
    call.array(5);
    [1, 1_000_000_000, 999_999_999, 0, 1].into_iter().for_each(|number| call.integer(number));
}

/// `NOOP.CHECK key`: an allowed RATELIMIT.CHECK. `NOOP.CLAIM key`: one of a key that is not there
/// yet.
fn check(call: Call) {
    call.write(true);
    five(call);
}

fn brief(call: Call) {
    call.write(true);
    call.integer(0);
}

fn denied(call: Call) {
    call.read();
    five(call);
}

fn claim(call: Call) {
    call.write(true);
    call.array(6);
    call.bulk(b"CLAIMED");
    call.null();
    [1_795_270_000_000_000, 60_000, 1].into_iter().for_each(|number| call.integer(number));
    call.null();
}

fn hit(call: Call) {
    call.read();
    call.array(4);
    call.bulk(b"HIT");
    call.bulk(V100);
    [0, 3_600_000].into_iter().for_each(|number| call.integer(number));
}

fn pushed(call: Call) {
    call.array(2);
    call.bulk(b"#1a2b-mi8x2k0a");
    call.bulk(b"NEW");
}

fn popped(call: Call) {
    call.array(9);
    call.bulk(b"#1a2b-mi8x2k0a");
    call.integer(1_795_270_000_000_000);
    call.bulk(P200);
    [1, 1_795_270_000_000].into_iter().for_each(|number| call.integer(number));
    call.bulk(b"q");
    (0..3).for_each(|_| call.null());
}

fn push(call: Call) {
    call.write(false);
    pushed(call);
}

/// A pop chooses jobs, so that it is replicated as an effect: here of 26 bytes a job.
fn pop(call: Call) {
    call.write_as(&[b'e'; 26]);
    call.array(1);
    popped(call);
}

fn ack(call: Call) {
    call.write(false);
    call.ok();
}

fn push_many(call: Call) {
    call.write(false);
    call.array(MANY);
    (0..MANY).for_each(|_| pushed(call));
}

fn pop_many(call: Call) {
    call.write_as(&[b'e'; 5 * MANY]);
    call.array(MANY);
    (0..MANY).for_each(|_| popped(call));
}

fn ack_many(call: Call) {
    call.write(false);
    call.array(MANY);
    (0..MANY).for_each(|_| call.integer(1));
}

type Body = fn(Call);

/// Runs one of the commands.
macro_rules! command {
    ($body:ident) => {{
        unsafe extern "C" fn run(
            ctx: *mut raw::RedisModuleCtx,
            argv: *mut *mut raw::RedisModuleString,
            argc: c_int,
        ) -> c_int {
            let body: Body = $body;
            // SAFETY: the server gives a context and words that are alive for this call; all
            // commands have a key.
            body(unsafe { Call::new(ctx, argv, argc) });
            raw::REDISMODULE_OK as c_int
        }
        run
    }};
}

fn commands() -> [(&'static CStr, &'static CStr, server::Function); 13] {
    let (read, write) = (c"readonly fast", c"write fast");
    [
        (c"noop.five", read, command!(five)),
        (c"noop.check", write, command!(check)),
        (c"noop.brief", write, command!(brief)),
        (c"noop.denied", write, command!(denied)),
        (c"noop.claim", write, command!(claim)),
        (c"noop.hit", write, command!(hit)),
        (c"noop.push", write, command!(push)),
        (c"noop.pop", write, command!(pop)),
        (c"noop.ack", write, command!(ack)),
        (c"noop.mpush", write, command!(push_many)),
        (c"noop.mpop", write, command!(pop_many)),
        (c"noop.mack", write, command!(ack_many)),
        // What the effect of a pop travels as.
        (c"noop._apply", write, command!(ack)),
    ]
}

/// Called by the server when it loads the module.
///
/// # Safety
/// The context is the one that the server gives to a module it loads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn RedisModule_OnLoad(
    ctx: *mut raw::RedisModuleCtx,
    _argv: *mut *mut raw::RedisModuleString,
    _argc: c_int,
) -> c_int {
    // SAFETY: the context is the server's, as the caller promises.
    unsafe { server::load(ctx, &commands()) }
}
