//! Lists: what is searched for, in which order, and which page of it (Traefik, `pkg/api`,
//! `criterion.go` and `sort.go`).

use std::borrow::Cow;

use crate::fault::Status;
use crate::names::provider;
use crate::row::{Row, Rows};

/// Rows of a page, where nothing is said.
const PER_PAGE: usize = 100;

/// What a query asks for; of a parameter that is there more than once, the first.
pub(crate) struct Query<'q>(Vec<(Cow<'q, str>, Cow<'q, str>)>);

/// A page of a list.
pub(crate) struct Page<'r> {
    pub(crate) rows: Vec<(&'r str, &'r Row)>,
    /// The page behind it; 1 where there is none.
    pub(crate) next: usize,
}

/// Parameters of a query, at most: whoever has more is not read to the end.
const MOST_PARAMETERS: usize = 32;

impl<'q> Query<'q> {
    pub(crate) fn parse(text: &'q str) -> Self {
        let pairs = text.split('&').filter(|it| !it.is_empty()).take(MOST_PARAMETERS);
        let pair = |it: &'q str| {
            let (name, value) = it.split_once('=').unwrap_or((it, ""));
            Some((decoded(name, true)?, decoded(value, true)?))
        };
        Self(pairs.filter_map(pair).collect())
    }

    fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(its, _)| its == name);
        found.map_or("", |(_, value)| value)
    }

    /// A number above zero, or what is said of one that is none.
    fn number(&self, name: &str, usual: usize) -> Result<usize, String> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(usual);
        }
        let number = text.parse::<i64>().unwrap_or_default();
        let wrong = || format!("invalid request: {name}: {number}");
        usize::try_from(number).ok().filter(|it| *it > 0).ok_or_else(wrong)
    }
}

/// The page of rows that a query asks for.
///
/// # Errors
/// Where there is no such page: what Traefik says of that.
pub(crate) fn page<'r>(rows: &'r Rows, query: &Query<'_>) -> Result<Page<'r>, String> {
    let mut found: Vec<(&str, &Row)> =
        rows.iter().map(|(name, row)| (&**name, row)).filter(|it| is_meant(*it, query)).collect();
    sort(&mut found, query);
    let per_page = query.number("per_page", PER_PAGE)?;
    let page = query.number("page", 1)?;
    let (all, begin) = (found.len(), (page - 1).saturating_mul(per_page));
    if begin != 0 && begin >= all {
        return Err(format!("invalid request: page: {page}, per_page: {per_page}"));
    }
    let end = begin.saturating_add(per_page);
    let next = if end < all { page + 1 } else { 1 };
    Ok(Page { rows: found.drain(begin..end.min(all)).collect(), next })
}

fn is_meant((name, row): (&str, &Row), query: &Query<'_>) -> bool {
    let status = query.get("status");
    let search = query.get("search").to_lowercase();
    let is_in = |text: &str| text.to_lowercase().contains(&search);
    let (service, middleware) = (query.get("serviceName"), query.get("middlewareName"));
    (status.is_empty() || row.status.as_str().eq_ignore_ascii_case(status))
        && (search.is_empty() || is_in(name) || is_in(&row.rule))
        && (service.is_empty() || is_of(&row.service, service))
        && (middleware.is_empty() || row.middlewares.iter().any(|it| **it == *middleware))
}

/// A service that says no provider is meant whoever provides it.
fn is_of(service: &str, wanted: &str) -> bool {
    match service.contains('@') {
        true => service == wanted,
        false => wanted.split('@').next() == Some(service),
    }
}

fn sort(rows: &mut [(&str, &Row)], query: &Query<'_>) {
    match query.get("sortBy") {
        "provider" => rows.sort_by_key(|(name, _)| provider(name)),
        "priority" | "validUntil" => rows.sort_by_key(|(_, row)| row.priority),
        "status" => rows.sort_by_key(|(_, row)| Status::as_str(row.status)),
        "rule" => rows.sort_by_key(|(_, row)| &row.rule),
        "service" | "issuer" => rows.sort_by_key(|(_, row)| &row.service),
        "type" => rows.sort_by_key(|(_, row)| row.kind),
        "entryPoints" | "servers" => rows.sort_by_key(|(_, row)| row.count),
        // By name, as they stand.
        _ => rows.sort_by_key(|(_, row)| &row.label),
    }
    if !matches!(query.get("direction"), "" | "asc") {
        rows.reverse();
    }
}

/// A text without its escapes; none where these are none.
pub(crate) fn decoded(text: &str, is_query: bool) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(text.into());
    }
    let (mut out, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' if is_query => b' ',
            b'%' => digit(bytes.next()?)? * 16 + digit(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(out).ok().map(Cow::from)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok())
}
