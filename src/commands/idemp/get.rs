//! IDEMP.GET: the record without claiming it.

use crate::domain::idemp::{Fingerprint, Record, RecordState};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use crate::runtime::commit;

/// `IDEMP.GET key`
pub struct IdempGet;

impl Handler for IdempGet {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let reply = call.reply;
        commit::read::<Record, _>(call.ctx, call.args.name(1), |record, now| {
            let Some(view) = record.and_then(|record| record.view(now)) else {
                reply.null();
                return Ok(());
            };
            reply.map(10);
            reply.bulk(b"state");
            reply.word(match view.state {
                RecordState::Claimed => c"CLAIMED",
                RecordState::Delayed => c"DELAYED",
                RecordState::Free => c"FREE",
                RecordState::Done => c"DONE",
            });
            reply.bulk(b"value");
            reply.bulk_or_null(view.value);
            reply.bulk(b"meta");
            reply.bulk_or_null(view.meta);
            reply.bulk(b"owner");
            reply.bulk_or_null(view.owner);
            reply.bulk(b"fingerprint");
            reply.bulk_or_null(view.fingerprint.as_ref().map(Fingerprint::hex).as_deref().map(str::as_bytes));
            reply.bulk(b"token");
            reply.uint(view.token);
            reply.bulk(b"attempt");
            reply.uint(view.attempt.into());
            reply.bulk(b"ms");
            reply.uint(view.ms);
            reply.bulk(b"ttl_ms");
            reply.uint(view.expires_in_ms);
            reply.bulk(b"checkpoint");
            reply.bulk_or_null(view.checkpoint);
            Ok(())
        })
    }
}
