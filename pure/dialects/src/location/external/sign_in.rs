//! `auth-signin`: where who has not said who he is is led.

use steelyard_model::routing::variables::{TextPart, Variable, VariableText};

use super::super::value;
use super::{AuthFault, AuthWords, refused};

/// The parameter by which a page is told what was asked for, where nothing is said.
const PARAMETER: &str = "rd";

/// Where it is, with the parameter that says what was asked for, unless one of that name is there.
/// What would lead anywhere is refused.
pub(super) fn read(words: &mut AuthWords<'_>) -> Result<Option<VariableText>, AuthFault> {
    let name = "auth-signin";
    let help = "write letters, digits and `-`";
    let parameter = words.value("auth-signin-redirect-param", value::location, help);
    let parameter = parameter.unwrap_or(PARAMETER);
    let Some(written) = words.written(name) else { return Ok(None) };
    if value::basic(written, ",?&=$ {}").is_none() {
        words.ignored.push((name, "write an URL"));
        return Ok(None);
    }
    let mut to = words.text(written, name)?;
    if !is_somewhere(&to) && to.variables().next().is_none() {
        // Nobody is led anywhere, and who is not let in is told so.
        words.ignored.push((name, "write the URL of the page"));
        return Ok(None);
    }
    if !is_somewhere(&to) {
        let help = "write the page's host, or `$host`: what else a client says must not choose it";
        return Err(refused(name, help));
    }
    let query = written.split_once('?').map(|(_, query)| query);
    let names = query.into_iter().flat_map(|it| it.split('&'));
    let mut names = names.map(|pair| pair.split('=').next().unwrap_or_default());
    if !names.any(|name| name == parameter) {
        to.push_plain(match query {
            None => "?",
            Some("") => "",
            Some(_) => "&",
        });
        to.push_plain(parameter);
        to.push_plain("=");
        to.push(Variable::AccessScheme);
        to.push_plain("://");
        to.push(Variable::HttpHost);
        to.push(Variable::EscapedRequestUri);
    }
    Ok(Some(to))
}

/// Whether who writes it says which site it leads to: a path of this one, or an URL whose scheme
/// and host are written there or the request's own. A client says those itself, and nobody can make
/// it do so by a link.
fn is_somewhere(to: &VariableText) -> bool {
    let mut site = String::new();
    for part in to.parts() {
        match part {
            TextPart::Plain(text) => site.push_str(text),
            TextPart::Variable(Variable::Scheme | Variable::AccessScheme) if site.is_empty() => {
                site.push_str("http");
            }
            TextPart::Variable(Variable::Host | Variable::HttpHost) => site.push('h'),
            // Paths begin with a slash, which ends the host before them.
            TextPart::Variable(Variable::RequestUri | Variable::Uri) if !site.is_empty() => {
                site.push('/');
            }
            // Behind the site nothing chooses it.
            TextPart::Variable(_) => return is_ended(&site),
        }
    }
    is_ended(&format!("{site}/"))
}

/// Whether a text has a whole site, and more behind it.
fn is_ended(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) => rest.find(['/', '?']).is_some_and(|end| end > 0),
        None => text.len() > 1 && text.starts_with('/') && !text.starts_with("//"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_is_no_clients_word() {
        for (text, expected) in [
            ("https://a.b/start", true),
            ("https://a.b", true),
            ("https://a.b/$arg_x", true),
            ("https://a.b?x=$arg_x", true),
            ("$scheme://$host/start?rd=$escaped_request_uri", true),
            ("https://$http_host:8443/x", true),
            ("https://in.$host/x", true),
            ("/start?rd=$request_uri", true),
            ("$arg_x", false),
            ("https://$arg_x/", false),
            ("https://a.b$arg_x/", false),
            ("https://a.b$request_uri", true),
            ("https://$request_uri", false),
            ("/$request_uri", false),
            ("$http_x/start", false),
            ("/$arg_x", false),
            ("//a.b/", false),
            ("/", false),
            ("a.b/start", false),
            ("ftp://a.b/", false),
            ("https:///start", false),
            ("$request_uri", false),
        ] {
            let read = VariableText::read(text, &[]).unwrap();
            assert_eq!(is_somewhere(&read), expected, "{text}");
        }
    }
}
