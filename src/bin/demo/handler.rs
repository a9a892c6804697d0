//! What the worker runs for every job: looks the customer up through the cache, and fails as the
//! job's outcome has it.

use std::env;
use std::io::Read;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use redis::{Client, Connection, Value, cmd};

use crate::accounting::handler_log::{self, RunEntry};
use crate::accounting::planned_outcome::PlannedOutcome;
use crate::cli::HandlerArgs;
use crate::feed::delivery::Delivery;
use crate::feed::feed_counts::fingerprint;

/// How long the source of customers takes.
const LOAD: Duration = Duration::from_millis(50);

/// A fault of the handler itself, which no outcome has: it shows as a failed equation.
const BROKEN: u8 = 70;

pub fn main(args: &HandlerArgs) -> ExitCode {
    match run(args) {
        Ok(exit) => ExitCode::from(exit),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(BROKEN)
        }
    }
}

fn run(args: &HandlerArgs) -> Result<u8, String> {
    let id = variable("WORKGATE_ID")?;
    let attempt = variable("WORKGATE_ATTEMPT")?.parse().map_err(|_| "WORKGATE_ATTEMPT is not a number")?;
    let mut payload = Vec::new();
    std::io::stdin().read_to_end(&mut payload).map_err(|error| format!("payload: {error}"))?;
    let sender = Delivery::sender_of(&payload).ok_or("the payload names no sender")?;

    let client = Client::open(variable("WORKGATE_REDIS")?).map_err(|error| error.to_string())?;
    let mut connection = client.get_connection().map_err(|error| error.to_string())?;
    let customer = customer(&mut connection, sender, args)?;

    let exit = PlannedOutcome::of(id.as_bytes()).exit(attempt);
    let entry = RunEntry { fingerprint: fingerprint(id.as_bytes(), &payload), id, attempt, customer, exit };
    let line = serde_json::to_string(&entry).map_err(|error| error.to_string())?;
    handler_log::append(&args.runs, &line).map_err(|error| format!("{}: {error}", args.runs.display()))?;
    match exit {
        0 => println!("handled for {}", entry.customer),
        _ => eprintln!("the receiving system said no"),
    }
    Ok(exit)
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}; this is run by `workgate work --exec`"))
}

/// The customer behind a sender, out of the cache: of all handlers that miss it, one loads it and
/// the others wait for that one.
fn customer(connection: &mut Connection, sender: &str, args: &HandlerArgs) -> Result<String, String> {
    let key = format!("customer:{sender}");
    loop {
        // Longer than the demo lasts, as the summary says of the TTL and the lease.
        let reply = cmd("CACHE.GETSET")
            .arg(&key)
            .arg("LEASE")
            .arg("10m")
            .arg("BLOCK")
            .arg("10s")
            .query(connection)
            .map_err(|error| format!("CACHE.GETSET: {error}"))?;
        let (state, value, token): (String, Option<String>, i64) = first_three(&reply)?;
        match (state.as_str(), value) {
            ("HIT" | "STALE", Some(customer)) => return Ok(customer),
            ("FILL" | "REFRESH", _) => {
                let customer = load(sender, args)?;
                let stored: i64 = cmd("CACHE.SET")
                    .arg(&key)
                    .arg(&customer)
                    .arg("TOKEN")
                    .arg(token)
                    .arg("TTL")
                    .arg("1h")
                    .query(connection)
                    .map_err(|error| format!("CACHE.SET: {error}"))?;
                if stored == 1 {
                    return Ok(customer);
                }
            }
            // The one that loads it took longer than our wait.
            ("BUSY", _) => {}
            _ => return Err(format!("CACHE.GETSET answered {reply:?}")),
        }
    }
}

/// Replies may grow at the end.
fn first_three(reply: &Value) -> Result<(String, Option<String>, i64), String> {
    let fault = || format!("CACHE.GETSET answered {reply:?}");
    let Value::Array(fields) = reply else { return Err(fault()) };
    let head = fields.get(..3).ok_or_else(fault)?.to_vec();
    redis::from_redis_value(Value::Array(head)).map_err(|_| fault())
}

/// The slow source. Each load leaves a line.
fn load(sender: &str, args: &HandlerArgs) -> Result<String, String> {
    thread::sleep(LOAD);
    handler_log::append(&args.loads, sender).map_err(|error| format!("{}: {error}", args.loads.display()))?;
    Ok(format!("customer of {sender}"))
}
