//! BREAKER.ALLOW and BREAKER.REPORT: before a call, and after it.

use std::ffi::CStr;

use crate::domain::breaker;
use crate::domain::breaker::{Breaker, MAX_CALLS, MAX_INSTANCE_LEN, State};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, MAX_TOKEN, unknown};
use crate::runtime::commit;

/// The word for a state in replies.
pub(crate) fn state_word(state: State) -> &'static CStr {
    match state {
        State::Closed => c"closed",
        State::Open => c"open",
        State::HalfOpen => c"half_open",
        State::Disabled => c"disabled",
    }
}

/// `BREAKER.ALLOW key`
pub struct BreakerAllow;

impl Handler for BreakerAllow {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let allowed = commit::write::<Breaker, _>(call.ctx, call.args.name(1), breaker::decide_allow)?;
        call.reply.array(4);
        call.reply.int(i64::from(allowed.allowed));
        call.reply.word(state_word(allowed.state));
        call.reply.uint(allowed.permit);
        call.reply.int(allowed.retry_after_ms);
        Ok(())
    }
}

/// `BREAKER.REPORT key [OK n] [FAIL n] [SLOW n] [PERMIT p] [BY instance]`
pub struct BreakerReport;

impl Handler for BreakerReport {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let mut report = breaker::CallReport { ok: 0, failed: 0, slow: 0, permit: None, by: None };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"OK" => report.ok = words.integer("OK", 0, MAX_CALLS)?,
                b"FAIL" => report.failed = words.integer("FAIL", 0, MAX_CALLS)?,
                b"SLOW" => report.slow = words.integer("SLOW", 0, MAX_CALLS)?,
                b"PERMIT" => report.permit = Some(words.integer("PERMIT", 0, MAX_TOKEN)?),
                b"BY" => report.by = Some(words.id_of("BY", MAX_INSTANCE_LEN)?),
                _ => return Err(unknown(&option)),
            }
        }
        let reported = commit::write::<Breaker, _>(call.ctx, key, |state, now, tokens| {
            breaker::decide_report(state, &report, now, tokens)
        })?;
        call.reply.array(4);
        call.reply.word(state_word(reported.state));
        call.reply.int(i64::from(reported.changed));
        call.reply.uint(reported.failure_pct);
        call.reply.uint(reported.calls);
        Ok(())
    }
}
