//! What endpoints speak: connections to them, kept by address.

pub(crate) mod upstream;
