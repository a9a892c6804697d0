//! The subject and the policies as the server keeps them.

use crate::domain::ratelimit;
use crate::runtime::global_tables::global_table;
use crate::runtime::value_type::value_type;

value_type!(ratelimit::Subject, c"workgateR", c"ratelimit._apply");
global_table!(ratelimit::LimitPolicies, c"ratelimit.policy", c"workgate1", outlives_keys: true, forget: |_| {});
