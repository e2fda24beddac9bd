//! How requests and connections are logged, as the ConfigMap says it.

use std::sync::Arc;

use steelyard_model::Severity;
use steelyard_model::routing::filter::nginx::NginxWord;
use steelyard_model::routing::nginx_log::{LogEscape, LogText, NginxLog, USUAL, USUAL_OF_STREAMS};

use super::Reading;
use crate::codes;

/// Places that are the standard output in ingress-nginx's image.
const STANDARD: [&str; 3] = ["/var/log/nginx/access.log", "/dev/stdout", "/proc/self/fd/1"];
/// Folders of what is no file, or that other programs look into.
const NO_FILES: [&str; 3] = ["/dev", "/proc", "/sys"];
/// What is there all the same.
const STANDARD_ERROR: &str = "/dev/stderr";

/// Whether a log may be written there: who may write the ConfigMap chooses the place, and this
/// program may write more than that one should.
fn is_place(path: &str) -> bool {
    if STANDARD.contains(&path) || path == STANDARD_ERROR {
        return true;
    }
    let mut parts = path.split('/').skip(1);
    let is_plain = path.starts_with('/') && !path.chars().any(char::is_control);
    is_plain
        && parts.all(|part| !["", ".", ".."].contains(&part))
        && !NO_FILES.iter().any(|it| path.strip_prefix(it).is_some_and(|it| it.starts_with('/')))
}

/// Keys by which the log of requests has a form or a place of its own.
const ASKED: [&str; 5] = [
    "access-log-path",
    "http-access-log-path",
    "log-format-escape-json",
    "log-format-escape-none",
    "log-format-upstream",
];

impl Reading<'_> {
    /// The logs of requests and of connections; none is not kept.
    pub(super) fn logs(&mut self) -> (Option<NginxLog>, Option<NginxLog>) {
        let is_off = |this: &mut Self, key: &str| this.boolean(key).unwrap_or(false);
        let (all, http, stream) = (
            is_off(self, "disable-access-log"),
            is_off(self, "disable-http-access-log"),
            is_off(self, "disable-stream-access-log"),
        );
        let escape = match (
            is_off(self, "log-format-escape-json"),
            is_off(self, "log-format-escape-none"),
        ) {
            (true, _) => LogEscape::Json,
            (false, true) => LogEscape::Nothing,
            (false, false) => LogEscape::Usual,
        };
        let requests = NginxLog {
            path: self.place_of_log("http-access-log-path"),
            text: self.format("log-format-upstream", USUAL, escape),
            skips: self.skipped(),
            has_strays: is_off(self, "enable-access-log-for-default-backend"),
            is_asked: ASKED.into_iter().any(|key| self.data.contains_key(key)),
        };
        let connections = NginxLog {
            path: self.place_of_log("stream-access-log-path"),
            text: self.format("log-format-stream", USUAL_OF_STREAMS, LogEscape::Usual),
            skips: Vec::new(),
            has_strays: false,
            is_asked: true,
        };
        let kept = |log: NginxLog, is_off: bool| (!is_off && !all).then_some(log);
        (kept(requests, http), kept(connections, stream))
    }

    /// A file, by its own key or by that of both logs.
    fn place_of_log(&mut self, own: &'static str) -> Option<Arc<str>> {
        let help = "write the path of a file, from / on, and outside of /dev, /proc and /sys";
        let read = |text: &str| is_place(text).then(|| Arc::from(text));
        let found =
            self.value(own, read, help).or_else(|| self.value("access-log-path", read, help));
        found.filter(|path: &Arc<str>| !STANDARD.contains(&&**path))
    }

    fn format(&mut self, key: &str, usual: &str, escape: LogEscape) -> LogText {
        let written = self.data.get(key).filter(|it| !it.trim().is_empty());
        let of = |text: &str| LogText::read(text, escape);
        let read = written.map(|text| of(text));
        match read {
            Some(Ok((text, unknown))) => {
                if !unknown.is_empty() {
                    let names: Vec<String> = unknown.iter().map(|it| format!("`${it}`")).collect();
                    let message = format!(
                        "{} in `{key}` stands for nothing that is known here: lines have nothing in \
                         its place",
                        names.join(", ")
                    );
                    let help = "remove it; docs/nginx.md lists what there is";
                    self.say(Severity::Warning, codes::FIELD_NOT_HONOURED, key, message, help);
                }
                return text;
            }
            Some(Err(why)) => {
                let message = format!("`{key}`: {why}: lines look as they do without it");
                let help = "write `$name` or `${name}`";
                self.say(Severity::Warning, codes::FIELD_NOT_HONOURED, key, message, help);
            }
            None => {}
        }
        of(usual).map_or_else(|_| LogText::new(Vec::new(), escape), |it| it.0)
    }

    fn skipped(&mut self) -> Vec<NginxWord> {
        self.words("skip-access-log-urls", "all are told of").unwrap_or_default()
    }
}
