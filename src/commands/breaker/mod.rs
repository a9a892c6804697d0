//! BREAKER: a circuit breaker shared by all instances.

pub(crate) mod value_type;

use std::ffi::CStr;

use crate::domain::breaker;
use crate::domain::breaker::{Breaker, Force, MOST_CALLS, State};
use crate::domain::integer::integer;
use crate::domain::refusal::{Refusal, shown};
use crate::domain::time;
use crate::domain::token;
use crate::module_api::command::{Call, Handler};

use super::args::{Words, unknown};
use crate::runtime::commit;

fn written(state: State) -> &'static CStr {
    match state {
        State::Closed => c"closed",
        State::Open => c"open",
        State::HalfOpen => c"half_open",
        State::Disabled => c"disabled",
    }
}

/// `BREAKER.ALLOW key`
pub struct Allow;

impl Handler for Allow {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let allowed = commit::write::<Breaker, _>(call.ctx, call.args.name(1), breaker::decide_allow)?;
        call.reply.array(4);
        call.reply.int(i64::from(allowed.allowed));
        call.reply.word(written(allowed.state));
        call.reply.uint(allowed.permit);
        call.reply.int(allowed.retry_after_ms);
        Ok(())
    }
}

/// `BREAKER.REPORT key [OK n] [FAIL n] [SLOW n] [PERMIT p]`
pub struct Report;

impl Handler for Report {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let mut report = breaker::Report { ok: 0, failed: 0, slow: 0, permit: None };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"OK" => report.ok = words.integer("OK", 0, MOST_CALLS)?,
                b"FAIL" => report.failed = words.integer("FAIL", 0, MOST_CALLS)?,
                b"SLOW" => report.slow = words.integer("SLOW", 0, MOST_CALLS)?,
                b"PERMIT" => report.permit = Some(words.integer("PERMIT", 0, token::BOUND - 1)?),
                _ => return Err(unknown(&option)),
            }
        }
        let reported = commit::write::<Breaker, _>(call.ctx, key, |state, now, tokens| {
            breaker::decide_report(state, &report, now, tokens)
        })?;
        call.reply.array(4);
        call.reply.word(written(reported.state));
        call.reply.int(i64::from(reported.changed));
        call.reply.uint(reported.failure_pct);
        call.reply.uint(reported.calls);
        Ok(())
    }
}

/// `BREAKER.CONFIG SET key field value [field value …]`
pub struct ConfigSet;

impl Handler for ConfigSet {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        words.word("subcommand")?;
        let key = words.name("key")?;
        commit::write::<Breaker, _>(call.ctx, key, |state, _, _| {
            breaker::decide_config(state, |config| {
                while let Some(option) = words.option()? {
                    let Some((number, (least, most), is_duration)) = config.field(option.folded()) else {
                        let fields = breaker::Config::NAMES.join(", ");
                        return Err(Refusal::err(format!(
                            "{}: the fields are {fields}",
                            unknown(&option).text
                        )));
                    };
                    let name = String::from_utf8_lossy(option.folded()).to_ascii_lowercase();
                    let value = words.word(&name)?;
                    *number = if is_duration {
                        span(&name, value, least, most)?
                    } else {
                        integer(&name, value, least, most)?
                    };
                }
                Ok(())
            })
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// A duration within a range of its own.
fn span(name: &str, text: &[u8], least: u64, most: u64) -> Result<u64, Refusal> {
    let ms = time::duration(name, text)?;
    if (least..=most).contains(&ms) {
        return Ok(ms);
    }
    let (given, least, most) = (shown(text), time::written(least), time::written(most));
    Err(Refusal::err(format!("{name} '{given}': must be between {least} and {most}")))
}

/// `BREAKER.CONFIG GET key`
pub struct ConfigGet;

impl Handler for ConfigGet {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        commit::read::<Breaker, _>(call.ctx, call.args.name(2), |state, _| {
            let fields = state.map(Breaker::config).unwrap_or_default().shown();
            call.reply.map(fields.len());
            for (name, number, is_duration) in fields {
                call.reply.bulk(name.as_bytes());
                if is_duration {
                    call.reply.bulk(time::written(number).as_bytes());
                } else {
                    call.reply.uint(number);
                }
            }
            Ok(())
        })
    }
}

/// `BREAKER.FORCE key open|closed|disabled|auto [FOR d]`
pub struct ForceState;

impl Handler for ForceState {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let state = words.word("state")?;
        let what = match state.to_ascii_lowercase().as_slice() {
            b"open" => Some(Force::Open),
            b"closed" => Some(Force::Closed),
            b"disabled" => Some(Force::Disabled),
            b"auto" => None,
            _ => {
                let given = shown(state);
                return Err(Refusal::err(format!("state '{given}': must be open, closed, disabled or auto")));
            }
        };
        let mut span = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"FOR" => span = Some(words.duration("FOR")?),
                _ => return Err(unknown(&option)),
            }
        }
        if what.is_none() && span.is_some() {
            return Err(Refusal::err("FOR goes with open, closed or disabled: auto has no end"));
        }
        commit::write::<Breaker, _>(call.ctx, key, |state, now, tokens| {
            breaker::decide_force(state, what, span, now, tokens)
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// `BREAKER.RESET key`
pub struct Reset;

impl Handler for Reset {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        commit::write::<Breaker, _>(call.ctx, call.args.name(1), breaker::decide_reset)?;
        call.reply.ok();
        Ok(())
    }
}

/// `BREAKER.GET key`
pub struct Get;

impl Handler for Get {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let reply = call.reply;
        commit::read::<Breaker, _>(call.ctx, call.args.name(1), |state, now| {
            let view = breaker::view(state, now);
            reply.map(11);
            reply.bulk(b"state");
            reply.word(written(view.state));
            reply.bulk(b"forced");
            match view.forced {
                None => reply.word(c"auto"),
                Some(Force::Open) => reply.word(c"open"),
                Some(Force::Closed) => reply.word(c"closed"),
                Some(Force::Disabled) => reply.word(c"disabled"),
            }
            reply.bulk(b"retry_after_ms");
            reply.int(view.retry_after_ms);
            for (name, number) in [
                ("calls", view.calls),
                ("failed", view.failed),
                ("slow", view.slow),
                ("failure_pct", view.failure_pct),
                ("slow_pct", view.slow_pct),
                ("probes_ok", view.probes_ok),
                ("probes_out", view.probes_out),
                ("failed_rounds", view.failed_rounds),
            ] {
                reply.bulk(name.as_bytes());
                reply.uint(number);
            }
            Ok(())
        })
    }
}
