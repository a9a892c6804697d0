//! Scripts that libraries publish, called as the libraries call them.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::contender::{Contender, Earlier};
use crate::lua_scripts::{call, load};
use crate::support::resp::{Connection, Reply};

/// The moving window of the Python package `limits`.
static MOVING_WINDOW: OnceLock<String> = OnceLock::new();

/// BullMQ's, from its Python package: those of its Node package are the same.
static ADD: OnceLock<String> = OnceLock::new();
static TAKE: OnceLock<String> = OnceLock::new();
static FINISH: OnceLock<String> = OnceLock::new();

fn text(script: &OnceLock<String>) -> &str {
    script.get().map_or("", String::as_str)
}

/// Those that `scripts/peers` has fetched.
pub fn contenders(folder: &Path) -> Vec<Contender> {
    let read = |script: &OnceLock<String>, file: &str| match fs::read_to_string(folder.join(file)) {
        Ok(text) => !script.get_or_init(|| text).is_empty(),
        Err(_) => false,
    };
    let mut all = Vec::new();
    if read(&MOVING_WINDOW, "limits-moving-window.lua") {
        all.push(limits());
    }
    if read(&ADD, "bullmq-addStandardJob.lua")
        && read(&TAKE, "bullmq-moveToActive.lua")
        && read(&FINISH, "bullmq-moveToFinished.lua")
    {
        all.push(bullmq());
    }
    all
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn now_ms() -> u64 {
    (now() * 1_000.0) as u64
}

fn limits() -> Contender {
    let setup = |server: &mut Connection| load(server, text(&MOVING_WINDOW));
    Contender::new(
        "limits (PyPI) moving window of 10, denied",
        setup,
        &[|w, _, _| {
            call(w, text(&MOVING_WINDOW), &[b"1", b"u", now().to_string().as_bytes(), b"10", b"86400", b"1"]);
        }],
    )
    .beside("CHECK window of 10, denied")
}

/// A worker that has as many jobs in hand as commands are in flight: it finishes one and gets the
/// next in one call, while another client adds one.
fn bullmq() -> Contender {
    let setup = |server: &mut Connection| {
        [&ADD, &TAKE, &FINISH].into_iter().try_for_each(|script| load(server, text(script)))
    };
    Contender::new("BullMQ: add, finish and get the next, 200 B", setup, &[add, finish_and_take])
        .part(10)
        .beside("PUSH + POP + ACK, 200 B")
}

const PREFIX: &str = "bull:q:";

fn packed(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("it is in memory")
}

/// Calls a script with keys of the queue, `more` keys, and arguments.
fn script(wire: &mut Vec<u8>, script: &str, keys: &[&str], more: &[String], arguments: &[&[u8]]) {
    let count = (keys.len() + more.len()).to_string();
    let keys: Vec<String> = keys.iter().map(|key| format!("{PREFIX}{key}")).chain(more.to_vec()).collect();
    let mut words: Vec<&[u8]> = vec![count.as_bytes()];
    words.extend(keys.iter().map(String::as_bytes));
    words.extend(arguments);
    call(wire, script, &words);
}

fn add(wire: &mut Vec<u8>, _: usize, _: Earlier) {
    let now = now_ms();
    let job = packed(&json!([PREFIX, "", "job", now, null, null, null, null, null]));
    let payload = format!("\"{}\"", "p".repeat(200));
    let options = packed(&json!({"attempts": 1}));
    let keys = ["wait", "paused", "meta", "id", "completed", "delayed", "active", "events", "marker"];
    script(wire, text(&ADD), &keys, &[], &[&job, payload.as_bytes(), &options, now.to_string().as_bytes()]);
}

const TAKEN: [&str; 10] =
    ["wait", "active", "prioritized", "events", "stalled", "limiter", "delayed", "paused", "meta", "pc"];

fn finish_and_take(wire: &mut Vec<u8>, _: usize, earlier: Earlier) {
    let now = now_ms().to_string();
    let Some(held) = earlier.last_time() else {
        let options = packed(&json!({"token": "t", "lockDuration": 30_000, "limiter": null}));
        let arguments: [&[u8]; 3] = [PREFIX.as_bytes(), now.as_bytes(), &options];
        return script(wire, text(&TAKE), &TAKEN, &[format!("{PREFIX}marker")], &arguments);
    };
    let id = job_id(held);
    let options = packed(&json!({
        "token": "t", "keepJobs": {"count": -1}, "limiter": null, "lockDuration": 30_000, "attempts": 1,
        "attemptsMade": 0, "maxMetricsSize": "", "fpof": false, "cpof": false, "idof": false, "rdof": false,
    }));
    let more = ["completed", id, "metrics:completed", "marker"].map(|key| format!("{PREFIX}{key}"));
    let arguments: [&[u8]; 8] = [
        id.as_bytes(),
        now.as_bytes(),
        b"returnvalue",
        b"null",
        b"completed",
        b"1",
        PREFIX.as_bytes(),
        &options,
    ];
    script(wire, text(&FINISH), &TAKEN, &more, &arguments);
}

/// Of the job in a reply of BullMQ's, which is its fields and its id.
fn job_id(reply: &Reply) -> &str {
    std::str::from_utf8(reply.at(1).bytes()).expect("ids are digits")
}
