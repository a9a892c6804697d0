//! The allocator: the server's own, so that `used_memory` and `maxmemory` see what we hold.
//!
//! Outside a server (unit tests) the function table is empty and the system's allocator serves.
//! Alignments above 16 always go to the system, because the server cannot promise them; the layout
//! that comes back with a deallocation tells which of the two it was.

use std::alloc::{GlobalAlloc, Layout, System};
use std::os::raw::c_void;

use super::raw;

/// The largest alignment that the server's malloc keeps on every platform.
const SERVER_ALIGNMENT: usize = 16;

pub struct ServerAllocator;

// SAFETY: every branch forwards to an allocator that keeps the contract. Which one is a function of
// the layout alone once the module is loaded, and nothing is allocated before that: the table is
// filled first, by C code, in `Export_RedisModule_Init`.
unsafe impl GlobalAlloc for ServerAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the table is only read after it was filled.
        match unsafe { raw::RedisModule_Alloc } {
            // SAFETY: the server's malloc takes any size.
            Some(alloc) if layout.align() <= SERVER_ALIGNMENT => unsafe { alloc(layout.size()).cast() },
            // SAFETY: the caller keeps GlobalAlloc's contract.
            _ => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        match unsafe { raw::RedisModule_Calloc } {
            // SAFETY: the server's calloc takes any size.
            Some(calloc) if layout.align() <= SERVER_ALIGNMENT => unsafe { calloc(1, layout.size()).cast() },
            // SAFETY: the caller keeps GlobalAlloc's contract.
            _ => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as in `alloc`.
        match unsafe { raw::RedisModule_Realloc } {
            // SAFETY: `ptr` came from the server's malloc, because the layout's alignment says so.
            Some(realloc) if layout.align() <= SERVER_ALIGNMENT => unsafe {
                realloc(ptr.cast::<c_void>(), new_size).cast()
            },
            // SAFETY: the caller keeps GlobalAlloc's contract.
            _ => unsafe { System.realloc(ptr, layout, new_size) },
        }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        match unsafe { raw::RedisModule_Free } {
            // SAFETY: `ptr` came from the server's malloc, because the layout's alignment says so.
            Some(free) if layout.align() <= SERVER_ALIGNMENT => unsafe { free(ptr.cast::<c_void>()) },
            // SAFETY: the caller keeps GlobalAlloc's contract.
            _ => unsafe { System.dealloc(ptr, layout) },
        }
    }
}
