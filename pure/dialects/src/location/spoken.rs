//! `proxy-http-version` and `connection-proxy-header`: how endpoints are spoken to.

use steelyard_model::PassPhase;
use steelyard_model::routing::filter::nginx::NginxStep;
use steelyard_model::routing::transport::HopSpeech;

use super::Asked;

/// By which name it is passed.
pub(crate) const NAME: &str = "speech";
pub(crate) const VERSIONS: &str = "write 1.1 or 1.0";

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    let said = |text: &str| match &*text.to_ascii_lowercase() {
        "keep-alive" => Some(HopSpeech::KeepAlive),
        "close" => Some(HopSpeech::Close),
        _ => None,
    };
    let help = "write keep-alive or close; what asks to go on with WebSocket says so by itself";
    let said = asked.value("connection-proxy-header", said, help);
    let version = asked.value("proxy-http-version", version, VERSIONS);
    match version.flatten().or(said) {
        Some(speech) => asked.pass(PassPhase::Content, NAME, NginxStep::Speak(speech), None),
        None if version.is_some() => asked.without(NAME),
        None => {}
    }
}

/// A version; the usual one needs nothing.
pub(crate) fn version(text: &str) -> Option<Option<HopSpeech>> {
    match text {
        "1.1" => Some(None),
        "1.0" => Some(Some(HopSpeech::Old)),
        _ => None,
    }
}
