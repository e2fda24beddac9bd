mod order;
mod properties;
mod request;
mod rules;
