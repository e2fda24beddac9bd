//! Whose word about clients is taken, by entry point.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_http::{ForwardedPolicy, Underscores};
use steelyard_model::routing::entry_point::{PLAIN, SECURE};
use steelyard_model::routing::ranges::listed;
use steelyard_model::routing::trust::Trust;

use super::StaticOptions;
use super::names::{
    CLIENT_IP_HEADER, CONNECTION, INSECURE, NOT_APPENDED, PROXY_INSECURE, PROXY_TRUSTED_IPS,
    RFC_7239, SCHEME_LINES, TRUSTED_IPS, UNDERSCORES, entry_point_name,
};

impl StaticOptions {
    /// Whose word about clients is taken, by entry point.
    pub fn forwarded(&self) -> BTreeMap<String, Arc<ForwardedPolicy>> {
        let mut all = BTreeMap::<String, ForwardedPolicy>::new();
        if self.is_on("global.notappendxforwardedfor") {
            for point in self.entry_points((PLAIN.port, SECURE.port)) {
                all.entry(point.id.to_string()).or_default().keeps_list = true;
            }
        }
        for (name, trust) in self.believed(TRUSTED_IPS, INSECURE) {
            all.entry(name.to_owned()).or_default().trust = trust;
        }
        let mut each = |of: &str, set: &dyn Fn(&mut ForwardedPolicy, &str)| {
            for (option, value) in &self.values {
                if let Some(name) = entry_point_name(option, of) {
                    set(all.entry(name.to_owned()).or_default(), value);
                }
            }
        };
        each(CLIENT_IP_HEADER, &|policy, value| policy.client_header = Some(value.into()));
        each(CONNECTION, &|policy, value| {
            policy.shown = value.split(',').map(|name| name.trim().into()).collect();
        });
        each(RFC_7239, &|policy, value| policy.standard = value == "true");
        each(UNDERSCORES, &|policy, value| policy.underscores = strategy(value));
        each(SCHEME_LINES, &|policy, value| policy.scheme_lines = value == "true");
        each(NOT_APPENDED, &|policy, value| policy.keeps_list = value == "true");
        all.into_iter().map(|(name, policy)| (name, Arc::new(policy))).collect()
    }

    /// Who may say by a PROXY header where a connection comes from, by entry point.
    pub fn proxied(&self) -> BTreeMap<String, Arc<Trust>> {
        let all = self.believed(PROXY_TRUSTED_IPS, PROXY_INSECURE).into_iter();
        all.map(|(name, trust)| (name.to_owned(), Arc::new(trust))).collect()
    }

    /// Whom to believe, by entry point: `some`, or everybody.
    fn believed(&self, some: &str, everybody: &str) -> BTreeMap<&str, Trust> {
        let said = self.values.iter().filter_map(|(option, value)| {
            let ranges = || Trust::Ranges(listed(value).expect("checked when it was taken"));
            let some = entry_point_name(option, some).map(|name| (name, ranges()));
            let all = || entry_point_name(option, everybody).filter(|_| value == "true");
            some.or_else(|| all().map(|name| (name, Trust::Everybody)))
        });
        said.collect()
    }
}

/// What becomes of lines whose names have underscores.
fn strategy(value: &str) -> Underscores {
    match value.to_ascii_lowercase().as_str() {
        "delete" => Underscores::Dropped,
        "reject" => Underscores::Refused,
        _ => Underscores::Kept,
    }
}
