//! What a running instance tells: the hand that shows it, and what is said of each part.

mod account;
pub(crate) mod board;
pub(crate) mod current;
pub(crate) mod endpoints;
pub(crate) mod followed;
mod moment;
pub(crate) mod note;
mod remembered;
pub(crate) mod requests;
mod shared;
mod standing;
pub(crate) mod summary;
pub(crate) mod unready;

pub(crate) use moment::explain_services;
