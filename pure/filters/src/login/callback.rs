//! Where a browser comes back from the issuer, with a code or with an error.

use std::sync::Arc;

use bytes::Bytes;
use steelyard_http::LineEdits;
use steelyard_login::{
    BrowserSecret, GrantFault, LoginPage, Parameters, ProviderDocument, Session, TokenRequest,
    Trip, sent_again,
};
use steelyard_model::routing::cookie::SameSite;
use steelyard_tokens::{Claims, IdentityTerms, KeyRing, TokenFault, verified};

use super::answers::{led, page};
use super::begin::{Begin, kept_as};
use super::provider::{Unknown, fetch};
use super::random::{draw, first_of, halves};
use super::session::renewal;
use super::terms::Which;
use super::visit::Visit;
use super::{Login, Stop, Waits};
use crate::ask::Ask;
use crate::context::{Context, Note};

/// Seconds for which logins that end are counted.
const COUNTED: u64 = 10;

impl Login {
    pub(super) fn callback(&mut self, cx: &mut Context<'_>, visit: &Visit) -> Stop {
        let terms = self.terms.clone();
        let said = Parameters::read(&visit.query);
        let trip = said.get("state").and_then(|state| Trip::read(&terms.keys, state));
        let Some(trip) = trip else {
            return self.fails(cx, visit, 400, "this login was not begun here");
        };
        let secret = visit.jar().first(&terms.cookie(Which::State, visit.is_tls).name);
        let secret = secret.and_then(BrowserSecret::read).filter(|secret| trip.is_of(secret));
        let now = (cx.clock)();
        let Some(secret) = secret.filter(|_| trip.is_in_time(now, terms.auth.state.seconds)) else {
            cx.notes.push(Note::Reason("the login was begun elsewhere, or long ago"));
            return self.again(cx, visit, &trip);
        };
        if !self.is_marked && self.kept.has_ended_trip(trip.mark) {
            cx.notes.push(Note::Reason("the login has ended before"));
            return match self.session(cx, visit) {
                Ok(Some(_)) => Stop::Answer(led(&trip.back, visit)),
                Ok(None) => self.again(cx, visit, &trip),
                Err(stop) => stop,
            };
        }
        if let Some(error) = said.get("error") {
            self.kept.end_trip(trip.mark);
            return self.declined(cx, error, said.get("error_description"), &trip);
        }
        match self.exchanged(cx, visit, &said, &trip, &secret) {
            Ok((session, claims)) => self.welcome(cx, visit, &trip, (&session, &claims)),
            Err(stop) => stop,
        }
    }

    /// What the code is worth.
    fn exchanged(
        &mut self,
        cx: &mut Context<'_>,
        visit: &Visit,
        said: &Parameters,
        trip: &Trip,
        secret: &BrowserSecret,
    ) -> Result<(Session, Claims), Stop> {
        let terms = self.terms.clone();
        let Some(code) = said.get("code") else {
            return Err(self.fails(cx, visit, 400, "the issuer gives no code"));
        };
        let (document, keys) = self.provider_or_503(cx, visit)?;
        let issuer = said.get("iss");
        let is_other = issuer.map_or(document.says_issuer, |issuer| issuer != document.issuer);
        if is_other {
            return Err(self.fails(cx, visit, 400, "the answer is by another issuer"));
        }
        let Some(granted) = self.granted.clone() else {
            if !self.kept.end_trip(trip.mark) && !self.is_marked {
                return Err(self.again(cx, visit, trip));
            }
            self.is_marked = true;
            let verifier = trip.verifier(&terms.keys, secret);
            let verifier = terms.auth.has_proof.then_some(&*verifier);
            let redirect = self.back(visit);
            let request = TokenRequest::Code { code, redirect: &redirect, verifier };
            return Err(self.ask_for(cx, visit, &request, &document));
        };
        let grant = match granted {
            Ok(grant) => grant,
            Err(fault @ GrantFault::Away) => {
                return Err(self.fails(cx, visit, 503, fault.reason()));
            }
            Err(fault) => return Err(self.fails(cx, visit, 502, fault.reason())),
        };
        let Some(token) = grant.token.clone() else {
            return Err(self.fails(cx, visit, 502, "the issuer gives no ID token"));
        };
        let nonce = trip.nonce(&terms.keys, secret);
        let claims = match self.identified(cx, &keys, &token, Some(&nonce), None) {
            Ok(claims) => claims,
            Err(Ok(ask)) => return Err(Stop::Ask(ask)),
            Err(Err(why)) => return Err(self.fails(cx, visit, 403, why)),
        };
        let Some(id) = draw(cx) else {
            return Err(self.fails(cx, visit, 503, "there is no randomness"));
        };
        let now = (cx.clock)();
        let renewal = renewal(&terms, &grant, None, now);
        Ok((Session { id: first_of(id), born: now, given: now, renewal, token }, claims))
    }

    /// The session is the browser's from now on, and it goes where it wanted to.
    fn welcome(
        &mut self,
        cx: &mut Context<'_>,
        visit: &Visit,
        trip: &Trip,
        (session, claims): (&Session, &Claims),
    ) -> Stop {
        let terms = self.terms.clone();
        let key = draw(cx).map_or([0; 16], |bytes| halves(bytes).1);
        if !self.give(cx, visit, session) {
            return self.fails(cx, visit, 502, "what the issuer says is too much for a session");
        }
        if let Some(user) = terms.auth.user.as_ref().and_then(|path| claims.text(path)) {
            cx.notes.push(Note::User(user.as_ref().into()));
        }
        let count = terms.cookie(Which::Count, visit.is_tls);
        let ended = visit.jar().first(&count.name).and_then(|it| it.parse::<u32>().ok());
        let ended = ended.unwrap_or_default().saturating_add(1);
        self.cookies.push(count.kept(&ended.to_string(), COUNTED));
        if trip.is_resent {
            return Stop::Answer(page(200, sent_again(&trip.back, &kept_as(trip.mark), key)));
        }
        // A browser that is led from elsewhere would not bring such a cookie.
        match terms.auth.session.same_site {
            SameSite::Strict => Stop::Answer(page(200, LoginPage::leads(&trip.back))),
            SameSite::Lax | SameSite::None => Stop::Answer(led(&trip.back, visit)),
        }
    }

    /// The issuer says why there is no login. It is not asked again by itself: it would say the
    /// same.
    fn declined(&self, cx: &mut Context<'_>, error: &str, more: Option<&str>, trip: &Trip) -> Stop {
        cx.notes.push(Note::Reason("the issuer has declined the login"));
        let status = if error == "access_denied" { 403 } else { 502 };
        let cut = |text: &str| text.chars().take(200).collect::<String>();
        let words = match more {
            Some(more) => format!("The issuer says: {} ({}).", cut(more), cut(error)),
            None => format!("The issuer says: {}.", cut(error)),
        };
        let again = steelyard_login::Onward::Link(&trip.back, "Try again");
        let page_of = LoginPage::says("The login was declined", &words, Some(again));
        Stop::Answer(page(status, page_of))
    }

    /// A login that cannot end begins anew, a few times.
    fn again(&mut self, cx: &mut Context<'_>, visit: &Visit, trip: &Trip) -> Stop {
        let tries = trip.tries.saturating_add(1);
        self.begin(cx, visit, Begin { back: trip.back.clone(), tries, form: None })
    }

    /// What the issuer says of itself; else what is asked for it, or 503.
    pub(super) fn provider_or_503(
        &mut self,
        cx: &mut Context<'_>,
        visit: &Visit,
    ) -> Result<(Arc<ProviderDocument>, KeyRing), Stop> {
        match self.provider.known(&self.kept, &self.terms, cx.now) {
            Ok(known) => Ok(known),
            Err(Unknown::Ask(ask)) => {
                self.waits = Waits::Provider;
                Err(Stop::Ask(ask))
            }
            Err(Unknown::Away(why)) => Err(self.fails(cx, visit, 503, why)),
        }
    }

    /// Asks the issuer for a grant.
    fn ask_for(
        &mut self,
        cx: &mut Context<'_>,
        visit: &Visit,
        request: &TokenRequest<'_>,
        document: &ProviderDocument,
    ) -> Stop {
        match self.letter(request, document) {
            Ok(ask) => {
                self.waits = Waits::Grant;
                Stop::Ask(ask)
            }
            Err(why) => self.fails(cx, visit, 503, why),
        }
    }

    pub(super) fn letter(
        &self,
        request: &TokenRequest<'_>,
        document: &ProviderDocument,
    ) -> Result<Ask, &'static str> {
        let client = self.terms.client(document.takes_secret_in_body);
        let (form, authorization) = request.written(&client);
        let mut lines = LineEdits::default();
        _ = lines.add("Content-Type", b"application/x-www-form-urlencoded");
        if let Some(line) = authorization {
            _ = lines.add("Authorization", line.as_bytes());
        }
        let to = &document.token;
        fetch(&self.terms.auth.issuer, to, &to.target, Bytes::from(form), lines)
    }

    /// Whose token it is; else what is to be asked first, or why it is not believed.
    pub(super) fn identified(
        &mut self,
        cx: &Context<'_>,
        keys: &KeyRing,
        token: &str,
        nonce: Option<&str>,
        subject: Option<&str>,
    ) -> Result<Claims, Result<Ask, &'static str>> {
        let now = i64::try_from((cx.clock)()).unwrap_or(i64::MAX);
        let claims = match verified(token, keys, now) {
            Ok(claims) => claims,
            Err(TokenFault::Signature(Some(name)))
                if !keys.has(&name) && self.provider.has_other_keys(&self.kept, cx.now) =>
            {
                let known = self.provider.known(&self.kept, &self.terms, cx.now);
                let Err(Unknown::Ask(ask)) = known else {
                    return Err(Err(TokenFault::Signature(None).reason()));
                };
                self.waits = Waits::Provider;
                return Err(Ok(ask));
            }
            Err(fault) => return Err(Err(fault.reason())),
        };
        let terms = IdentityTerms {
            issuer: &self.terms.auth.issuer.name,
            client: self.terms.client(false).id,
            nonce,
            subject,
        };
        claims.identify(&terms, now).map_err(|fault| Err(fault.reason()))?;
        Ok(claims)
    }
}
