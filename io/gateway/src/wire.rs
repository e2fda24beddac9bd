//! Bytes and time: sockets, buffers, deadlines.

pub(crate) mod buffers;
pub(crate) mod listen;
pub(crate) mod stream;
pub(crate) mod timer;
