//! Chance, from the server.

use crate::module_api::api;

/// Any number of 64 bits.
pub fn number() -> u64 {
    let mut bytes = [0u8; 8];
    // SAFETY: the server fills as many bytes as it is told.
    unsafe { api!(RedisModule_GetRandomBytes)(bytes.as_mut_ptr(), bytes.len()) };
    u64::from_ne_bytes(bytes)
}
