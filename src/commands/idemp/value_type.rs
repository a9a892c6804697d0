//! The record and the list of seen ids as the server keeps them.

use crate::domain::idemp;
use crate::runtime::value_type::value_type;

value_type!(idemp::Record, c"workgateI", c"idemp._apply");
value_type!(idemp::SeenIds, c"workgateS", c"idemp.seen._apply");
