mod edits;
mod nearest;
mod order;
mod properties;
pub(crate) mod request;
mod rules;
