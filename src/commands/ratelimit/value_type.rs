//! The subject and the policies as the server keeps them.

use crate::domain::ratelimit;
use crate::runtime::global_tables::shared;
use crate::runtime::value_type::stored;

stored!(ratelimit::Subject, c"workgateR", c"ratelimit._apply");
shared!(ratelimit::LimitPolicies, c"ratelimit.policy", c"workgate1");
