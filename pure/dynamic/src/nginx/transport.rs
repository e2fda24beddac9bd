//! How the servers of an Ingress are connected to.

use serde_json::{Value, json};

use super::backend::scheme;
use super::{Served, View};
use crate::crd::files;
use crate::duration::seconds;
use crate::shape::Shape;

impl View<'_> {
    /// Times, and the handshake with servers that want one; none where what it needs is not there.
    pub(super) fn transport(self, ingress: Served<'_>) -> Option<Value> {
        let (asks, options) = (ingress.asks, self.options);
        let time = |name: &str, usual| seconds(asks.number(name).unwrap_or(usual));
        let times = Shape::default()
            .with("dialTimeout", time("proxy-connect-timeout", options.connect_timeout))
            .with("readTimeout", time("proxy-read-timeout", options.read_timeout))
            .with("writeTimeout", time("proxy-send-timeout", options.send_timeout))
            .with("idleConnTimeout", seconds(options.keepalive_timeout));
        let shape = Shape::default()
            .with("forwardingTimeouts", times.done())
            .with("disableHTTP2", asks.text("proxy-http-version") == "1.1");
        if scheme(asks) == "https" { self.handshake(ingress, shape) } else { Some(shape.done()) }
    }

    fn handshake(self, ingress: Served<'_>, shape: Shape) -> Option<Value> {
        let asks = ingress.asks;
        // ingress-nginx has a switch there, Traefik a name.
        let other = asks.text("proxy-ssl-server-name");
        let other = if matches!(other, "on" | "off") { "" } else { other };
        let shape = shape
            .with("serverName", asks.written("proxy-ssl-name").unwrap_or(other))
            .with("insecureSkipVerify", !asks.text("proxy-ssl-verify").eq_ignore_ascii_case("on"));
        let secret = asks.text("proxy-ssl-secret");
        if secret.is_empty() {
            return Some(shape.done());
        }
        let material = self.material(ingress, secret)?;
        let own = material.pair.map(|pair| json!([files(pair).done()]));
        let shape =
            shape.with("rootCAs", material.authority.map(|it| vec![it])).with("certificates", own);
        Some(shape.done())
    }
}
