//! Which certificate answers a server name.
//!
//! Exact names go before wildcards of one label. Of several certificates for one name each kind of
//! key has the one that is valid longest, and a client is shown the first kind that it can verify:
//! so an RSA and an ECDSA pair stand side by side.

use std::collections::HashMap;
use std::sync::Arc;

use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::tls::Certificate;

/// A certificate, with what its holder keeps beside it.
pub trait Offer {
    /// The certificate.
    fn certificate(&self) -> &Certificate;
}

/// Certificates by what they are for.
#[derive(Debug)]
pub struct CertificateTable<T> {
    exact: ByName<T>,
    /// By what stands behind the wildcard.
    wildcards: ByName<T>,
}

/// Names come from certificates: no client chooses what is hashed.
type ByName<T> = HashMap<Arc<str>, Offers<T>, foldhash::fast::FixedState>;

/// Certificates for one name: by kind of key, in order of preference.
#[derive(Debug)]
struct Offers<T>(Vec<Arc<T>>);

impl<T: Offer> CertificateTable<T> {
    /// A table of all of these.
    pub fn new(all: impl IntoIterator<Item = Arc<T>>) -> Self {
        let mut table = Self::default();
        for offer in all {
            let certificate = offer.certificate();
            for name in &certificate.names {
                let (names, name) = match name {
                    HostPattern::Exact(name) => (&mut table.exact, name),
                    HostPattern::Label(suffix) => (&mut table.wildcards, suffix),
                    HostPattern::Labels(_) | HostPattern::Any => continue,
                };
                names.entry(name.clone()).or_default().add(&offer);
            }
        }
        table
    }

    /// The certificate for a server name (lower case, without a trailing dot) that `fits` the
    /// client; where none does, the best of them all the same, and the handshake says why not.
    pub fn named(&self, name: &str, fits: impl Fn(&T) -> bool) -> Option<&Arc<T>> {
        let exact = self.exact.get(name);
        let suffix = || self.wildcards.get(name.split_once('.').filter(|it| !it.0.is_empty())?.1);
        Self::first(exact.into_iter().chain(suffix()), fits)
    }

    fn first<'t>(
        offers: impl Iterator<Item = &'t Offers<T>> + Clone,
        fits: impl Fn(&T) -> bool,
    ) -> Option<&'t Arc<T>>
    where
        T: 't,
    {
        let mut all = offers.flat_map(|offers| &offers.0);
        let best = all.clone().next();
        all.find(|offer| fits(offer)).or(best)
    }
}

impl<T: Offer> Offers<T> {
    fn add(&mut self, offer: &Arc<T>) {
        let new = offer.certificate();
        match self.0.binary_search_by_key(&new.algorithm, |it| it.certificate().algorithm) {
            Ok(at) => {
                let known = self.0[at].certificate();
                let lasting = |it: &Certificate| (it.validity.1, std::cmp::Reverse(it.id.clone()));
                if lasting(new) > lasting(known) {
                    self.0[at] = offer.clone();
                }
            }
            Err(at) => self.0.insert(at, offer.clone()),
        }
    }
}

impl<T> Default for CertificateTable<T> {
    fn default() -> Self {
        Self { exact: ByName::default(), wildcards: ByName::default() }
    }
}

impl<T> Default for Offers<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl Offer for Certificate {
    fn certificate(&self) -> &Certificate {
        self
    }
}
