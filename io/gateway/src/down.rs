//! What clients speak: a module per protocol, from a connection to requests and back.

pub(crate) mod h1;
