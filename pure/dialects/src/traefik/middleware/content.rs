//! Middlewares that change what is in requests and responses.

use std::sync::Arc;

use steelyard_manifest::kinds::traefik::middleware as written;
use steelyard_model::FieldPath;
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::content::{Compression, ContentCoding, ErrorPages};

use super::{Making, Reader, text, texts};
use crate::codes;

const CODINGS: [(&str, ContentCoding); 3] =
    [("gzip", ContentCoding::Gzip), ("br", ContentCoding::Brotli), ("zstd", ContentCoding::Zstd)];

/// Traefik's default of `compress.minResponseBodyBytes`.
const SMALLEST: u64 = 1024;

impl Reader<'_, '_> {
    pub(super) fn errors(
        &mut self,
        it: &written::ErrorsSpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<Filter> {
        let at = path.key("service");
        let Some(service) = &it.service else {
            self.findings.missing(&at, "name the Service that has the pages");
            return None;
        };
        let statuses = self.statuses(it.status.as_ref(), &path.key("status"));
        let mut rewrites = Vec::new();
        for (range, to) in it.status_rewrites.iter().flatten() {
            let at = path.key("statusRewrites").key(range);
            let from = self.statuses(Some(&vec![range.clone()]), &at);
            let to = self.findings.within(&at, Some(*to), 200..=599)?;
            rewrites.extend(from.into_iter().map(|from| (from, to)));
        }
        let query = text(it.query.as_ref()).unwrap_or_default();
        self.is_value(&query, &path.key("query"))?;
        let names = path.key("errorRequestHeaders");
        for (index, name) in it.error_request_headers.iter().flatten().enumerate() {
            self.is_name(name, &names.index(index))?;
        }
        making.pages = Some(Box::new(self.pages(&service.0, &at, making)));
        Some(Filter::ErrorPages(Box::new(ErrorPages {
            statuses,
            rewrites,
            backend: "".into(),
            query,
            request_headers: it.error_request_headers.as_ref().map(|it| texts(Some(it))),
            told: None,
            spares_backends: false,
            stands_in: false,
        })))
    }

    pub(super) fn compress(
        &mut self,
        it: &written::CompressSpec,
        path: &FieldPath,
    ) -> Option<Filter> {
        let there = |list: &Option<Vec<String>>| list.iter().flatten().next().is_some();
        if there(&it.excluded_content_types) && there(&it.included_content_types) {
            let (excluded, included) =
                (path.key("excludedContentTypes"), path.key("includedContentTypes"));
            self.findings.exclusive(&included, &excluded);
            return None;
        }
        let types = [
            ("excludedContentTypes", &it.excluded_content_types),
            ("includedContentTypes", &it.included_content_types),
        ];
        for (key, types) in types {
            for (index, kind) in types.iter().flatten().enumerate() {
                if !is_media_type(bare(kind)) {
                    let message = format!("`{kind}` is no media type");
                    let at = path.key(key).index(index);
                    self.findings.invalid(codes::INVALID_VALUE, &at, message, "write text/html");
                    return None;
                }
            }
        }
        let at = path.key("encodings");
        let mut encodings = Vec::new();
        for (index, name) in it.encodings.iter().flatten().enumerate() {
            encodings.push(self.findings.choice(&at.index(index), Some(name), &CODINGS)?);
        }
        if encodings.is_empty() {
            encodings = CODINGS.iter().map(|(_, coding)| *coding).collect();
        }
        let default = text(it.default_encoding.as_ref());
        let at = path.key("defaultEncoding");
        let default = match default.as_deref() {
            None => None,
            Some(name) => Some(self.findings.choice(&at, Some(name), &CODINGS)?),
        };
        if let Some(coding) = default.filter(|coding| !encodings.contains(coding)) {
            let message = format!("`{}` is none of the encodings", coding.as_str());
            self.findings.invalid(codes::INVALID_VALUE, &at, message, "add it to `encodings`");
            return None;
        }
        let smallest = path.key("minResponseBodyBytes");
        Some(Filter::Compress(Box::new(Compression {
            excluded: media_types(it.excluded_content_types.as_ref()),
            included: media_types(it.included_content_types.as_ref()),
            smallest: match it.min_response_body_bytes {
                None => SMALLEST,
                written => self.amount(&smallest, written)?,
            },
            encodings,
            default,
            is_nginx: false,
        })))
    }
}

/// A media type without its parameters and blanks: responses are compared by it alone.
fn bare(text: &str) -> &str {
    text.split_once(';').map_or(text, |(bare, _)| bare).trim()
}

/// Whether it is a token, or two with a slash between (RFC 9110, section 8.3.1).
fn is_media_type(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_token = |it: &str| !it.is_empty() && it.bytes().all(is_part);
    let (kind, sub) = text.split_once('/').unwrap_or((text, "x"));
    is_token(kind) && is_token(sub)
}

fn media_types(list: Option<&Vec<String>>) -> Vec<Arc<str>> {
    list.into_iter().flatten().map(|it| bare(it).into()).collect()
}
