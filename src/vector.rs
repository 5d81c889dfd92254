//! Functions compiled for several vector widths, of which the processor's own is chosen at run
//! time: one binary runs on any x86-64 and on other architectures.
//!
//! The variants do the same operations in the same order and never fuse a multiplication with an
//! addition, so all give the same bits.

/// Wraps one function; what it calls must be `#[inline(always)]` to be compiled with it.
macro_rules! vectorized {
    ($(#[$meta:meta])* $visibility:vis fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        $visibility fn $name($($argument: $kind),*) $(-> $result)? {
            #[inline(always)]
            fn portable($($argument: $kind),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx,avx2")]
                fn avx2($($argument: $kind),*) $(-> $result)? {
                    portable($($argument),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // Safe: the processor has just said that it has these instructions.
                    #[expect(unsafe_code, reason = "calling what was compiled for detected instructions")]
                    return unsafe { avx2($($argument),*) };
                }
            }
            portable($($argument),*)
        }
    };
}
