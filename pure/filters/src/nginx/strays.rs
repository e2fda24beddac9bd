//! What nginx answers itself where nobody else does.

use steelyard_model::routing::filter::nginx::{NginxSite, NginxStrays};

use super::site::common;
use crate::response::Response;

/// The answer to a request that no route takes, by its path: that all is well, where health is
/// asked for, and else that there is nothing.
pub fn stray(strays: &NginxStrays, path: &str, is_tls: bool) -> Response {
    let response = match path.starts_with(&*strays.health) {
        true => Response::of(200),
        false => Response::of_nginx(404),
    };
    of_site(response, &strays.site, is_tls)
}

/// The answer to a request that comes in plain where TLS is spoken.
pub fn sent_plainly(strays: &NginxStrays) -> Response {
    let why = "The plain HTTP request was sent to HTTPS port";
    of_site(Response::of_nginx_because(400, why), &strays.site, false)
}

fn of_site(mut response: Response, site: &NginxSite, is_tls: bool) -> Response {
    response.lines.extend(common(site, is_tls).map(|(name, value)| (name.into(), value.into())));
    response
}

#[cfg(test)]
mod tests {
    use steelyard_http::Head;

    use super::*;

    #[test]
    fn nobodys_requests_are_answered_as_nginx_does() {
        let site = NginxSite { strict: Some("max-age=2".into()), ..NginxSite::default() };
        let strays = NginxStrays { site, health: "/healthz".into() };
        for (path, is_tls, status, is_strict) in [
            ("/", false, 404, false),
            ("/a", true, 404, true),
            ("/healthz", false, 200, false),
            ("/healthz", true, 200, true),
            ("/health", false, 404, false),
        ] {
            let answer = stray(&strays, path, is_tls);
            let strict = answer.first("strict-transport-security").is_some();
            assert_eq!((answer.status, strict), (status, is_strict), "{path}");
            assert_eq!(answer.body.is_empty(), status == 200, "{path}");
        }
        let body = sent_plainly(&strays).body;
        let title = "<title>400 The plain HTTP request was sent to HTTPS port</title>";
        assert!(String::from_utf8_lossy(&body).contains(title), "{body:?}");
    }
}
