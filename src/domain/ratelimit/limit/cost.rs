//! The value of COST: `n` for every limit, or `name=n[,name=n]`.

use crate::domain::ratelimit::MAX_LIMITS;
use crate::domain::ratelimit::limit::parse::{Limit, parse_amount};
use crate::domain::ratelimit::limit::rule::Rule;
use crate::domain::refusal::{Refusal, shown};

/// Whether costs are listed by name.
pub fn is_by_name(text: &[u8]) -> bool {
    text.contains(&b'=')
}

/// Parses one cost for all limits, 0 to 10^12.
pub fn for_all(text: &[u8]) -> Result<u64, Refusal> {
    parse_amount(text, 0).map_err(|fault| refusal(text, &fault))
}

/// Calls `set` with the index and the cost of each listed limit, of every subject that has it, 0 to
/// 10^12. `of` names the owner of the limits in errors. An unnamed limit is listed by its spec
/// (`10/1m=3`). Returns an error for an unknown name and for a name that is listed twice.
pub fn by_name<'l>(
    text: &[u8],
    of: &str,
    limits: impl Iterator<Item = Limit<'l>> + Clone,
    mut set: impl FnMut(usize, u64),
) -> Result<(), Refusal> {
    let mut listed = [false; MAX_LIMITS];
    for part in text.split(|&b| b == b',') {
        let Some(at) = part.iter().rposition(|&b| b == b'=') else {
            return Err(refusal(text, "expected n or name=n[,name=n]"));
        };
        let (name, cost) = (&part[..at], &part[at + 1..]);
        let cost = parse_amount(cost, 0).map_err(|fault| refusal(text, &fault))?;
        let unnamed = Rule::parse(name).ok();
        let is_named = |limit: &Limit<'_>| match limit.name {
            Some(given) => given == name,
            None => Some(limit.rule) == unnamed,
        };
        let mut is_found = false;
        for (index, _) in limits.clone().take(MAX_LIMITS).enumerate().filter(|(_, limit)| is_named(limit)) {
            is_found = true;
            if std::mem::replace(&mut listed[index], true) {
                return Err(refusal(text, &format!("'{}' is listed twice", shown(name))));
            }
            set(index, cost);
        }
        if !is_found {
            return Err(refusal(text, &format!("no limit of this {of} is named '{}'", shown(name))));
        }
    }
    Ok(())
}

fn refusal(text: &[u8], fault: &str) -> Refusal {
    Refusal::err(format!("COST '{}': {fault}", shown(text)))
}
