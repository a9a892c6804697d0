//! The limits of one call and their costs.

use crate::domain::ratelimit::MAX_LIMITS;
use crate::domain::ratelimit::limit::cost;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::one_or_many::OneOrMany;
use crate::domain::refusal::{Refusal, shown};

/// One limit of a call and its cost, 0 to 10^12. A cost of 0 takes nothing, and never denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestedLimit<'a> {
    pub limit: Limit<'a>,
    pub cost: u64,
}

/// The limits that a CHECK or PEEK names. Without limits, PEEK shows every limit of the subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRequest<'a> {
    items: OneOrMany<RequestedLimit<'a>>,
    /// The cost of a limit that COST does not name.
    cost: u64,
}

impl<'a> CheckRequest<'a> {
    /// A request for one limit that was not parsed from text.
    pub fn one(item: RequestedLimit<'a>) -> Self {
        CheckRequest { items: OneOrMany::One(item), cost: item.cost }
    }

    /// Parses the limits. Each costs 1 until [`CheckRequest::set_cost`]. Returns an error for more
    /// than 16 limits, and for a name that is given twice.
    #[cfg(test)]
    pub fn parse(limits: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Refusal> {
        Self::of(limits.into_iter().map(Limit::parse))
    }

    /// Like `CheckRequest::parse`, but for limits that are parsed already.
    pub fn of(limits: impl IntoIterator<Item = Result<Limit<'a>, Refusal>>) -> Result<Self, Refusal> {
        let mut request = CheckRequest::empty();
        for limit in limits {
            request.add(limit?)?;
        }
        Ok(request)
    }

    /// A request without limits. Add them by [`CheckRequest::add`].
    pub fn empty() -> Self {
        CheckRequest { items: OneOrMany::Many(Vec::new()), cost: 1 }
    }

    /// Adds a limit with a cost of 1.
    #[inline]
    pub fn add(&mut self, limit: Limit<'a>) -> Result<(), Refusal> {
        let earlier = self.items();
        if earlier.len() == MAX_LIMITS {
            return Err(Refusal::err(format!("too many limits: at most {MAX_LIMITS} in a call")));
        }
        if earlier.iter().any(|earlier| earlier.limit.shares_counter(&limit)) {
            return Err(Refusal::err(format!("limit '{}' is given twice", limit.display_name())));
        }
        self.items.push(RequestedLimit { limit, cost: 1 });
        Ok(())
    }

    /// Parses the value of COST in CHECK: `n` for every limit, or `name=n[,name=n]` with 1 for
    /// unlisted limits. Returns an error if every cost is 0.
    pub fn set_cost(&mut self, text: &[u8]) -> Result<(), Refusal> {
        self.set_cost_with_default(text, 1)?;
        if !self.has_cost() && !self.items().is_empty() {
            return Err(takes_nothing(text));
        }
        Ok(())
    }

    /// Like [`CheckRequest::set_cost`], but with another cost for unlisted limits, and every cost
    /// may be 0.
    pub fn set_cost_with_default(&mut self, text: &[u8], unlisted: u64) -> Result<(), Refusal> {
        if !cost::is_by_name(text) {
            self.cost = cost::for_all(text)?;
            self.items.as_mut_slice().iter_mut().for_each(|item| item.cost = self.cost);
            return Ok(());
        }
        let items = self.items.as_mut_slice();
        items.iter_mut().for_each(|item| item.cost = unlisted);
        let limits: OneOrMany<Limit<'a>> = items.iter().map(|item| item.limit).collect();
        cost::by_name(text, "call", limits.as_slice().iter().copied(), |at, cost| items[at].cost = cost)
    }

    /// Parses the value of COST for several requests of one call, at most 16 limits in all. A cost
    /// by name counts in each request that has the name.
    pub fn set_cost_of_all(requests: &mut [Self], text: &[u8]) -> Result<(), Refusal> {
        if cost::is_by_name(text) {
            let mut costs = vec![1; requests.iter().map(|request| request.items().len()).sum()];
            let limits = requests.iter().flat_map(|request| request.items()).map(|item| item.limit);
            cost::by_name(text, "call", limits, |at, cost| costs[at] = cost)?;
            let items = requests.iter_mut().flat_map(|request| request.items.as_mut_slice());
            items.zip(costs).for_each(|(item, cost)| item.cost = cost);
        } else {
            requests.iter_mut().try_for_each(|request| request.set_cost_with_default(text, 1))?;
        }
        if requests.iter().all(|request| !request.has_cost()) {
            return Err(takes_nothing(text));
        }
        Ok(())
    }

    /// Whether any limit has a cost.
    pub fn has_cost(&self) -> bool {
        self.items().iter().any(|item| item.cost > 0)
    }

    /// The same limits, each at this cost.
    pub(crate) fn with_cost(&self, cost: u64) -> Self {
        let items = OneOrMany::map_slice(self.items(), |item| RequestedLimit { cost, ..*item });
        CheckRequest { items, cost }
    }

    pub fn items(&self) -> &[RequestedLimit<'a>] {
        self.items.as_slice()
    }

    /// The cost of a limit that COST does not name: COST n, else 1.
    pub fn cost(&self) -> u64 {
        self.cost
    }
}

fn takes_nothing(text: &[u8]) -> Refusal {
    let fault = "takes nothing of any limit, use RATELIMIT.PEEK to read limits";
    Refusal::err(format!("COST '{}': {fault}", shown(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ratelimit::MAX_COUNT;

    fn request<'a>(limits: &[&'a str]) -> Result<CheckRequest<'a>, Refusal> {
        CheckRequest::parse(limits.iter().map(|limit| limit.as_bytes()))
    }

    fn costs(limits: &[&str], cost: &str) -> Result<Vec<u64>, String> {
        let mut request = request(limits).unwrap();
        request.set_cost(cost.as_bytes()).map_err(|refusal| refusal.to_string())?;
        Ok(request.items().iter().map(|item| item.cost).collect())
    }

    #[test]
    fn a_cost_is_for_all_or_by_name_with_one_for_the_unlisted() {
        let limits = ["a=10/1m", "b=10/1m", "10/1s:burst=20", "7/60s"];
        assert_eq!(costs(&limits, "5"), Ok(vec![5, 5, 5, 5]));
        assert_eq!(costs(&limits, "b=3"), Ok(vec![1, 3, 1, 1]));
        assert_eq!(costs(&limits, "7/1m=2,10/1s:burst=20=4,a=6"), Ok(vec![6, 1, 4, 2]));
        assert_eq!(costs(&limits, "1000000000000"), Ok(vec![MAX_COUNT; 4]));
        assert_eq!(costs(&limits, "a=0,b=0,7/1m=0"), Ok(vec![0, 0, 1, 0]));
    }

    #[test]
    fn a_wrong_cost_is_explained() {
        let limits = ["a=10/1m", "7/60s"];
        for (cost, fault) in [
            ("0", "takes nothing of any limit, use RATELIMIT.PEEK to read limits"),
            ("a=0,7/1m=0", "takes nothing of any limit, use RATELIMIT.PEEK to read limits"),
            ("-1", "'-1' is not a whole number"),
            ("", "'' is not a whole number"),
            ("18446744073709551617", "must be between 0 and 1000000000000"),
            ("c=1", "no limit of this call is named 'c'"),
            ("8/1m=1", "no limit of this call is named '8/1m'"),
            ("=1", "no limit of this call is named ''"),
            ("a=1,a=2", "'a' is listed twice"),
            ("a=1,", "expected n or name=n[,name=n]"),
            ("a=1,3", "expected n or name=n[,name=n]"),
        ] {
            assert_eq!(costs(&limits, cost), Err(format!("ERR COST '{cost}': {fault}")));
        }
    }

    #[test]
    fn a_name_twice_and_a_seventeenth_limit_are_refused() {
        assert_eq!(request(&["a=1/1s", "a=2/1s"]).unwrap_err().to_string(), "ERR limit 'a' is given twice");
        assert_eq!(request(&["1/60s", "1/1m"]).unwrap_err().to_string(), "ERR limit '1/1m' is given twice");
        let many: Vec<String> = (1..=17).map(|n| format!("{n}/1s")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(request(&many[..16]).unwrap().items().len(), 16);
        assert_eq!(request(&many).unwrap_err().to_string(), "ERR too many limits: at most 16 in a call");
    }
}
