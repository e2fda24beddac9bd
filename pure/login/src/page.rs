//! Pages that say what has become of a login, and those that keep what was sent until it is over.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::url::Parameters;

/// A page, and what browsers are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginPage {
    /// As HTML.
    pub text: String,
    /// Value of `Content-Security-Policy`.
    pub policy: String,
}

/// What a page begins with.
const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;margin:15vh auto;max-width:32rem;\
                     padding:0 1rem}button{font:inherit;padding:.4rem 1.2rem}";

impl LoginPage {
    /// One that says something, with a link to go on by, or a button that sends a form there.
    pub fn says(title: &str, words: &str, onward: Option<Onward<'_>>) -> Self {
        let mut body = format!("<h1>{}</h1><p>{}</p>", escaped(title), escaped(words));
        match onward {
            Some(Onward::Link(to, label)) => {
                _ = write!(body, "<p><a href=\"{}\">{}</a></p>", escaped(to), escaped(label));
            }
            Some(Onward::Button(to, label)) => {
                let (to, label) = (escaped(to), escaped(label));
                let form = format!("<form method=\"post\" action=\"{to}\">");
                _ = write!(body, "{form}<button>{label}</button></form>");
            }
            None => {}
        }
        Self::with(title, "", &body, None)
    }

    /// One that leads on by itself: what a browser visits from here it visits from this site.
    pub fn leads(to: &str) -> Self {
        let to = escaped(to);
        let head = format!("<meta http-equiv=\"refresh\" content=\"0;url={to}\">");
        let body = format!("<p><a href=\"{to}\">Go on</a></p>");
        Self::with("Logged in", &head, &body, None)
    }

    fn with(title: &str, head: &str, body: &str, script: Option<&str>) -> Self {
        let script = script.map_or_else(String::new, |it| format!(" script-src 'nonce-{it}';"));
        let text = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\">{head}<title>{}</title><style>{STYLE}</style></head>\
             <body>{body}</body></html>\n",
            escaped(title)
        );
        let policy = format!(
            "default-src 'none'; style-src 'unsafe-inline';{script} base-uri 'none'; \
             frame-ancestors 'none'"
        );
        Self { text, policy }
    }
}

/// How one goes on from a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward<'t> {
    /// By a link: where to, and what it says.
    Link(&'t str, &'t str),
    /// By a form without content.
    Button(&'t str, &'t str),
}

/// A page that keeps a form that was sent in the tab, under `key`, and leads to `login`. `nonce` is
/// random, and lets its script run.
pub fn resent_later(form: &str, key: &str, login: &str, nonce: [u8; 16]) -> LoginPage {
    let form = Parameters::read(form);
    let pairs: Vec<[&str; 2]> = form.pairs().map(|(name, value)| [name, value]).collect();
    let script = format!(
        "sessionStorage.setItem({},JSON.stringify({}));location.replace({});",
        literal(key),
        in_script(&json!(pairs).to_string()),
        literal(login)
    );
    let words = "<p>You are led to the login. What you have sent is kept, and sent afterwards.</p>\
                 <noscript><p>That needs scripts, which are switched off.</p></noscript>";
    scripted("Login", words, &script, nonce)
}

/// A page that sends to `target` what was kept in the tab under `key`, or else only visits it.
pub fn sent_again(target: &str, key: &str, nonce: [u8; 16]) -> LoginPage {
    let script = format!(
        "var k={},t={},s=sessionStorage.getItem(k);sessionStorage.removeItem(k);\
         if(s===null){{location.replace(t)}}else{{var f=document.createElement('form');\
         f.method='post';f.action=t;JSON.parse(s).forEach(function(p){{\
         var i=document.createElement('input');i.type='hidden';i.name=p[0];i.value=p[1];\
         f.appendChild(i)}});document.body.appendChild(f);\
         HTMLFormElement.prototype.submit.call(f)}}",
        literal(key),
        literal(target)
    );
    let target = escaped(target);
    let words = format!("<noscript><p><a href=\"{target}\">Go on</a></p></noscript>");
    scripted("Logged in", &words, &script, nonce)
}

fn scripted(title: &str, words: &str, script: &str, nonce: [u8; 16]) -> LoginPage {
    let nonce = URL_SAFE_NO_PAD.encode(nonce);
    let body = format!("{words}<script nonce=\"{nonce}\">{script}</script>");
    LoginPage::with(title, "", &body, Some(&nonce))
}

/// A text as a script has it, which ends no script.
fn literal(text: &str) -> String {
    in_script(&json!(text).to_string())
}

fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
