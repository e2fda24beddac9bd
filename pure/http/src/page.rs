//! Pages for people who get an error: short, without scripts, and for terminals as plain text.

use std::fmt::Write;

use crate::list::tokens;

/// An error page, in parts.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// Status code.
    pub status: u16,
    /// Its reason phrase.
    pub reason: &'a str,
    /// What happened, in one sentence without a period.
    pub summary: String,
    /// Further lines.
    pub details: Vec<String>,
}

const HTML: &[u8] = b"text/html";

/// Whether the client would rather have HTML: browsers name it first, tools do not name it.
pub fn wants_html(accept: Option<&[u8]>) -> bool {
    let is_html = |range: &[u8]| {
        let Some((name, rest)) = range.split_at_checked(HTML.len()) else { return false };
        name.eq_ignore_ascii_case(HTML) && matches!(rest.trim_ascii_start(), [] | [b';', ..])
    };
    tokens(accept.unwrap_or_default()).any(is_html)
}

impl Page<'_> {
    /// As plain text; the first line is all that many tools show.
    pub fn text(&self) -> String {
        let mut out = format!("{} {}: {}\n", self.status, self.reason, self.summary);
        for detail in &self.details {
            let _ = writeln!(out, "  {detail}");
        }
        out
    }

    /// As HTML.
    pub fn html(&self) -> String {
        let title = format!("{} {}", self.status, escape(self.reason));
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
             <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:44em;margin:4em auto;\
             padding:0 1em;color:#222;background:#fff}}code{{background:#f2f2f2;padding:.1em .3em}}\
             @media(prefers-color-scheme:dark){{body{{color:#ddd;background:#181818}}\
             code{{background:#333}}}}</style>\n\
             <h1>{title}</h1>\n<p>{}.</p>\n",
            escape(&self.summary)
        );
        if !self.details.is_empty() {
            out.push_str("<p>Nearest:</p>\n<ul>\n");
            for detail in &self.details {
                let _ = writeln!(out, "<li><code>{}</code></li>", escape(detail));
            }
            out.push_str("</ul>\n");
        }
        out.push_str("</html>\n");
        out
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_html() {
        for (accept, html) in [
            (None, false),
            (Some("*/*"), false),
            (Some("application/json"), false),
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), true),
            (Some("application/xml, Text/HTML;q=0.9"), true),
            (Some("text/html ; level=1"), true),
            (Some("text/htmlx"), false),
            (Some("text/html5;q=1, a/b;text/html"), false),
            (Some("text/htm"), false),
        ] {
            assert_eq!(wants_html(accept.map(str::as_bytes)), html, "{accept:?}");
        }
    }

    #[test]
    fn nothing_of_the_request_becomes_markup() {
        let page = Page {
            status: 404,
            reason: "Not Found",
            summary: "no route matches <script>alert('\"&\"')</script>".into(),
            details: vec!["<b>".into()],
        };
        let html = page.html();
        assert!(!html.contains("<script>") && !html.contains("<b>"));
        let said = "&lt;script&gt;alert(&#39;&quot;&amp;&quot;&#39;)&lt;/script&gt;";
        assert!(html.contains(&format!("<p>no route matches {said}.</p>")), "{html}");
        assert!(html.contains("<li><code>&lt;b&gt;</code></li>"), "{html}");
        let short = Page { details: Vec::new(), ..page.clone() };
        assert!(!short.html().contains("<ul>"));
        assert_eq!(
            page.text(),
            "404 Not Found: no route matches <script>alert('\"&\"')</script>\n  <b>\n"
        );
    }
}
