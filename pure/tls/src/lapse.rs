//! Certificates that are not valid any more, or not for long, or not yet.

use steelyard_model::routing::tls::Certificate;
use steelyard_model::routing::transport::{OriginTls, Roots};
use steelyard_model::{Diagnostic, Provenance, Severity};

use crate::codes::CERTIFICATE_LAPSES;
use crate::material::believed;
use crate::unfit::AUTHORITIES_KEY;

const DAY: i64 = 24 * 60 * 60;

/// Before the end of a certificate that lives for long.
const SOON: i64 = 14 * DAY;

/// How a certificate stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateStanding {
    /// It is valid, and for long enough to say nothing of it.
    Valid,
    /// Not for long: who renews by itself has done so by now.
    Lapsing,
    /// Not any more.
    Lapsed,
    /// Not yet.
    Early,
}

impl CertificateStanding {
    /// Of one that is valid from the first to the second, at `now`; all in seconds since 1970. One
    /// that lives for days is renewed within days: it lapses when a quarter of its life is left.
    pub fn of((since, until): (i64, i64), now: i64) -> Self {
        let soon = SOON.min((until - since) / 4);
        match () {
            () if now >= until => Self::Lapsed,
            () if now < since => Self::Early,
            () if until - now < soon => Self::Lapsing,
            () => Self::Valid,
        }
    }
}

/// What there is to say of a certificate at `now`, in seconds since 1970.
pub fn lapse(certificate: &Certificate, now: i64) -> Option<Diagnostic> {
    let what = format!("the certificate in Secret {}", certificate.id);
    let help = "have it renewed (cert-manager: look at its Certificate), or check the clock";
    said(&what, certificate.validity, (certificate.place.as_ref()?, help), now)
}

/// The same of what endpoints are shown, and of each who is believed of them: whoever was signed by
/// one who is not valid is not.
pub fn lapse_of_origin(tls: &OriginTls, now: i64) -> Vec<Diagnostic> {
    let mut found = Vec::from_iter(tls.client.as_ref().and_then(|it| lapse(it, now)));
    if let (Some(place), Roots::Pem(pem)) = (&tls.place, &tls.roots) {
        let secret = place.object.id();
        let help = "put whoever signs from now on there beside it, and have endpoints signed anew";
        for (name, validity) in believed(pem) {
            let what = format!("`{name}`, believed by `{AUTHORITIES_KEY}` in Secret {secret},");
            found.extend(said(&what, validity, (place, help), now));
        }
    }
    found
}

fn said(
    what: &str,
    (since, until): (i64, i64),
    (place, help): (&Provenance, &str),
    now: i64,
) -> Option<Diagnostic> {
    let (severity, words) = match CertificateStanding::of((since, until), now) {
        CertificateStanding::Valid => return None,
        CertificateStanding::Lapsed => {
            (Severity::Error, format!("is not valid any more, since {}", date(until)))
        }
        CertificateStanding::Early => {
            (Severity::Error, format!("is not valid before {}", date(since)))
        }
        CertificateStanding::Lapsing => {
            (Severity::Warning, format!("is valid until {} only", date(until)))
        }
    };
    let message = format!("{what} {words}");
    Some(Diagnostic::at(severity, CERTIFICATE_LAPSES, place, message, help))
}

/// These seconds since 1970, in UTC, as RFC 3339 has it: `2026-01-02T03:04:05Z`.
pub fn instant(seconds: i64) -> String {
    let time = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", date(seconds))
}

/// The day of these seconds since 1970, in UTC.
pub(crate) fn date(seconds: i64) -> String {
    // Days since 0000-03-01, in eras of 400 years: their years begin in March.
    let days = seconds.div_euclid(DAY) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..=9 => (year, month + 3),
        _ => (year + 1, month - 9),
    };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year)
}
