//! Placeholder: packet sockets.
