//! The record and the list of seen ids as the server keeps them.

use crate::domain::idemp;
use crate::runtime::value_type::stored;

stored!(idemp::Record, c"workgateI", c"idemp._apply");
stored!(idemp::SeenIds, c"workgateS", c"idemp.seen._apply");
