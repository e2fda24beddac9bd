//! `steelyard get`: what a running instance does, as tables like kubectl's.
//!
//! It shows what the admin API tells and decides nothing; unknown or absent fields show as `-`.

mod tables;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use steelyard_admin::AskError;
use steelyard_terminal::{OutputFormat, put, wants_color};

use crate::args::AdminArgs;

/// `steelyard get`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct GetArgs {
    /// What to show
    #[arg(value_enum)]
    kind: Kind,
    /// How to print
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
    #[command(flatten)]
    admin: AdminArgs,
}

/// What can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The instance as a whole
    Overview,
    /// Services, their addresses and who answers for them
    #[value(alias = "service", alias = "svc")]
    Services,
    /// Who answers for which address
    #[value(alias = "announcement", alias = "vips", alias = "vip")]
    Announcements,
    /// Who owns which address, since when and why
    #[value(alias = "owner")]
    Owners,
    /// Machines that share addresses, and whether they are heard
    #[value(alias = "member", alias = "nodes")]
    Members,
    /// Routes and where they lead
    #[value(alias = "route", alias = "ingress", alias = "ing")]
    Routes,
    /// Endpoints of Services, and whether they take traffic
    #[value(alias = "endpoint", alias = "ep")]
    Endpoints,
    /// What is wrong, and how to mend it
    #[value(alias = "diagnostic")]
    Diagnostics,
    /// What happened
    #[value(alias = "event", alias = "ev")]
    Events,
    /// Requests that were not answered with success, and why
    #[value(alias = "request")]
    Requests,
}

const EXAMPLES: &str = "\
Examples:
  steelyard get services
  steelyard get owners                    who answers for which address, since when and why
  steelyard get routes --admin 10.1.1.11:9180 --admin-token-file token
  steelyard get diagnostics -o json | jq '.[].code'
  steelyard get services --cluster        of a cluster, through its API server
  kubectl steelyard get services          the same, where kubectl finds `kubectl-steelyard`

Exit status: 0 shown, 1 no running instance answers, 2 usage.";

/// Nobody answers.
const UNANSWERED: u8 = 1;

/// Prints what was asked for.
pub fn run(args: GetArgs) -> anyhow::Result<ExitCode> {
    match show(&args) {
        Ok(text) if text.is_empty() => {
            steelyard_terminal::complain(&format!("there are no {}", args.kind.name()))
        }
        Ok(text) => put(&text)?,
        Err(error @ AskError::TokenFile(..)) => return Err(error.into()),
        Err(error) => {
            steelyard_terminal::complain(&format!("error: {:#}", anyhow::Error::from(error)));
            return Ok(ExitCode::from(UNANSWERED));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(args: &GetArgs) -> Result<String, AskError> {
    let admin = args.admin.respondent(args.kind.business())?;
    let value = admin.ask(args.kind.resource())?;
    if args.output == OutputFormat::Json {
        let shown = match args.kind {
            Kind::Endpoints => tables::endpoint_rows(
                &value,
                &admin.ask("routes")?,
                &admin.ask("endpoints").unwrap_or_default(),
            ),
            _ => value,
        };
        return Ok(format!("{shown:#}\n"));
    }
    let table = match args.kind {
        Kind::Overview => tables::overview(&value),
        Kind::Services => tables::services(&value, &admin.ask("announcements")?),
        Kind::Announcements => tables::announcements(&value),
        Kind::Owners => tables::owned(&value, now()),
        Kind::Members => tables::members(&value),
        Kind::Routes => tables::routes(&value),
        Kind::Endpoints => {
            let health = admin.ask("endpoints").unwrap_or_default();
            tables::endpoints(&value, &admin.ask("routes")?, &health, now())
        }
        Kind::Diagnostics => tables::diagnostics(&value),
        Kind::Events => tables::events(&value, now()),
        Kind::Requests => tables::requests(&value, now()),
    };
    Ok(if table.is_empty() { String::new() } else { table.render(0, wants_color()) })
}

/// Seconds since 1970.
fn now() -> u64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| elapsed.as_secs())
}

impl Kind {
    /// As it is asked for.
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The part of Steelyard in a cluster whose business it is.
    fn business(self) -> &'static str {
        match self {
            Self::Overview | Self::Services | Self::Diagnostics | Self::Events => "controller",
            Self::Announcements | Self::Owners | Self::Members => "speaker",
            Self::Routes | Self::Endpoints | Self::Requests => "gateway",
        }
    }

    /// The resource of the API that it is read from.
    fn resource(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Services | Self::Endpoints => "services",
            Self::Announcements | Self::Owners => "announcements",
            Self::Members => "members",
            Self::Routes => "routes",
            Self::Diagnostics => "diagnostics",
            Self::Events => "events",
            Self::Requests => "requests",
        }
    }
}
