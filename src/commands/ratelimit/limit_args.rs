//! Reads the limits of a call: written out, or by the name of a policy.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::domain::ratelimit::{
    CheckRequest, Limit, LimitParseCache, LimitPolicies, LimitPolicy, MAX_LIMITS, is_limit, is_policy_name,
};
use crate::domain::refusal::{Refusal, shown};
use crate::module_api::args::Args;
use crate::module_api::main_thread::MainThread;

use crate::commands::args::ArgReader;
use crate::runtime::global_tables;

/// The policies that a call names, in their order. Most calls name none and allocate nothing.
pub type NamedPolicies = OnceCell<Vec<Rc<LimitPolicy>>>;

static PARSE_CACHE: MainThread<LimitParseCache> = MainThread::new(LimitParseCache::empty());

/// Reads the limits. The first argument that is no limit begins the options. Stores the policies
/// that the call names in `policies`.
pub fn read_limits<'a>(
    words: &mut ArgReader<'a>,
    policies: &'a NamedPolicies,
) -> Result<CheckRequest<'a>, Refusal> {
    let begin = words.position();
    let mut cache = PARSE_CACHE.borrow();
    let mut request = CheckRequest::empty();
    while let Some(word) = words.peek() {
        let limit = match cache.get(word) {
            Some(known) => known,
            None if is_policy_name(word) => {
                drop(cache);
                words.rewind_to(begin);
                return read_with_policies(words, policies);
            }
            None if is_limit(word) => cache.parse(word)?,
            None => break,
        };
        words.skip();
        request.add(limit)?;
    }
    Ok(request)
}

/// Reads `key limit [BRIEF]` where the limit has no name, was read lately and has no periods.
/// Returns the limit and whether BRIEF was given.
#[inline]
pub fn read_one_cached<'a>(args: Args<'a>) -> Option<(Limit<'a>, bool)> {
    let is_brief = match args.len() {
        3 => false,
        4 if args.get(3)?.eq_ignore_ascii_case(b"BRIEF") => true,
        _ => return None,
    };
    let limit = PARSE_CACHE.borrow().get(args.get(2)?)?;
    (limit.name.is_none() && !limit.rule.kind.has_periods()).then_some((limit, is_brief))
}

/// Reads the limits of a call, and replaces each policy name by the limits of the policy.
fn read_with_policies<'a>(
    words: &mut ArgReader<'a>,
    policies: &'a NamedPolicies,
) -> Result<CheckRequest<'a>, Refusal> {
    let texts: Vec<&[u8]> = std::iter::from_fn(|| words.next_if(is_limit)).take(MAX_LIMITS + 1).collect();
    expand(texts, policies)
}

/// Reads `m limit …`.
pub fn read_counted<'a>(
    words: &mut ArgReader<'a>,
    policies: &'a NamedPolicies,
) -> Result<CheckRequest<'a>, Refusal> {
    expand(read_counted_texts(words)?, policies)
}

/// Reads `m limit …`, and only checks that they are limits.
pub fn read_counted_texts<'a>(words: &mut ArgReader<'a>) -> Result<Vec<&'a [u8]>, Refusal> {
    let count = words.integer("the number of limits", 1, MAX_LIMITS as u64)?;
    let limit = |words: &mut ArgReader<'a>| {
        let word = words.next_arg("limit")?;
        match is_limit(word) {
            true => Ok(word),
            false => Err(Refusal::err(format!("'{}': expected one of {count} limits", shown(word)))),
        }
    };
    words.next_n(count, limit)
}

/// Parses limits, and replaces each policy name by the limits of the policy. Returns `NOPOLICY` for
/// a policy that does not exist.
pub fn expand<'a>(texts: Vec<&'a [u8]>, policies: &'a NamedPolicies) -> Result<CheckRequest<'a>, Refusal> {
    let named = texts.iter().filter(|text| is_policy_name(text));
    let named = named.map(|text| global_tables::read(|all: &LimitPolicies| all.named(text).cloned()));
    let named = named.collect::<Result<Vec<_>, Refusal>>()?;
    let mut named = policies.get_or_init(|| named).iter();
    let mut limits = Vec::new();
    for text in texts {
        if is_policy_name(text) {
            limits.extend(named.next().into_iter().flat_map(|policy| policy.limits()).map(Ok));
        } else {
            limits.push(Limit::parse(text));
        }
    }
    CheckRequest::of(limits)
}
