//! How endpoints are chosen and asked: `load-balance`, `upstream-hash-by`, `affinity` with its
//! cookie, `upstream-vhost`.

use std::sync::Arc;

use steelyard_model::router_draft::CookieDraft;
use steelyard_model::routing::backend::{Algorithm, HashKey, SameSite, StickyValue};
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::content::HeaderRules;
use steelyard_model::routing::filter::nginx::NginxStep;
use steelyard_model::routing::variables::VariableText;
use steelyard_model::{BalanceDraft, OwnFilter, PassPhase};

use super::{Asked, value};
use crate::annotation;

const NAME: &str = "INGRESSCOOKIE";
/// Ways to choose that ingress-nginx takes, and that something else asks for.
const OTHERS: [&str; 4] = ["chash", "chashsubset", "sticky_balanced", "sticky_persistent"];
/// Endpoints of a subset, where nothing is said.
const SUBSET: u32 = 3;

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    let algorithm = algorithm(asked);
    let cookie = cookie(asked);
    if algorithm.is_some() || cookie.is_some() {
        asked.reading.balance = Some(Box::new(BalanceDraft { algorithm, cookie }));
    }
    let Some(host) = asked.written("upstream-vhost") else { return };
    if value::server(host).is_none() {
        return asked.close("upstream-vhost", "write the name of a host");
    }
    if host.contains('$') {
        return named(asked, host);
    }
    let mut rules = HeaderRules::default();
    rules.request.insert("Host".into(), host.into());
    let filter = Filter::Headers(rules.into());
    asked.reading.passes.push(OwnFilter::new(PassPhase::Content, "vhost", filter));
}

/// A host in which variables stand, those of the location put in.
fn named(asked: &mut Asked<'_, '_>, host: &str) {
    let Ok(text) = VariableText::read_of_place(host) else {
        return asked
            .close("upstream-vhost", "write the name of a host, with variables if need be");
    };
    for (index, route) in asked.routes.iter().enumerate() {
        let object = asked.findings.object().id();
        let lines = vec![("Host".into(), text.placed(&|word| route.says(&object, word)))];
        let name = if text.is_of_place() { format!("vhost/{index}") } else { "vhost".to_owned() };
        let of = text.is_of_place().then(|| route.id.clone());
        let is_for_all = of.is_none();
        asked.pass(PassPhase::Content, &name, NginxStep::Tell(lines), of);
        if is_for_all {
            return;
        }
    }
}

/// By a hash, else as is said.
fn algorithm(asked: &mut Asked<'_, '_>) -> Option<Algorithm> {
    if let Some(written) = asked.written("upstream-hash-by") {
        if !written.chars().all(is_hashed) {
            asked.close("upstream-hash-by", KNOWN);
            return None;
        }
        let key = hash_key(written);
        if key.is_none() {
            let annotation = asked.key("upstream-hash-by");
            let message = format!(
                "annotation `{annotation}: {written}` has a variable that is not known here: its \
                 requests are shared out as without it"
            );
            annotation::not_honoured(&annotation, message, KNOWN, asked.findings);
        }
        let size = subset(asked);
        return key.map(|key| match size {
            Some(size) => Algorithm::Subset(Box::new(key), size),
            None => Algorithm::Maglev(Box::new(key)),
        });
    }
    match asked.written("load-balance")? {
        "ewma" => Some(Algorithm::PeakEwma),
        "round_robin" => {
            asked.without("load-balance");
            None
        }
        it => {
            let help = "write `round_robin` or `ewma`, or use upstream-hash-by";
            match OTHERS.contains(&it) {
                true => _ = asked.value("load-balance", |_| None::<()>, help),
                false => asked.close("load-balance", help),
            }
            None
        }
    }
}

/// Within how many endpoints a key stays, where it is not one.
fn subset(asked: &mut Asked<'_, '_>) -> Option<u32> {
    let is_asked = asked.switch("upstream-hash-by-subset").unwrap_or_default();
    let name = "upstream-hash-by-subset-size";
    let size = match asked.written(name).map(str::parse::<u32>) {
        None | Some(Ok(0)) => SUBSET,
        Some(Ok(size)) => size,
        Some(Err(_)) => {
            asked.close(name, "write a whole number above 0");
            return None;
        }
    };
    is_asked.then_some(size)
}

const KNOWN: &str = "write variables such as `$request_uri`, `$remote_addr`, `$host`, \
                     `$http_NAME`, `$cookie_NAME`, `$arg_NAME`";

/// What ingress-nginx takes there.
fn is_hashed(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_${}".contains(letter)
}

/// Variables and texts, one behind the other; none where a variable is not known here.
fn hash_key(text: &str) -> Option<HashKey> {
    let (mut keys, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let Some(after) = rest.strip_prefix('$') else {
            let end = rest.find('$').unwrap_or(rest.len());
            let (plain, further) = rest.split_at(end);
            keys.push(HashKey::Text(plain.into()));
            rest = further;
            continue;
        };
        let (name, further) = match after.strip_prefix('{') {
            Some(braced) => braced.split_once('}')?,
            None => {
                let is_part = |it: char| it.is_ascii_alphanumeric() || it == '_';
                after.split_at(after.find(|it| !is_part(it)).unwrap_or(after.len()))
            }
        };
        keys.push(variable(name)?);
        rest = further;
    }
    match <[HashKey; 1]>::try_from(keys) {
        Ok([one]) => Some(one),
        Err(several) => Some(HashKey::All(several)),
    }
}

fn variable(name: &str) -> Option<HashKey> {
    Some(match name {
        "request_uri" => HashKey::Target,
        "remote_addr" | "binary_remote_addr" => HashKey::Client,
        "host" | "http_host" => HashKey::Host,
        name => match name.split_once('_')? {
            ("http", header) => HashKey::Header(header.replace('_', "-").into()),
            ("cookie", cookie) => HashKey::Cookie(cookie.into()),
            ("arg", parameter) => HashKey::Query(parameter.into()),
            _ => return None,
        },
    })
}

fn cookie(asked: &mut Asked<'_, '_>) -> Option<CookieDraft> {
    let is_cookie = |text: &str| (text == "cookie").then_some(());
    asked.value("affinity", is_cookie, "write `cookie`")?;
    let mode = |text: &str| match text {
        "balanced" => Some(StickyValue::Key),
        "persistent" => Some(StickyValue::Endpoint),
        _ => None,
    };
    let says = asked.value("affinity-mode", mode, "write `balanced` or `persistent`");
    let text = |text: &str| value::basic(text, "").map(Arc::from);
    let name: Option<Arc<str>> =
        asked.value("session-cookie-name", text, "write letters and digits");
    let site = |text: &str| match &*text.to_ascii_lowercase() {
        "none" => Some(SameSite::None),
        "lax" => Some(SameSite::Lax),
        "strict" => Some(SameSite::Strict),
        _ => None,
    };
    let path = |text: &str| value::location(text).map(Arc::from);
    let spares = asked.boolean("session-cookie-conditional-samesite-none").unwrap_or_default();
    let changes = asked.boolean("session-cookie-change-on-failure").unwrap_or_default();
    Some(CookieDraft {
        name: Some(name.unwrap_or_else(|| NAME.into())),
        is_secure: asked.boolean("session-cookie-secure") == Some(true),
        is_http_only: true,
        same_site: asked.value("session-cookie-samesite", site, "write none, lax or strict"),
        max_age: asked.number("session-cookie-max-age").unwrap_or_default(),
        expires: asked.number("session-cookie-expires"),
        path: asked.value("session-cookie-path", path, "write a path"),
        domain: asked.value("session-cookie-domain", text, "write the name of a host"),
        says: says.unwrap_or(StickyValue::Key),
        is_as_asked: true,
        spares_old: spares,
        stays_on_failure: !changes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_together_is_said_by_variables() {
        let header = |name: &str| HashKey::Header(name.into());
        for (text, key) in [
            ("$request_uri", Some(HashKey::Target)),
            ("${remote_addr}", Some(HashKey::Client)),
            ("$http_x_user", Some(header("x-user"))),
            ("$cookie_id", Some(HashKey::Cookie("id".into()))),
            (
                "$host-$http_a",
                Some(HashKey::All(vec![HashKey::Host, HashKey::Text("-".into()), header("a")])),
            ),
            (
                "${request_uri}-${arg_user}",
                Some(HashKey::All(vec![
                    HashKey::Target,
                    HashKey::Text("-".into()),
                    HashKey::Query("user".into()),
                ])),
            ),
            ("$lua_thing", None),
            ("$", None),
            ("${host", None),
        ] {
            assert!(text.chars().all(is_hashed), "{text}");
            assert_eq!(hash_key(text), key, "{text}");
        }
        for text in ["$host;}", "a b", "$host\n", "$(id)"] {
            assert!(!text.chars().all(is_hashed), "{text}");
        }
    }
}
