//! Commands that only tests call; not in a release build.

use std::sync::atomic::Ordering;

use crate::commands::jobq::queue_registry;
use crate::domain::refusal::{Refusal, shown};
use crate::module_api::blocking;
use crate::module_api::command::Call;
use crate::module_api::context::{CLOCK_AHEAD_MS, IMPORTS};
use crate::module_api::panic_guard::{PANIC_AT, TestPoint};
use crate::runtime::blocking::ATTEMPTS;
use crate::runtime::handler::Handler;

/// `WORKGATE.TEST PANIC`: panics, to prove that the guard holds; `HALFWAY` does so within a reply.
/// `ATTEMPTS`: how often the module tried to serve a waiter. `CLOCK ms`: the module's clock is so
/// far ahead of the server's, or (negative) behind it. `IMPORT on`: the commands of clients are
/// taken for those of a primary that hands over a slot.
pub struct Test;

impl Handler for Test {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        match call.args.get(1) {
            Some(b"PANIC") => {
                let at = match call.args.get(2) {
                    Some(b"APPLY") => TestPoint::Apply,
                    Some(b"REWRITE") => TestPoint::Rewrite,
                    _ => panic!("asked to"),
                };
                PANIC_AT.store(at as u8, Ordering::Relaxed);
                call.reply.ok();
                Ok(())
            }
            Some(b"HALFWAY") => {
                call.reply.array(2);
                panic!("asked to")
            }
            Some(b"ATTEMPTS") => {
                call.reply.uint(ATTEMPTS.load(Ordering::Relaxed));
                Ok(())
            }
            Some(b"IMPORT") => {
                IMPORTS.store(call.args.get(2) == Some(b"on"), Ordering::Relaxed);
                call.reply.ok();
                Ok(())
            }
            Some(b"CLOCK") => {
                let given = std::str::from_utf8(call.args.get(2).unwrap_or_default()).unwrap_or_default();
                let ahead = given.parse().map_err(|_| Refusal::err("CLOCK: expected milliseconds"))?;
                CLOCK_AHEAD_MS.store(ahead, Ordering::Relaxed);
                queue_registry::clock_moved(call.ctx);
                blocking::all_stale(call.ctx);
                call.reply.ok();
                Ok(())
            }
            other => Err(Refusal::err(format!("unknown test '{}'", shown(other.unwrap_or_default())))),
        }
    }
}
