mod edits;
mod nearest;
mod order;
mod properties;
mod request;
mod rules;
