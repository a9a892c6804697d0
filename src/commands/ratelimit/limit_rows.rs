//! Writes a row for each limit, for DETAIL, PEEK, REFUND and SETTLE.

use crate::domain::ratelimit::{CheckVerdict, LimitRow};
use crate::module_api::reply::Reply;

/// `[name, allowed, limit, remaining, retry_after_ms, reset_after_ms, used, period_ms, spec]` each.
pub fn reply_rows(verdict: &CheckVerdict<'_>, reply: Reply<'_>) {
    reply.array(verdict.rows().len());
    for row in verdict.rows() {
        reply_row(row, reply);
    }
}

fn reply_row(row: &LimitRow<'_>, reply: Reply<'_>) {
    reply.array(9);
    reply.bulk(&row.name());
    reply.int(i64::from(row.allowed));
    reply.uint(row.capacity);
    reply.uint(row.remaining);
    reply.int(row.retry_after_ms);
    reply.uint(row.reset_after_ms);
    reply.uint(row.used);
    reply.uint(row.period_ms);
    reply.bulk(row.spec().as_bytes());
}
