//! RATELIMIT and CL.THROTTLE.

mod acquire;
mod acquire_block;
mod check_block;
mod check_block_oracle;
mod cl_throttle;
mod clock_set_back;
mod fixed_period;
mod hold;
mod lockout;
mod mcheck;
mod options;
mod policy;
mod policy_file;
mod refusals;
mod several_limits;
mod sliding_window;
mod stats;
mod token_bucket;
