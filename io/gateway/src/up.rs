//! What endpoints speak: connections to them, kept by address.

pub(crate) mod counting;
pub(crate) mod h2;
pub(crate) mod reach;
pub(crate) mod security;
pub(crate) mod tally;
pub(crate) mod upstream;

use std::time::Instant;

use steelyard_http::Clean;

use crate::wire::Wire;
use crate::wire::stream::Stream;
use h2::Errand;
use upstream::Upstream;

/// What an endpoint is reached over.
pub(crate) trait Origin: Wire + Sized {
    /// An exchange over it has left nothing behind.
    fn give_back(clean: Clean<Self>, to: &Upstream, now: Instant);
}

impl Origin for Stream {
    fn give_back(clean: Clean<Self>, to: &Upstream, now: Instant) {
        to.give_back(clean, now);
    }
}

/// The connection stays whatever becomes of one request.
impl Origin for Errand {
    fn give_back(_: Clean<Self>, _: &Upstream, _: Instant) {}
}
