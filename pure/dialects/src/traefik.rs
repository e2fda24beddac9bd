//! Traefik's own languages.

pub mod rule;
