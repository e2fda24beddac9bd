//! Where people log out: at the issuer too, where it can be (OpenID Connect RP-Initiated Logout 1.0
//! §2).
//!
//! It is done where a page of this very site asks for it; for whoever else asks it is asked whether
//! that is meant, so that no other site logs anybody out.

use steelyard_login::{LoginPage, Onward, Session, with_query};

use super::answers::{led, page};
use super::begin::whole;
use super::provider::Unknown;
use super::terms::Which;
use super::visit::Visit;
use super::{Login, Stop, Waits};
use crate::context::Context;

/// Bytes of a token that the issuer is shown, at most: it stands in an URL.
const LONGEST_HINT: usize = 4 << 10;

impl Login {
    pub(super) fn logout(&mut self, cx: &mut Context<'_>, visit: &Visit) -> Stop {
        let is_meant = visit.is_own && (visit.method == "POST" || visit.is_look() && visit.is_page);
        if !is_meant {
            let button = Onward::Button(&visit.path, "Log out");
            return Stop::Answer(page(200, LoginPage::says("Log out?", "", Some(button))));
        }
        let terms = self.terms.clone();
        let issuer_place = match self.provider.known(&self.kept, &terms, cx.now) {
            Ok((document, _)) => document.logout.clone(),
            Err(Unknown::Ask(ask)) => {
                self.waits = Waits::Provider;
                return Stop::Ask(ask);
            }
            // Here at least.
            Err(Unknown::Away(_)) => None,
        };
        let session = self.forget(visit);
        let after = terms.auth.places.after_logout.as_deref();
        let Some(place) = issuer_place.filter(|_| session.is_some()) else {
            return match after {
                Some(after) => Stop::Answer(led(after, visit)),
                None => Stop::Answer(page(200, LoginPage::says("Logged out", "", None))),
            };
        };
        let after = after.map(|after| whole(after, visit));
        let mut pairs = vec![("client_id", terms.client(false).id)];
        let hint = session.as_ref().map(|session| &*session.token);
        pairs.extend(hint.filter(|it| it.len() <= LONGEST_HINT).map(|it| ("id_token_hint", it)));
        pairs.extend(after.as_deref().map(|after| ("post_logout_redirect_uri", after)));
        Stop::Answer(led(&with_query(&place, pairs), visit))
    }

    /// Nothing of it is left, here and in the browser: what session it was.
    fn forget(&mut self, visit: &Visit) -> Option<Session> {
        let jar = visit.jar();
        let kept = self.terms.cookie(Which::Session, visit.is_tls);
        let state = self.terms.cookie(Which::State, visit.is_tls);
        let session = jar.whole(&kept.name).and_then(|it| Session::open(&self.terms.keys, &it));
        if let Some(session) = &session {
            self.kept.end_session(session.id);
        }
        self.cookies.extend(kept.gone(0..jar.pieces(&kept.name)));
        self.cookies.extend(state.gone(0..1));
        session
    }
}
