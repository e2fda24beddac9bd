//! Placeholder: network interfaces.
