//! Whose signatures are believed, for as long as their own certificates are valid.
//!
//! rustls takes an anchor for a name and a key (RFC 5280 §6.1.1) and asks for no time. OpenSSL and
//! Go, by which ingress-nginx and Traefik verify, believe nobody whose own time is over; nor do we.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, UnixTime};

/// Those who are believed, and what verifies by those of them who are valid.
#[derive(Debug)]
pub(super) struct Anchors<V: ?Sized> {
    /// From when to when each is valid, in seconds since 1970 (UTC).
    all: Vec<(CertificateDer<'static>, (i64, i64))>,
    make: Make<V>,
    present: ArcSwap<Present<V>>,
}

/// Makes what verifies.
struct Make<V: ?Sized>(Box<dyn Fn(RootCertStore) -> Option<Arc<V>> + Send + Sync>);

impl<V: ?Sized> fmt::Debug for Make<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Make")
    }
}

/// What holds for a while: until one more of them begins or ceases to be valid.
#[derive(Debug)]
struct Present<V: ?Sized> {
    since: i64,
    until: i64,
    verifier: Option<Arc<V>>,
}

impl<V: ?Sized> Anchors<V> {
    /// By certificates, of which those that are none are left out.
    pub(super) fn new(
        all: impl IntoIterator<Item = CertificateDer<'static>>,
        make: impl Fn(RootCertStore) -> Option<Arc<V>> + Send + Sync + 'static,
    ) -> Self {
        let aged = |der: CertificateDer<'static>| {
            let validity = steelyard_tls::validity(&der)?;
            Some((der, validity))
        };
        let all = all.into_iter().filter_map(aged).collect();
        let nothing = Present { since: i64::MAX, until: i64::MIN, verifier: None };
        Self { all, make: Make(Box::new(make)), present: ArcSwap::from_pointee(nothing) }
    }

    /// Whether it is one of them.
    pub(super) fn contains(&self, certificate: &CertificateDer<'_>) -> bool {
        self.all.iter().any(|(known, _)| known == certificate)
    }

    /// What verifies at a moment; none where nobody is to be believed.
    pub(super) fn at(&self, now: UnixTime) -> Option<Arc<V>> {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let present = self.present.load();
        if (present.since..present.until).contains(&now) {
            return present.verifier.clone();
        }
        let made = self.made(now);
        let verifier = made.verifier.clone();
        self.present.store(Arc::new(made));
        verifier
    }

    fn made(&self, now: i64) -> Present<V> {
        let mut store = RootCertStore::empty();
        let (mut since, mut until) = (i64::MIN, i64::MAX);
        for (certificate, (begin, end)) in &self.all {
            // The second in which one ends still counts (RFC 5280 §4.1.2.5).
            let end = end.saturating_add(1);
            if (*begin..end).contains(&now) {
                let _ = store.add(certificate.clone());
            }
            for edge in [*begin, end] {
                if edge <= now {
                    since = since.max(edge);
                } else {
                    until = until.min(edge);
                }
            }
        }
        let verifier = if store.is_empty() { None } else { (self.make.0)(store) };
        Present { since, until, verifier }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn valid(years: (i32, i32)) -> CertificateDer<'static> {
        let mut asked = rcgen::CertificateParams::new(Vec::new()).unwrap();
        asked.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        asked.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        asked.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        asked.self_signed(&key).unwrap().der().clone()
    }

    /// Also when time goes backwards.
    #[test]
    fn who_is_believed_is_who_is_valid_then() {
        /// Of 2000, 2010, …; 2000 had a leap day.
        const YEARS: [u64; 5] =
            [946_684_800, 1_262_304_000, 1_577_836_800, 1_893_456_000, 2_208_988_800];
        let junk = CertificateDer::from(vec![0x30, 0]);
        let all = [valid((2010, 2030)), junk, valid((2000, 2020))];
        let anchors = Anchors::<RootCertStore>::new(all, |store| Some(Arc::new(store)));
        let at = |seconds| {
            let verifier = anchors.at(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
            verifier.map_or(0, |store| store.len())
        };
        let [y2000, y2010, y2020, y2030, y2040] = YEARS;
        for (seconds, expected) in [
            (y2000 - 1, 0),
            (y2000, 1),
            (y2010 - 1, 1),
            (y2010, 2),
            (y2020, 2),
            (y2020 + 1, 1),
            (y2030, 1),
            (y2030 + 1, 0),
            (y2040, 0),
            (y2010, 2),
            (y2000, 1),
        ] {
            assert_eq!(at(seconds), expected, "{seconds}");
        }
    }
}
