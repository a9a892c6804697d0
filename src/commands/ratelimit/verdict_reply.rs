//! The reply of CHECK and PEEK, sent at once or kept for a client that waits.

use crate::domain::ratelimit::{CheckRequest, CheckVerdict, OneLimitAnswer};
use crate::module_api::reply::Reply;

use super::kept_reply::ReplySink;
use super::limit_args::NamedPolicies;
use super::limit_rows::rows_to;

/// The BRIEF reply to a call that can never pass: below every other answer, and of 14 digits.
const BRIEF_NEVER: i64 = -99_999_999_999_999;

/// The form of the reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ReplyShape {
    /// The five numbers of the binding limit.
    Plain,
    /// And the name of the binding limit.
    Named,
    /// And a row for each limit.
    Detail,
    /// One integer.
    Brief,
}

impl ReplyShape {
    /// Adds the name for a call that could bind by more than one limit. The words of the call
    /// decide it, never the state: clients read elements by their position.
    pub fn for_call(self, request: &CheckRequest<'_>, policies: &NamedPolicies) -> Self {
        let is_several = request.items().len() > 1 || policies.get().is_some();
        if self == ReplyShape::Plain && is_several { ReplyShape::Named } else { self }
    }
}

/// `[first, limit, remaining, retry_after_ms, reset_after_ms]` of the binding limit, and what the
/// shape adds.
pub fn reply_verdict(verdict: &CheckVerdict<'_>, first: u64, shape: ReplyShape, mut reply: impl ReplySink) {
    let Some(row) = verdict.binding() else { return reply.array(0) };
    if shape == ReplyShape::Brief {
        return reply.int(brief(row.remaining, row.retry_after_ms));
    }
    let has_name = shape != ReplyShape::Plain;
    let detail = shape == ReplyShape::Detail;
    reply.array(5 + usize::from(has_name) + usize::from(detail));
    reply.uint(first);
    reply.uint(row.capacity);
    reply.uint(row.remaining);
    reply.int(row.retry_after_ms);
    reply.uint(row.reset_after_ms);
    if has_name {
        reply.bulk(&row.name());
    }
    if detail {
        rows_to(verdict, &mut reply);
    }
}

/// The one integer of BRIEF.
fn brief(remaining: u64, retry_after_ms: i64) -> i64 {
    match retry_after_ms {
        0 => remaining as i64,
        -1 => BRIEF_NEVER,
        retry => -retry,
    }
}

/// Like [`reply_verdict`], for a call of one limit without a name.
pub fn reply_one(answer: &OneLimitAnswer, shape: ReplyShape, reply: Reply<'_>) {
    if shape == ReplyShape::Brief {
        return reply.int(brief(answer.remaining, answer.retry_after_ms));
    }
    reply.array(5);
    reply.uint(answer.taken);
    reply.uint(answer.capacity);
    reply.uint(answer.remaining);
    reply.int(answer.retry_after_ms);
    reply.uint(answer.reset_after_ms);
}
