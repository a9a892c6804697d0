//! BREAKER.GET: the state and the counts, without changing them.

use crate::domain::breaker;
use crate::domain::breaker::{Breaker, ForcedState};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use crate::commands::breaker::allow_and_report::state_word;
use crate::runtime::commit;

/// `BREAKER.GET key`
pub struct BreakerGet;

impl Handler for BreakerGet {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let reply = call.reply;
        commit::read::<Breaker, _>(call.ctx, call.args.name(1), |state, now| {
            let view = breaker::view(state, now);
            reply.map(13);
            reply.bulk(b"state");
            reply.word(state_word(view.state));
            reply.bulk(b"forced");
            match view.forced {
                None => reply.word(c"auto"),
                Some(ForcedState::Open) => reply.word(c"open"),
                Some(ForcedState::Closed) => reply.word(c"closed"),
                Some(ForcedState::Disabled) => reply.word(c"disabled"),
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
                ("failing_instances", view.failing_instances),
                ("slow_instances", view.slow_instances),
            ] {
                reply.bulk(name.as_bytes());
                reply.uint(number);
            }
            Ok(())
        })
    }
}
