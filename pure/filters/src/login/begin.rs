//! Where a login begins: the browser is led to the issuer.

use bytes::Bytes;
use steelyard_login::{BrowserSecret, Parameters, Trip, resent_later, return_path, with_query};

use super::answers::{led, page};
use super::provider::Unknown;
use super::random::{draw, first_of, halves};
use super::terms::{Which, path_of};
use super::visit::Visit;
use super::{Login, Stop, Waits};
use crate::ask::Ask;
use crate::context::Context;

/// Bytes of a form that is kept by the browser until the login is over, at most.
const LARGEST_FORM: usize = 64 << 10;
/// Logins that may end within seconds of each other, and those that may fail one after the other:
/// what goes on like that goes in circles.
const MOST_ENDED: usize = 5;
const MOST_TRIES: u8 = 2;

/// A login that is to begin.
pub(super) struct Begin {
    /// Where it leads back.
    pub(super) back: String,
    /// How many failed before it.
    pub(super) tries: u8,
    /// What was sent is sent again.
    pub(super) form: Option<Bytes>,
}

impl Login {
    /// Somebody who is not logged in.
    pub(super) fn stranger(&mut self, cx: &mut Context<'_>, visit: &Visit) -> Stop {
        let places = &self.terms.auth.places;
        let login = places.login.as_deref().map(|place| path_of(place).to_owned());
        if places.has_no_login {
            return self.refused(cx, visit, None);
        }
        let Some(back) = visit.target().filter(|_| visit.is_page && login.is_none()) else {
            return self.refused(cx, visit, login.as_deref());
        };
        if visit.is_look() {
            return self.begin(cx, visit, Begin { back, tries: 0, form: None });
        }
        // Who would send again what another site has sent would do its bidding, and what is sent
        // somewhere near would be done to something else.
        if visit.method != "POST" || !visit.is_form || !visit.is_own || visit.is_cut() {
            return self.refused(cx, visit, Some(&back));
        }
        match self.sent.clone() {
            None => {
                self.waits = Waits::Body;
                Stop::Ask(Ask::Body { max: LARGEST_FORM })
            }
            Some(None) => self.refused(cx, visit, Some(&back)),
            Some(form) => self.begin(cx, visit, Begin { back, tries: 0, form }),
        }
    }

    /// A login that is asked for.
    pub(super) fn begin_at_login(&mut self, cx: &mut Context<'_>, visit: &Visit) -> Stop {
        let asked = Parameters::read(&visit.query);
        let asked = asked.get("rd").and_then(return_path).map(str::to_owned);
        // What is led back to is the same place, which leads on.
        let back = asked.unwrap_or_else(|| visit.path.clone());
        self.begin(cx, visit, Begin { back, tries: 0, form: None })
    }

    /// A login is asked for by who is logged in.
    pub(super) fn already(&self, visit: &Visit) -> Stop {
        let asked = Parameters::read(&visit.query);
        let asked = asked.get("rd").and_then(return_path);
        let after = self.terms.auth.places.after_login.as_deref();
        Stop::Answer(led(asked.or(after).unwrap_or("/"), visit))
    }

    pub(super) fn begin(&mut self, cx: &mut Context<'_>, visit: &Visit, begin: Begin) -> Stop {
        let terms = self.terms.clone();
        let jar = visit.jar();
        let count = jar.first(&terms.cookie(Which::Count, visit.is_tls).name);
        let count = count.and_then(|count| count.parse::<usize>().ok()).unwrap_or_default();
        if begin.tries > MOST_TRIES || count >= MOST_ENDED {
            return self.fails(cx, visit, 403, "the browser does not keep cookies of this site");
        }
        let document = match self.provider.known(&self.kept, &terms, cx.now) {
            Ok((document, _)) => document,
            Err(Unknown::Ask(ask)) => {
                self.waits = Waits::Provider;
                return Stop::Ask(ask);
            }
            Err(Unknown::Away(why)) => return self.fails(cx, visit, 503, why),
        };
        let rule = terms.cookie(Which::State, visit.is_tls);
        let known = jar.first(&rule.name).and_then(BrowserSecret::read);
        let ((Some(first), Some(second)), Some(nonce)) = ((draw(cx), draw(cx)), draw(cx)) else {
            return self.fails(cx, visit, 503, "there is no randomness");
        };
        let secret = known.unwrap_or_else(|| BrowserSecret::new(first));
        let (mark, key) = halves(second);
        let mut trip = Trip::begin(mark, (cx.clock)(), &begin.back, &secret);
        trip.tries = begin.tries;
        trip.is_resent = begin.form.is_some();
        let Some(state) = trip.state(&terms.keys, first_of(nonce)) else {
            return self.fails(cx, visit, 503, "a login cannot be sealed");
        };
        self.cookies.push(rule.kept(&secret.text(), terms.auth.state.seconds));
        let to = self.at_issuer(&document.login, &trip, &secret, &state, visit);
        match begin.form {
            None => Stop::Answer(led(&to, visit)),
            Some(form) => {
                let form = String::from_utf8_lossy(&form);
                Stop::Answer(page(401, resent_later(&form, &kept_as(trip.mark), &to, key)))
            }
        }
    }

    /// Where the issuer logs people in (OpenID Connect Core 1.0 §3.1.2.1).
    fn at_issuer(
        &self,
        login: &str,
        trip: &Trip,
        secret: &BrowserSecret,
        state: &str,
        visit: &Visit,
    ) -> String {
        let terms = &self.terms;
        let (scopes, back) = (terms.auth.scopes.join(" "), self.back(visit));
        let nonce = trip.nonce(&terms.keys, secret);
        let proof = Trip::challenge(&trip.verifier(&terms.keys, secret));
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", terms.client(false).id),
            ("redirect_uri", &back),
            ("scope", &scopes),
            ("state", state),
            ("nonce", &nonce),
        ];
        if terms.auth.has_proof {
            pairs.extend([("code_challenge", &*proof), ("code_challenge_method", "S256")]);
        }
        let more = terms.auth.parameters.iter();
        pairs.extend(more.map(|(name, value)| (&**name, &**value)));
        with_query(login, pairs)
    }

    /// Where the browser comes back, as the issuer knows it.
    pub(super) fn back(&self, visit: &Visit) -> String {
        whole(&self.terms.auth.places.back, visit)
    }
}

/// A place as a whole URL.
pub(super) fn whole(place: &str, visit: &Visit) -> String {
    if place.starts_with('/') { format!("{}{place}", visit.site) } else { place.to_owned() }
}

/// What a form is kept as, in the tab.
pub(super) fn kept_as(mark: [u8; 16]) -> String {
    let digits = mark.iter().map(|byte| format!("{byte:02x}"));
    format!("steelyard-{}", digits.collect::<String>())
}
