//! Templates by their marks. Which tool wrote them is a guess; that somebody has to render them is
//! none.

use std::fmt;

/// What a text is instead of a value. Its [`fmt::Display`] follows "`text` is".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Template {
    /// `{{ .Values.x }}`.
    Helm,
    /// `{{ x }}`: Jinja, as Ansible has it, or another tool's.
    Braces,
    /// `{% for x in y %}`.
    Block,
    /// `${X}` or `$X`: Flux, envsubst.
    Variable,
    /// `$(X)`: kustomize.
    Parentheses,
    /// `#@ data.values.x`.
    Ytt,
    /// `<your address>`.
    Blank,
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Helm => "a Helm template that is not rendered",
            Self::Braces | Self::Block => "a template that is not rendered",
            Self::Variable | Self::Parentheses => "a variable that nothing has filled in",
            Self::Ytt => "a ytt template that is not rendered",
            Self::Blank => "a blank that nobody has filled in",
        })
    }
}

impl Template {
    /// How many bytes of `text`, which starts with it, are its mark.
    pub(super) fn length(self, text: &str) -> usize {
        let until = |end: &str| text.find(end).map_or(text.len(), |at| at + end.len());
        match self {
            Self::Helm | Self::Braces => until("}}"),
            Self::Block => until("%}"),
            Self::Variable if text.starts_with("${") => until("}"),
            Self::Variable => 1 + name_length(&text[1..]),
            Self::Parentheses => until(")"),
            Self::Ytt => text.trim_end().len(),
            Self::Blank => until(">"),
        }
    }

    /// `mark` as messages may quote it: without the text that it brings along, which may be a
    /// password (`${X:-hunter2}`, `{{ "hunter2" | b64enc }}`).
    pub(super) fn quotable(self, mark: &str) -> String {
        match self {
            Self::Variable => without_default(mark),
            Self::Helm | Self::Braces | Self::Block | Self::Ytt => without_literals(mark),
            Self::Parentheses | Self::Blank => mark.to_owned(),
        }
    }

    /// What stands for it where nothing of it may be quoted.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Helm | Self::Braces => "{{ … }}",
            Self::Block => "{% … %}",
            Self::Variable => "$…",
            Self::Parentheses => "$(…)",
            Self::Ytt => "#@ …",
            Self::Blank => "<…>",
        }
    }

    /// How to have `mark` rendered.
    pub(super) fn help(self, mark: &str, file: &str) -> String {
        match self {
            Self::Helm => {
                "check what Helm makes of it: `helm template CHART | steelyard check -`".to_owned()
            }
            Self::Braces if ["{{-", "include ", " . "].iter().any(|it| mark.contains(it)) => {
                Self::Helm.help("", file)
            }
            Self::Braces | Self::Block => {
                "render it first, and check what comes of it: `helm template CHART | steelyard \
                 check -`, or Ansible's template module"
                    .to_owned()
            }
            Self::Variable => format!(
                "fill it in first: `flux build kustomization NAME --path FOLDER | steelyard check \
                 -`, or `envsubst < {file} | steelyard check -`"
            ),
            Self::Parentheses => {
                "check what kustomize makes of it: `kustomize build FOLDER | steelyard check -`"
                    .to_owned()
            }
            Self::Ytt => format!("check what ytt makes of it: `ytt -f {file} | steelyard check -`"),
            Self::Blank => "write your own value there".to_owned(),
        }
    }
}

/// A variable without what stands in for it.
fn without_default(mark: &str) -> String {
    let Some(inner) = mark.strip_prefix("${") else { return mark.to_owned() };
    let name = name_length(inner);
    let rest = inner[name..].trim_end_matches('}');
    let sign = rest.len() - rest.trim_start_matches([':', '-', '=', '+', '?', '/']).len();
    if rest.len() == sign {
        return mark.to_owned();
    }
    format!("${{{}{}…}}", &inner[..name], &rest[..sign])
}

/// A template without its literals, but for the names of other templates.
fn without_literals(mark: &str) -> String {
    let mut kept = String::with_capacity(mark.len());
    let mut rest = mark;
    while let Some(start) = rest.find(['"', '\'', '`']) {
        let (before, literal) = rest.split_at(start);
        let quote = &literal[..1];
        let end = literal[1..].find(quote).map_or(literal.len(), |at| at + 2);
        kept.push_str(before);
        if ["include", "template"].iter().any(|it| before.trim_end().ends_with(it)) {
            kept.push_str(&literal[..end]);
        } else {
            kept.extend([quote, "…", quote]);
        }
        rest = &literal[end..];
    }
    kept + rest
}

/// The first mark of a template in a value, and how many bytes are before it. In text that
/// has variables of its own, as nginx's configuration, only what is none of them.
pub(super) fn find(text: &str, has_variables: bool) -> Option<(Template, usize)> {
    braces(text)
        .or_else(|| variable(text, has_variables))
        .or_else(|| between(text, "$(", ')', is_upper).map(|at| (Template::Parentheses, at)))
        .filter(|(template, _)| *template != Template::Parentheses || !has_variables)
        .or_else(|| {
            let at = blank(text).filter(|_| !has_variables)?;
            Some((Template::Blank, at))
        })
}

/// The same in a line of which nobody knows what in it is a value.
pub(super) fn find_in_line(line: &str) -> Option<(Template, usize)> {
    braces(line).or_else(|| {
        let at = line.find("#@").filter(|_| is_ytt(line))?;
        Some((Template::Ytt, at))
    })
}

/// Whether a line is one of ytt's: comments to everybody else.
pub(super) fn is_ytt(line: &str) -> bool {
    const WORDS: [&str; 9] = [
        "#@ load(",
        "#@ data.",
        "#@ if ",
        "#@ for ",
        "#@ def ",
        "#@ end",
        "#@data/",
        "#@overlay/",
        "#@schema/",
    ];
    WORDS.iter().any(|word| line.contains(word))
}

fn braces(text: &str) -> Option<(Template, usize)> {
    let block = text.find("{%").map(|at| (Template::Block, at));
    let at = text.find("{{");
    let words = [".Values", ".Release", ".Chart", ".Capabilities"];
    let is_helm = words.iter().any(|word| text.contains(word));
    let braces = at.map(|at| (if is_helm { Template::Helm } else { Template::Braces }, at));
    [braces, block].into_iter().flatten().min_by_key(|(_, at)| *at)
}

/// `${X}`, `${X:-y}`, `$X`. Lower-case names in text that has variables are its own.
fn variable(text: &str, has_variables: bool) -> Option<(Template, usize)> {
    let braced = |(at, _): &(usize, &str)| {
        let inner = &text[at + 2..];
        let name = name_length(inner);
        let is_upper = !has_variables || inner[..name].bytes().all(|b| !b.is_ascii_lowercase());
        name > 0 && is_upper && inner[name..].starts_with(['}', ':', '-', '='])
    };
    let bare = |(at, _): &(usize, &str)| {
        let inner = &text[at + 1..];
        let name = name_length(inner);
        name > 1 && is_upper(&inner[..name]) && !has_variables && !is_part_of_hash(&text[..*at])
    };
    let braced = text.match_indices("${").find(braced);
    let found = braced.or_else(|| text.match_indices('$').find(bare));
    found.map(|(at, _)| (Template::Variable, at))
}

/// Whether what stands before a `$` begins a hash of a password (`$2y$10$ABC`): whatever follows
/// is a part of it.
fn is_part_of_hash(before: &str) -> bool {
    let Some((_, kind)) = before.rsplit_once('$') else { return false };
    let is_sign = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b',' | b'=');
    !kind.is_empty() && kind.bytes().all(is_sign)
}

fn name_length(text: &str) -> usize {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let length = text.bytes().take_while(|byte| is_name(*byte)).count();
    if text.starts_with(|c: char| c.is_ascii_digit()) { 0 } else { length }
}

/// Where `open` stands with a `close` after it, and between them what `is_inner`.
fn between(text: &str, open: &str, close: char, is_inner: fn(&str) -> bool) -> Option<usize> {
    let mut places = text.match_indices(open);
    let found = places.find(|(at, _)| {
        let rest = &text[at + open.len()..];
        rest.find(close).is_some_and(|end| is_inner(&rest[..end]))
    });
    found.map(|(at, _)| at)
}

/// A blank that is not the name of a group of a regular expression.
fn blank(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + between(&text[from..], "<", '>', is_blank)?;
        let before = &text[..at];
        if !before.ends_with("(?") && !before.ends_with("(?P") {
            return Some(at);
        }
        from = at + 1;
    }
}

fn is_upper(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    text.starts_with(|c: char| c.is_ascii_uppercase() || c == '_') && text.bytes().all(fine)
}

/// Words that ask to be replaced: `your-domain`, `ADDRESS of the router`.
fn is_blank(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || " _-.:/#'".contains(c);
    text.len() > 1 && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(fine)
}

#[cfg(test)]
mod tests {
    use super::{Template, find};

    #[test]
    fn a_quoted_mark_has_no_text_that_may_be_secret() {
        for (mark, expected) in [
            ("${APP}", "${APP}"),
            ("$APP", "$APP"),
            ("${APP:-hunter2}", "${APP:-…}"),
            ("${APP=hunter2}", "${APP=…}"),
            ("{{ domain }}", "{{ domain }}"),
            ("{{ \"hunter2\" | b64enc }}", "{{ \"…\" | b64enc }}"),
            ("{{ default 'hunter2' .x }}", "{{ default '…' .x }}"),
            ("{{ include \"web.name\" . }}", "{{ include \"web.name\" . }}"),
            ("{% set p=\"hunter2 %}", "{% set p=\"…\""),
        ] {
            let (template, _) = find(mark, false).expect(mark);
            assert_eq!(template.quotable(mark), expected);
        }
    }

    #[test]
    fn templates_and_what_is_none() {
        for (text, expected, with_variables) in [
            ("${APP}", Some((Template::Variable, 0)), true),
            ("web.${SECRET_DOMAIN}", Some((Template::Variable, 4)), true),
            ("${app:=web}", Some((Template::Variable, 0)), false),
            ("web.$DOMAIN", Some((Template::Variable, 4)), false),
            ("{{ domain }}", Some((Template::Braces, 0)), true),
            ("a {{ .Values.host }}", Some((Template::Helm, 2)), true),
            ("{% if x %}", Some((Template::Block, 0)), true),
            ("$(LB_IP)", Some((Template::Parentheses, 0)), false),
            ("<your-domain>", Some((Template::Blank, 0)), false),
            ("ö<IP of router>", Some((Template::Blank, 2)), false),
            ("/v(?<ver>[0-9]+)/(?P<rest>.*)", None, false),
            ("/(?<ver>[0-9]+)/<your-path>", Some((Template::Blank, 16)), false),
            ("${request_uri}-text", Some((Template::Variable, 0)), false),
            ("/api(/|$)(.*)", None, false),
            ("/$2", None, false),
            ("/odata/$metadata", None, false),
            ("a$b", None, false),
            ("ann:$2y$10$ABC.x", None, false),
            ("$apr1$SALT$x", None, false),
            ("$argon2id$v=19$m=65536,t=3,p=4$ABC/x", None, false),
            ("$A$BC", Some((Template::Variable, 2)), false),
            ("{a: b}", None, false),
            ("$", None, false),
            ("${}", None, false),
            ("a < b", None, false),
            ("<>", None, false),
        ] {
            assert_eq!(find(text, false), expected, "{text}");
            assert_eq!(find(text, true).is_some(), with_variables, "{text}");
        }
    }
}
