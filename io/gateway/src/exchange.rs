//! A request's life, whatever it came by: through filters, to an endpoint, and back.

pub(crate) mod aside;
pub(crate) mod asks;
mod copy;
pub(crate) mod course;
pub(crate) mod dispatch;
pub(crate) mod drive;
pub(crate) mod fetch;
pub(crate) mod hand;
pub(crate) mod relay;
mod serve;
mod tunnel;
pub(crate) mod way;
