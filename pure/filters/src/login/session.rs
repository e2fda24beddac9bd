//! Who is logged in, and for how long: sessions are renewed by one request for all that wait, and
//! for those that come after with what the browser had before.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use steelyard_login::{Grant, GrantFault, Renewal, Session, TokenRequest};
use steelyard_tokens::Claims;

use super::memory::Renewed;
use super::provider::Unknown;
use super::random::{draw, first_of};
use super::terms::{LoginTerms, Which};
use super::visit::Visit;
use super::{Login, Stop, Waits};
use crate::ask::Ask;
use crate::context::{Context, Note};

/// Seconds after which any session ends, however it is used.
const LONGEST: u64 = 30 * 24 * 3600;
/// How long it is not tried again to renew what could not be.
const PAUSE: Duration = Duration::from_secs(10);
/// Renewals that a browser may have missed.
const MOST_MISSED: usize = 64;

impl Login {
    /// Who is logged in, if anybody is.
    pub(super) fn session(
        &mut self,
        cx: &mut Context<'_>,
        visit: &Visit,
    ) -> Result<Option<Session>, Stop> {
        let terms = self.terms.clone();
        let sealed = visit.jar().whole(&terms.cookie(Which::Session, visit.is_tls).name);
        let Some(came) = sealed.and_then(|sealed| Session::open(&terms.keys, &sealed)) else {
            return Ok(None);
        };
        let now = (cx.clock)();
        let Some((mut session, may_try)) = self.latest(&came, cx) else { return Ok(None) };
        if self.kept.has_ended_session(session.id) || is_over(&terms, &session, now) {
            return Ok(None);
        }
        let due = session.renewal.as_ref().filter(|it| terms.auth.is_renewed && now >= it.due);
        if let Some(end) = due.map(|it| it.end) {
            if may_try && !self.has_tried {
                self.renew(cx, &session)?;
                return self.session(cx, visit);
            }
            if now >= end {
                return Err(self.fails(cx, visit, 503, "the session cannot be renewed"));
            }
        }
        let is_old = now.saturating_sub(session.given) > terms.auth.session.seconds / 20;
        if session != came || terms.auth.is_sliding && is_old {
            session.given = now;
            self.give(cx, visit, &session);
        }
        Ok(Some(session))
    }

    /// The latest state of a session, and whether it may be tried to renew that; none where the
    /// issuer has ended it.
    fn latest(&self, came: &Session, cx: &Context<'_>) -> Option<(Session, bool)> {
        let mut session = came.clone();
        for _ in 0..MOST_MISSED {
            match self.kept.renewed(session.digest()) {
                Some(Renewed::To(next)) => session = next,
                Some(Renewed::Over) => return None,
                Some(Renewed::Not(until)) => return Some((session, cx.now >= until)),
                None => return Some((session, true)),
            }
        }
        Some((session, false))
    }

    /// Has it renewed: what came of it is in memory then.
    fn renew(&mut self, cx: &mut Context<'_>, session: &Session) -> Result<(), Stop> {
        if !self.leads {
            self.waits = Waits::Flight;
            return Err(Stop::Ask(Ask::Shared(flight(session))));
        }
        let renewed = match self.grant_of(cx, session) {
            Ok(renewed) => renewed,
            Err(ask) => return Err(Stop::Ask(ask)),
        };
        self.kept.renew(session.digest(), renewed);
        cx.notes.push(Note::Found(flight(session), Bytes::new()));
        (self.leads, self.has_tried) = (false, true);
        Ok(())
    }

    /// What the issuer gives for a session that is due.
    fn grant_of(&mut self, cx: &mut Context<'_>, session: &Session) -> Result<Renewed, Ask> {
        let not = Renewed::Not(cx.now + PAUSE);
        let Some(renewal) = &session.renewal else { return Ok(not) };
        let (document, keys) = match self.provider.known(&self.kept, &self.terms, cx.now) {
            Ok(known) => known,
            Err(Unknown::Ask(ask)) => {
                self.waits = Waits::Provider;
                return Err(ask);
            }
            Err(Unknown::Away(why)) => {
                cx.notes.push(Note::Reason(why));
                return Ok(not);
            }
        };
        let Some(granted) = self.granted.clone() else {
            let request = TokenRequest::Renewal { token: &renewal.token };
            let Ok(ask) = self.letter(&request, &document) else { return Ok(not) };
            self.waits = Waits::Grant;
            return Err(ask);
        };
        let grant = match granted {
            Ok(grant) => grant,
            Err(GrantFault::Over) => return Ok(Renewed::Over),
            Err(fault) => {
                cx.notes.push(Note::Reason(fault.reason()));
                return Ok(not);
            }
        };
        if let Some(token) = &grant.token {
            let known = Claims::of_kept(&session.token);
            let subject = known.as_ref().and_then(Claims::subject);
            match self.identified(cx, &keys, token, None, subject) {
                Ok(_) => {}
                Err(Ok(ask)) => return Err(ask),
                // Somebody else, or what is not believed: nothing that a session goes on by.
                Err(Err(why)) => {
                    cx.notes.push(Note::Reason(why));
                    return Ok(Renewed::Over);
                }
            }
        }
        let now = (cx.clock)();
        Ok(Renewed::To(Session {
            renewal: self::renewal(&self.terms, &grant, Some(&renewal.token), now),
            token: grant.token.unwrap_or_else(|| session.token.clone()),
            given: now,
            ..session.clone()
        }))
    }

    /// The browser is told to keep a session; whether it can.
    pub(super) fn give(&mut self, cx: &Context<'_>, visit: &Visit, session: &Session) -> bool {
        let terms = self.terms.clone();
        let rule = terms.cookie(Which::Session, visit.is_tls);
        let sealed = draw(cx).and_then(|nonce| session.sealed(&terms.keys, first_of(nonce)));
        let now = (cx.clock)();
        let end = end_of(&terms, session).saturating_sub(now);
        let former = visit.jar().pieces(&rule.name);
        let lines = sealed.and_then(|sealed| rule.kept_whole(&sealed, end, former));
        let can = lines.is_some();
        self.cookies.extend(lines.into_iter().flatten());
        can
    }
}

fn flight(session: &Session) -> Arc<str> {
    let digits = session.digest().map(|byte| format!("{byte:02x}")).concat();
    format!("renewal {digits}").into()
}

fn is_over(terms: &LoginTerms, session: &Session, now: u64) -> bool {
    now >= end_of(terms, session)
}

/// When a session ends that is not used any more.
fn end_of(terms: &LoginTerms, session: &Session) -> u64 {
    let from = if terms.auth.is_sliding { session.given } else { session.born };
    let last = session.born.saturating_add(LONGEST);
    from.saturating_add(terms.auth.session.seconds).min(last)
}

/// How a session is renewed: a little before it has to be, so that nobody waits who need not.
pub(super) fn renewal(
    terms: &LoginTerms,
    grant: &Grant,
    former: Option<&str>,
    now: u64,
) -> Option<Renewal> {
    let token = grant.renewal.clone().or_else(|| former.map(str::to_owned));
    let token = token.filter(|_| terms.auth.is_renewed)?;
    let early = (grant.lasts / 5).min(60);
    Some(Renewal { token, due: now + grant.lasts - early, end: now + grant.lasts })
}
