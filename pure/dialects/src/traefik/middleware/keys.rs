//! Middlewares of our own beside Traefik's, and what Traefik Hub has for keys.

use std::sync::Arc;

use steelyard_manifest::kinds::traefik::middleware as written;
use steelyard_model::FieldPath;
use steelyard_model::filter_draft::SecretPurpose;
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::key::{KeyAuth, SECRET_PLACE, secret_place};
use steelyard_passwords::PasswordHash;

use super::{Making, Reader, is, text};
use crate::codes;
use crate::traefik::rule::{self, RuleSubject, RuleSyntax};

/// Keys that one middleware may know: each of them is tried.
const MOST_KEYS: usize = 32;

impl Reader<'_, '_> {
    pub(super) fn api_key(
        &mut self,
        it: &written::ApiKeySpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<Filter> {
        let at = path.key("keySource");
        let source = it.key_source.clone().unwrap_or_default();
        let header = text(source.header.as_ref());
        let (parameter, cookie) = (text(source.query.as_ref()), text(source.cookie.as_ref()));
        if header.is_none() && parameter.is_none() && cookie.is_none() {
            self.findings.missing(&at, "write `header`, `query` or `cookie`");
            return None;
        }
        if let Some(name) = &header {
            self.is_name(name, &at.key("header"))?;
        }
        let hashes = self.key_hashes(it, &path.key("secretValues"), making)?;
        Some(Filter::ApiKey(KeyAuth {
            header,
            scheme: text(source.header_auth_scheme.as_ref()),
            parameter,
            cookie,
            is_encoded: !is(it.secret_non_base64_encoded),
            hashes,
        }))
    }

    /// Hashes, each of which must be of use, or the place of one.
    fn key_hashes(
        &mut self,
        it: &written::ApiKeySpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<Vec<Arc<str>>> {
        let values: Vec<&String> = it.secret_values.iter().flatten().collect();
        if values.is_empty() {
            self.findings.missing(path, "write hashes of the keys, as `htpasswd` makes them");
            return None;
        }
        if values.len() > MOST_KEYS {
            let message = format!("{} keys are more than can be tried", values.len());
            let help = "write 32 at most for one middleware";
            self.findings.invalid(codes::INVALID_VALUE, path, message, help);
            return None;
        }
        for (index, value) in values.iter().enumerate() {
            let at = path.index(index);
            if value.starts_with(SECRET_PLACE) {
                let Some((name, _)) = secret_place(value) else {
                    let message = format!("`{value}` names no key of a Secret");
                    let help = "write urn:k8s:secret:NAME:KEY";
                    self.findings.invalid(codes::INVALID_VALUE, &at, message, help);
                    return None;
                };
                self.named_secret(Some(&name.to_owned()), (&at, SecretPurpose::Keys), making)?;
            } else if let Err(why) = PasswordHash::read(value) {
                let message = format!("no key opens by this: {why}");
                let help = "write what `htpasswd -nbB \"\" KEY | cut -c 2-` prints";
                self.findings.invalid(codes::INVALID_VALUE, &at, message, help);
                return None;
            }
        }
        Some(values.into_iter().map(|it| it.as_str().into()).collect())
    }

    /// A middleware that is not applied to what a rule holds for. A rule that cannot be read to its
    /// end exempts nothing: the middleware cannot be had.
    pub(super) fn unless(
        &mut self,
        it: &written::UnlessSpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<Filter> {
        let at = path.key("match");
        let help = "write a rule: what it holds for is exempted";
        let exempted = self.required(it.rule.as_ref(), &at, help)?;
        let read = rule::rule(&exempted, RuleSubject::Requests, RuleSyntax::V3);
        let mistakes = match &read {
            Ok(read) => read.mistakes.as_slice(),
            Err(mistake) => std::slice::from_ref(mistake),
        };
        for mistake in mistakes {
            let part = exempted.get(mistake.at.clone()).unwrap_or_default();
            let message = format!("`{exempted}` cannot be read: {}, at `{part}`", mistake.what);
            self.findings.invalid(codes::INVALID_VALUE, &at, message, mistake.what.help());
            self.findings.part(&exempted, mistake.at.clone());
        }
        let read = read.ok().filter(|read| read.mistakes.is_empty())?;
        let at = path.key("middleware");
        let Some(member) = &it.middleware else {
            self.findings.missing(&at, "name the middleware that others pass");
            return None;
        };
        let link = self.member(&member.0, &at, making)?;
        making.members.push(link);
        Some(Filter::When(read.rule.negated(), "".into()))
    }
}
