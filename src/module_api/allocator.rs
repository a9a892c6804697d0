//! The module's allocator: the server's own malloc, so that `used_memory` and `maxmemory` see what
//! the module holds.
//!
//! Outside a server (unit tests) the function table is empty and the system's allocator serves.
//!
//! # Alignment
//!
//! The server's malloc guarantees 8 bytes only. Official Redis builds bundle a jemalloc with a
//! quantum of 8: a block whose size is no multiple of 16 may start at an odd multiple of 8. Its
//! size classes that are multiples of 16 start at multiples of 16. So a block that must be aligned
//! to 16 is asked for with its size rounded up to a multiple of 16. A block that must be aligned
//! above 16 comes from the system: no supported malloc has size classes that promise it. The layout
//! that comes back with a deallocation tells which of the ways the block came.
//!
//! A build with the feature `test-commands` checks every block that it hands out and aborts when
//! one is not aligned as asked. With `WORKGATE_TEST_MISALIGN` in the environment it also places
//! every block of an alignment up to 8 at an odd multiple of 8, so that code that relies on more
//! fails on every server.

use std::alloc::{GlobalAlloc, Layout, System};

pub struct ServerAllocator;

#[cfg(not(feature = "test-commands"))]
use server_malloc as malloc;
#[cfg(feature = "test-commands")]
use strict_malloc as malloc;

// SAFETY: every branch forwards to an allocator that keeps the contract. Which one is a function of
// the layout alone once the module is loaded, and nothing is allocated before that: the table is
// filled first, by C code, in `Export_RedisModule_Init`.
unsafe impl GlobalAlloc for ServerAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps GlobalAlloc's contract.
        unsafe { if malloc::serves(layout) { malloc::alloc(layout) } else { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps GlobalAlloc's contract.
        unsafe {
            if malloc::serves(layout) { malloc::alloc_zeroed(layout) } else { System.alloc_zeroed(layout) }
        }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller keeps GlobalAlloc's contract; the layout says from where `ptr` came.
        unsafe {
            if malloc::serves(layout) {
                malloc::realloc(ptr, layout, new_size)
            } else {
                System.realloc(ptr, layout, new_size)
            }
        }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps GlobalAlloc's contract; the layout says from where `ptr` came.
        unsafe {
            if malloc::serves(layout) { malloc::dealloc(ptr, layout) } else { System.dealloc(ptr, layout) }
        }
    }
}

/// Blocks of the server's malloc.
mod server_malloc {
    use std::alloc::Layout;
    use std::os::raw::c_void;

    use crate::module_api::raw;

    /// The alignment that every supported server's malloc guarantees for a block of any size.
    const GUARANTEED_ALIGNMENT: usize = 8;
    /// The largest alignment that a block has when its size is a multiple of it.
    const SIZE_CLASS_ALIGNMENT: usize = 16;

    /// Whether a block of this layout comes from the server.
    pub fn serves(layout: Layout) -> bool {
        // SAFETY: the table is only read after it was filled.
        let alloc = unsafe { raw::RedisModule_Alloc };
        alloc.is_some() && layout.align() <= SIZE_CLASS_ALIGNMENT
    }

    /// The size to ask the server for, so that a block of `size` bytes is aligned to `align`.
    fn padded(size: usize, align: usize) -> usize {
        if align <= GUARANTEED_ALIGNMENT { size } else { size.next_multiple_of(SIZE_CLASS_ALIGNMENT) }
    }

    // SAFETY of all four: `serves` was true, so the table is filled. The server's malloc takes any
    // size.

    pub unsafe fn alloc(layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        match unsafe { raw::RedisModule_Alloc } {
            // SAFETY: see above.
            Some(alloc) => unsafe { alloc(padded(layout.size(), layout.align())).cast() },
            None => std::ptr::null_mut(),
        }
    }

    pub unsafe fn alloc_zeroed(layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        match unsafe { raw::RedisModule_Calloc } {
            // SAFETY: see above.
            Some(calloc) => unsafe { calloc(1, padded(layout.size(), layout.align())).cast() },
            None => std::ptr::null_mut(),
        }
    }

    pub unsafe fn realloc(ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: see above.
        match unsafe { raw::RedisModule_Realloc } {
            // SAFETY: `ptr` came from the server's malloc, because the layout's alignment says so.
            Some(realloc) => unsafe {
                realloc(ptr.cast::<c_void>(), padded(new_size, layout.align())).cast()
            },
            None => std::ptr::null_mut(),
        }
    }

    pub unsafe fn dealloc(ptr: *mut u8, _layout: Layout) {
        // SAFETY: see above.
        if let Some(free) = unsafe { raw::RedisModule_Free } {
            // SAFETY: `ptr` came from the server's malloc, because the layout's alignment says so.
            unsafe { free(ptr.cast::<c_void>()) }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn only_blocks_aligned_above_the_guarantee_are_rounded_up() {
            for size in 1..=4096 {
                for align in [1, 2, 4, 8] {
                    assert_eq!(padded(size, align), size);
                }
                let rounded = padded(size, 16);
                assert!(
                    rounded.is_multiple_of(16) && rounded >= size && rounded < size + 16,
                    "{size} became {rounded}"
                );
            }
        }
    }
}

/// The same blocks, checked; and misplaced on purpose where the environment asks for it.
#[cfg(feature = "test-commands")]
mod strict_malloc {
    use std::alloc::Layout;
    use std::os::raw::{c_char, c_int};
    use std::sync::atomic::{AtomicU8, Ordering};

    use crate::module_api::allocator::server_malloc;
    pub use server_malloc::serves;

    unsafe extern "C" {
        fn getenv(name: *const c_char) -> *const c_char;
        fn write(file: c_int, text: *const u8, length: usize) -> isize;
    }

    /// What the environment says, read once: the answer must be the same for a block's whole life.
    fn misplaces(layout: Layout) -> bool {
        const UNREAD: u8 = 0;
        const NO: u8 = 1;
        const YES: u8 = 2;
        static ANSWER: AtomicU8 = AtomicU8::new(UNREAD);
        let answer = match ANSWER.load(Ordering::Relaxed) {
            UNREAD => {
                // SAFETY: the name ends with NUL. The server changes no environment while a module
                // is loaded.
                let set = !unsafe { getenv(c"WORKGATE_TEST_MISALIGN".as_ptr()) }.is_null();
                let answer = if set { YES } else { NO };
                ANSWER.store(answer, Ordering::Relaxed);
                answer
            }
            answer => answer,
        };
        answer == YES && layout.align() <= 8
    }

    /// Aborts the server, without allocating, when `block` is not aligned as `layout` asks.
    fn checked(block: *mut u8, layout: Layout) -> *mut u8 {
        if !block.addr().is_multiple_of(layout.align()) {
            let text = b"workgate: the server's malloc handed out a block that is not aligned as asked\n";
            // SAFETY: the text is as long as said.
            unsafe { write(2, text.as_ptr(), text.len()) };
            std::process::abort();
        }
        block
    }

    /// Room for the distance to the server's block, and for moving the block to an odd multiple of
    /// 8.
    const MARGIN: usize = 16;

    fn widened(size: usize) -> Layout {
        Layout::from_size_align(size + MARGIN, 8).unwrap_or_else(|_| std::process::abort())
    }

    /// Moves to the next odd multiple of 8 in the server's `block` and notes the distance before
    /// it.
    ///
    /// # Safety
    /// `block` is null or has [`MARGIN`] bytes to spare and is aligned to 8.
    unsafe fn misplace(block: *mut u8) -> *mut u8 {
        if block.is_null() {
            return block;
        }
        let distance = if block.addr().is_multiple_of(16) { 8 } else { 16 };
        // SAFETY: both stay within the margin, and the note lies at a multiple of 8.
        unsafe {
            let moved = block.add(distance);
            moved.sub(8).cast::<usize>().write(distance);
            moved
        }
    }

    /// The server's block behind a misplaced one.
    ///
    /// # Safety
    /// `moved` came from [`misplace`].
    unsafe fn original(moved: *mut u8) -> *mut u8 {
        // SAFETY: `misplace` wrote the note.
        unsafe { moved.sub(moved.sub(8).cast::<usize>().read()) }
    }

    // SAFETY of all four: as of the functions that they call.

    pub unsafe fn alloc(layout: Layout) -> *mut u8 {
        // SAFETY: see above; the widened block has the margin.
        checked(
            unsafe {
                if misplaces(layout) {
                    misplace(server_malloc::alloc(widened(layout.size())))
                } else {
                    server_malloc::alloc(layout)
                }
            },
            layout,
        )
    }

    pub unsafe fn alloc_zeroed(layout: Layout) -> *mut u8 {
        // SAFETY: see above; the widened block has the margin.
        checked(
            unsafe {
                if misplaces(layout) {
                    misplace(server_malloc::alloc_zeroed(widened(layout.size())))
                } else {
                    server_malloc::alloc_zeroed(layout)
                }
            },
            layout,
        )
    }

    pub unsafe fn realloc(ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !misplaces(layout) {
            // SAFETY: see above.
            return checked(unsafe { server_malloc::realloc(ptr, layout, new_size) }, layout);
        }
        let Ok(new_layout) = Layout::from_size_align(new_size, layout.align()) else {
            return std::ptr::null_mut();
        };
        // SAFETY: the old block and the new one both hold the smaller of the two sizes.
        unsafe {
            let new = alloc(new_layout);
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(ptr, new, layout.size().min(new_size));
                dealloc(ptr, layout);
            }
            new
        }
    }

    pub unsafe fn dealloc(ptr: *mut u8, layout: Layout) {
        // SAFETY: see above.
        unsafe {
            let block = if misplaces(layout) { original(ptr) } else { ptr };
            server_malloc::dealloc(block, layout);
        }
    }
}
