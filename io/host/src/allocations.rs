//! How often memory is taken, and how much is held, for tests of what must take or keep none.
#![allow(unsafe_code, reason = "an allocator is unsafe to write")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The system's allocator, which counts. To be made a test program's `#[global_allocator]`.
pub struct CountingAllocator;

static TAKEN: AtomicU64 = AtomicU64::new(0);
static HELD: AtomicUsize = AtomicUsize::new(0);

/// How often the process has taken memory so far, or had a piece of it made larger.
pub fn taken() -> u64 {
    TAKEN.load(Ordering::Relaxed)
}

/// How many bytes the process holds, as they were asked for.
pub fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

fn take(layout: Layout) {
    TAKEN.fetch_add(1, Ordering::Relaxed);
    HELD.fetch_add(layout.size(), Ordering::Relaxed);
}

// SAFETY: each call is handed to the system's allocator as it came, and its answer back.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout);
        // SAFETY: what the caller vouches for is what the system's asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        TAKEN.fetch_add(1, Ordering::Relaxed);
        HELD.fetch_add(size, Ordering::Relaxed);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}
