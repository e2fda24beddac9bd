//! Middlewares that change paths, and those that lead elsewhere.

use std::sync::Arc;

use steelyard_manifest::kinds::traefik::middleware as written;
use steelyard_model::FieldPath;
use steelyard_model::routing::filter::content::EncodedCharacters;
use steelyard_model::routing::filter::{Filter, RegexRedirection, Rewrite, SchemeRedirection};

use super::{Reader, is, text, texts};
use crate::codes;

impl Reader<'_, '_> {
    pub(super) fn add_prefix(
        &mut self,
        it: &written::AddPrefixSpec,
        path: &FieldPath,
    ) -> Option<Filter> {
        let prefix = self.required(it.prefix.as_ref(), &path.key("prefix"), "write a path")?;
        self.is_of_path(&prefix, &path.key("prefix"))?;
        Some(Filter::Rewrite(Rewrite::AddPrefix(prefix)))
    }

    pub(super) fn strip_prefix(
        &mut self,
        it: &written::StripPrefixSpec,
        path: &FieldPath,
    ) -> Filter {
        if it.force_slash == Some(false) {
            self.idle(&path.key("forceSlash"), "paths begin with a slash");
        }
        Filter::Rewrite(Rewrite::StripPrefix(texts(it.prefixes.as_ref())))
    }

    pub(super) fn strip_expression(
        &mut self,
        it: &written::StripPrefixRegexSpec,
        path: &FieldPath,
    ) -> Option<Filter> {
        let path = path.key("regex");
        let all = it.regex.iter().flatten().enumerate();
        let all: Option<Vec<_>> =
            all.map(|(index, text)| self.expression(text.trim(), &path.index(index))).collect();
        Some(Filter::Rewrite(Rewrite::StripExpression(all?)))
    }

    pub(super) fn replace_path(
        &mut self,
        it: &written::ReplacePathSpec,
        path: &FieldPath,
    ) -> Option<Filter> {
        let to = it.path.as_deref().unwrap_or_default();
        self.is_of_path(to, &path.key("path"))?;
        Some(Filter::Rewrite(Rewrite::Replace(to.into())))
    }

    pub(super) fn replace_expression(
        &mut self,
        it: &written::ReplacePathRegexSpec,
        path: &FieldPath,
    ) -> Option<Filter> {
        let source = it.regex.as_deref().unwrap_or_default().trim();
        let expression = self.expression(source, &path.key("regex"))?;
        let replacement = it.replacement.as_deref().unwrap_or_default().trim();
        self.is_of_path(replacement, &path.key("replacement"))?;
        Some(Filter::Rewrite(Rewrite::Expression(expression, replacement.into())))
    }

    pub(super) fn redirect_scheme(
        &mut self,
        it: &written::RedirectSchemeSpec,
        path: &FieldPath,
    ) -> Option<Filter> {
        let at = path.key("scheme");
        let scheme = self.required(it.scheme.as_ref(), &at, "write https")?;
        let is_scheme = |text: &str| {
            text.starts_with(|letter: char| letter.is_ascii_alphabetic())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        };
        if !is_scheme(&scheme) {
            let message = format!("`{scheme}` is no scheme of URLs");
            self.findings.invalid(codes::INVALID_VALUE, &at, message, "write https");
            return None;
        }
        let port = it.port.as_ref().map(ToString::to_string).filter(|port| !port.is_empty());
        if let Some(number) = &port {
            let number = number.parse().unwrap_or(-1);
            self.findings.port(&path.key("port"), number)?;
        }
        Some(Filter::RedirectScheme(SchemeRedirection {
            scheme,
            port: port.map(Into::into),
            is_permanent: is(it.permanent),
        }))
    }

    pub(super) fn redirect_regex(
        &mut self,
        it: &written::RedirectRegexSpec,
        path: &FieldPath,
    ) -> Option<Filter> {
        let source = self.required(it.regex.as_ref(), &path.key("regex"), "write an expression")?;
        let expression = self.expression(&source, &path.key("regex"))?;
        let replacement = it.replacement.as_deref().unwrap_or_default();
        self.is_of_path(replacement, &path.key("replacement"))?;
        Some(Filter::RedirectRegex(RegexRedirection {
            expression,
            replacement: replacement.into(),
            is_permanent: is(it.permanent),
        }))
    }

    /// What has to be there.
    pub(super) fn required(
        &mut self,
        written: Option<&String>,
        path: &FieldPath,
        help: &str,
    ) -> Option<Arc<str>> {
        let found = text(written);
        if found.is_none() {
            self.findings.missing(path, help);
        }
        found
    }

    /// Says of text that would end the line that it is written to.
    fn is_of_path(&mut self, text: &str, path: &FieldPath) -> Option<()> {
        if !text.bytes().any(|byte| byte.is_ascii_control()) {
            return Some(());
        }
        let message = format!("{path} has characters that no path and no URL has");
        let help = "write it without line ends and other control characters";
        self.findings.invalid(codes::INVALID_VALUE, path, message, help);
        None
    }
}

pub(super) fn encoded_characters(it: &written::EncodedCharactersSpec) -> Filter {
    Filter::EncodedCharacters(EncodedCharacters {
        slash: is(it.allow_encoded_slash),
        back_slash: is(it.allow_encoded_back_slash),
        null: is(it.allow_encoded_null_character),
        semicolon: is(it.allow_encoded_semicolon),
        percent: is(it.allow_encoded_percent),
        question_mark: is(it.allow_encoded_question_mark),
        hash: is(it.allow_encoded_hash),
    })
}
