mod edits;
mod nearest;
mod order;
mod properties;
pub(crate) mod ranked;
mod rules;
