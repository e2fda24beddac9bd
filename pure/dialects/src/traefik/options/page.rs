//! The page of the options, made of the rows.

use std::fmt::Write as _;

use super::{Form, OptionFate, SECTIONS};

const HEAD: &str = "\
# Traefik's static options

<!-- Made by `UPDATE=1 cargo test -p steelyard-dialects options`. -->

They are given as with Traefik, in one of three ways; the first that is there counts:

1. a file, YAML or TOML: `--configfile=traefik.yml`;
2. flags: `--entrypoints.web.address=:80`;
3. the environment: `TRAEFIK_ENTRYPOINTS_WEB_ADDRESS=:80`.

Traefik leaves out the others without a word. Here flags beside a file are an error, and what an
environment says beside either is named. Names are compared without case; `*` stands for a name of
your own, and `**` for all that is below. `steelyard check` says the same of what a `HelmChart` or
k3s's `HelmChartConfig` for Traefik asks for.

- *read*: honoured.
- *different*: honoured, and something about it is not as with Traefik.
- *no difference*: taken, and nobody notices.
- *later*: taken, named in a warning, and not honoured yet.
- *read by `plan -o traefik` alone*: for who migrates and compares.
- *refused*: nothing starts with it, unless it asks for the default.
";

/// The page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for (title, rows) in SECTIONS {
        let _ =
            write!(page, "\n## {title}\n\n| option | values | default | |\n|---|---|---|---|\n");
        for row in rows {
            let default = if row.default.is_empty() { String::new() } else { code(row.default) };
            let (name, form, fate) = (code(row.name), form(row.form), fate(row.fate));
            let _ = writeln!(page, "| {name} | {form} | {default} | {fate} |");
        }
    }
    page
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn form(form: Form) -> String {
    match form {
        Form::Switch => "true, false".to_owned(),
        Form::Number => "number".to_owned(),
        Form::Time => "time".to_owned(),
        Form::Word(words) => words.join(", "),
        Form::Text => "text".to_owned(),
        Form::List => "list".to_owned(),
        Form::Below => String::new(),
    }
}

fn fate(fate: OptionFate) -> String {
    match fate {
        OptionFate::Reads => "read".to_owned(),
        OptionFate::Differs(so) => format!("different: {so}"),
        OptionFate::Cosmetic(why) => format!("no difference: {why}"),
        OptionFate::Later(so) => format!("later: {so}"),
        OptionFate::Planned(so) => format!("read by `plan -o traefik` alone; else: {so}"),
        OptionFate::Compared(why) => {
            format!("read by `plan -o traefik` alone; else refused: {why}")
        }
        OptionFate::Refused(why) => format!("refused: {why}"),
    }
}
