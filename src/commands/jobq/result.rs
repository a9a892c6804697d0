//! RESULT, which may wait for the job's end.

use std::borrow::Cow;

use crate::domain::jobq;
use crate::domain::jobq::{JobRef, Queue, State};
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::time::UnixMs;
use crate::module_api::command::Call;
use crate::module_api::reply::Reply;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, unknown};
use crate::commands::jobq::state_name;
use crate::runtime::blocking;
use crate::runtime::blocking::{BlockingRead, Look};
use crate::runtime::commit;

/// `JOBQ.RESULT key id [BLOCK d]`
pub struct GetResult;

impl Handler for GetResult {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let (key, id) = (words.name("key")?, words.id("id")?);
        let mut block = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"BLOCK" => block = Some(words.duration("BLOCK")?),
                _ => return Err(unknown(&option)),
            }
        }
        let waits_for = commit::read::<Queue, _>(call.ctx, key, |queue, now| {
            let (state, value) = jobq::job_result(queue, id, now)?;
            if block.is_some() && !state.is_end() {
                return Ok(queue.and_then(|queue| queue.job_ref(id)));
            }
            row(state, value, call.reply);
            Ok(None)
        })?;
        match waits_for {
            Some(job) => blocking::answer(call, key, Look(ResultRequest { id: id.into(), job }), block),
            None => Ok(()),
        }
    }
}

fn row(state: State, value: Option<&[u8]>, reply: Reply<'_>) {
    reply.array(2);
    reply.word(state_name(state));
    reply.bulk_or_null(value);
}

/// A client that waits for the end of a job.
struct ResultRequest {
    id: Box<[u8]>,
    job: JobRef,
}

/// `None` when the job has left without having ended.
type Ended<'q> = Option<(State, Option<Cow<'q, [u8]>>)>;

impl BlockingRead for ResultRequest {
    type Value = Queue;
    type Answer<'q> = Ended<'q>;

    fn subject(&self) -> u64 {
        self.job.subject()
    }

    fn look<'q>(&self, queue: Option<&'q Queue>, now: UnixMs) -> Ended<'q> {
        let job_result = jobq::result_of(queue, &self.id, self.job, now);
        job_result.map(|(state, value)| (state, value.map(Cow::Borrowed)))
    }

    fn is_empty(ended: &Ended<'_>) -> bool {
        ended.as_ref().is_some_and(|(state, _)| !state.is_end())
    }

    fn into_owned(ended: Ended<'_>) -> Ended<'static> {
        ended.map(|(state, value)| (state, value.map(|value| Cow::Owned(value.into_owned()))))
    }

    /// Every waiter of a round gets the answer of the first: a client that waited when the job
    /// ended gets its result, even if the job is not kept any more when its turn comes.
    fn is_shared(ended: &Ended<'_>) -> bool {
        !Self::is_empty(ended)
    }

    fn next_due(&self, queue: &Queue, now: UnixMs) -> Option<UnixMs> {
        queue.may_end_at(self.job, now)
    }

    fn reply(&self, ended: &Ended<'_>, reply: Reply<'_>) {
        match ended {
            Some((state, value)) => row(*state, value.as_deref(), reply),
            None => {
                let gone = format!("the job '{}' has gone", shown(&self.id));
                reply.error(&Refusal::new(Code::NoJob, gone).to_string());
            }
        }
    }
}
