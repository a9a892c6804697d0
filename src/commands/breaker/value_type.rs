//! The breaker as the server keeps it.

use crate::domain::breaker;
use crate::runtime::value_type::value_type;

value_type!(breaker::Breaker, c"workgateB", c"breaker._apply");
