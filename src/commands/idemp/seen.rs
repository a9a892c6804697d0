//! IDEMP.SEEN: exact deduplication within a window.

use crate::domain::idemp;
use crate::domain::idemp::{MAX_IDS_PER_CALL, Secret};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::module_api::random;
use crate::runtime::handler::Handler;

use crate::commands::args::ArgReader;
use crate::runtime::commit;

/// `IDEMP.SEEN key window id [id …]`
pub struct IdempSeen;

impl Handler for IdempSeen {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let window = words.duration("window")?;
        let mut ids = vec![words.next_arg("id")?];
        while let Some(id) = words.next_if(|_| true) {
            ids.push(id);
        }
        if ids.len() > MAX_IDS_PER_CALL {
            return Err(Refusal::err(format!("{} ids: at most {MAX_IDS_PER_CALL} in one call", ids.len())));
        }
        if ids.iter().any(|id| id.is_empty()) {
            return Err(Refusal::err("id must not be empty"));
        }
        let met = commit::write::<idemp::SeenIds, _>(call.ctx, key, |state, now, _| {
            Ok(idemp::decide_seen(state, window, ids.iter().copied(), secret, now))
        })?;
        call.reply.array(met.len());
        for met in met {
            call.reply.uint(met.into());
        }
        Ok(())
    }
}

fn secret() -> Secret {
    let mut secret = Secret::default();
    let (low, high) = secret.split_at_mut(8);
    low.copy_from_slice(&random::number().to_ne_bytes());
    high.copy_from_slice(&random::number().to_ne_bytes());
    secret
}
