//! Debug output of kinds that may have a secret in them: what they are called, and nothing else.

macro_rules! opaque {
    ($($kind:ident),+) => {
        $(impl std::fmt::Debug for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($kind)).finish_non_exhaustive()
            }
        })+
    };
}

pub(super) use opaque;
