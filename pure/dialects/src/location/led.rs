//! `permanent-redirect`, `temporal-redirect` and `app-root`: who asks is led elsewhere.

use steelyard_model::PassPhase;
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::nginx::{NginxReturn, NginxStep};
use steelyard_model::routing::variables::VariableText;

use super::{Asked, value};

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    root(asked);
    // The temporal one wins.
    let [temporal, permanent] = [("temporal", 302, 307), ("permanent", 301, 308)];
    let found = whither(asked, temporal).or_else(|| whither(asked, permanent));
    if let Some((status, to)) = found {
        let to =
            NginxReturn { status, to: VariableText::plain(to), is_relative: false, of_root: false };
        asked.pass(PassPhase::Return, "redirect", NginxStep::Return(to), None);
    }
}

/// Where one of the two leads, with which status. Another status than such is as if none were said.
fn whither<'a>(
    asked: &mut Asked<'a, '_>,
    (name, usual, most): (&str, u16, u16),
) -> Option<(u16, &'a str)> {
    let to = asked.written(&format!("{name}-redirect"))?;
    let is_led = value::location(to).is_some()
        && (to.starts_with('/') || to.starts_with("http://") || to.starts_with("https://"));
    if !is_led {
        asked.close(&format!("{name}-redirect"), "write an URL, without variables");
        return None;
    }
    let code = format!("{name}-redirect-code");
    if asked.written(&code).is_some_and(|it| it.parse::<i64>().is_err()) {
        asked.close(&code, "write a status, without a unit");
        return None;
    }
    let status = asked.number(&code);
    let status = status.and_then(|it| u16::try_from(it).ok());
    Some((status.filter(|it| (300..=most).contains(it)).unwrap_or(usual), to))
}

/// Who asks for `/` is led to the application.
fn root(asked: &mut Asked<'_, '_>) {
    let path = |text: &'_ str| {
        let text = value::target(text).filter(|it| it.starts_with('/'))?;
        VariableText::read(text, &[]).ok()
    };
    let help = "write a path that begins with `/`, in which variables such as `$host` may stand";
    let Some(to) = asked.value("app-root", path, help) else { return };
    let to = NginxReturn { status: 302, to, is_relative: false, of_root: true };
    let step = NginxStep::Return(to);
    asked.own().root = Some(Filter::Nginx(step.clone().into()));
    asked.pass(PassPhase::Return, "app-root", step, None);
}
