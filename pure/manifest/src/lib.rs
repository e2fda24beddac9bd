//! Raw objects exactly as users write them, with the place of every key and value.

pub mod kinds;
