//! What several commands are told on the command line.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use steelyard_admin::{AdminClient, AdminOptions, AskError, Respondent};
use steelyard_model::{NamespacedName, Severity};

use crate::entry_points::StaticOptions;
use crate::remote::{Remote, RemoteArgs};

/// What changes how manifests are understood.
#[derive(Args, Clone, Default)]
pub(crate) struct WorldArgs {
    /// Read metallb.io objects from this namespace only
    #[arg(long, value_name = "NS")]
    pub(crate) config_namespace: Option<String>,
    /// Serve Services of this load balancer class only
    #[arg(long, value_name = "CLASS")]
    pub(crate) lb_class: Option<String>,
    /// Secret with the certificate for server names that no other one is for
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = namespaced)]
    pub(crate) default_ssl_certificate: Option<NamespacedName>,
    /// Order and match routes as another program does, also where Kubernetes means something else
    #[arg(long, value_enum, value_name = "PROGRAM")]
    pub(crate) compat: Option<Compat>,
    /// Name of this node [default: the host's name]
    #[arg(long, value_name = "NAME",
          value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) node: Option<String>,
    /// Traefik's static options; taken from the command line before the rest is read.
    #[arg(skip)]
    pub(crate) fixed: StaticOptions,
}

/// Whose ways are taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compat {
    /// Ingresses stand among Traefik's own routes, by number; prefixes are compared byte by byte
    Traefik,
}

/// Where the running instance is.
#[derive(Args, Clone, Debug)]
pub(crate) struct AdminArgs {
    /// Where the running instance's admin API listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9180", env = "STEELYARD_ADMIN")]
    admin: String,
    /// The bearer token that it wants
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    #[command(flatten)]
    remote: RemoteArgs,
}

impl AdminArgs {
    /// Whom to ask; of a cluster the part whose business it is.
    ///
    /// # Errors
    /// When there is nobody in the cluster, or no way to it.
    pub(crate) fn respondent(&self, business: &str) -> Result<Box<dyn Respondent>, AskError> {
        let token_file = self.admin_token_file.clone();
        if self.remote.cluster {
            let found = Remote::find(&self.remote, business, token_file.as_ref());
            let found = found.map_err(|error| AskError::Way(format!("{error:#}")))?;
            return Ok(Box::new(found));
        }
        Ok(Box::new(AdminClient { address: self.admin.clone(), token_file }))
    }
}

/// How a role that runs is looked at.
#[derive(Args, Clone)]
pub(crate) struct ShowArgs {
    /// Where the admin page and API listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9180", env = "STEELYARD_ADMIN",
          value_parser = parse_listen)]
    pub(crate) admin: std::net::SocketAddr,
    /// Bearer token that the admin API wants when it is not on loopback
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_token_file: Option<PathBuf>,
    /// How logs are written [default: text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogStyle>,
    /// What is logged: error, warn, info, debug, or per part (info,steelyard_gateway=debug)
    /// [default: info]
    #[arg(long, value_name = "LEVEL", env = "STEELYARD_LOG")]
    pub(crate) log_level: Option<String>,
}

impl ShowArgs {
    /// What is not said of logs is as Traefik's options have it.
    pub(crate) fn follow(&mut self, fixed: &StaticOptions) {
        let style = |is_json| if is_json { LogStyle::Json } else { LogStyle::Text };
        self.log_format = self.log_format.or_else(|| fixed.logs_json().map(style));
        self.log_level = self.log_level.take().or_else(|| fixed.log_level().map(str::to_owned));
    }

    /// How logs are written.
    pub(crate) fn style(&self) -> LogStyle {
        self.log_format.unwrap_or_default()
    }

    /// What is logged.
    pub(crate) fn level(&self) -> &str {
        self.log_level.as_deref().unwrap_or("info")
    }

    /// What the admin interface is told, but for its places.
    pub(crate) fn admin(&self) -> AdminOptions {
        AdminOptions {
            listen: self.admin,
            token_file: self.admin_token_file.clone(),
            ..AdminOptions::default()
        }
    }
}

/// What every role with a data path is told.
#[derive(Args, Clone)]
pub(crate) struct ServeArgs {
    /// Threads that serve requests [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// Say on error pages which rules were nearest
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) error_details: bool,
    /// How long requests may finish after SIGTERM, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) drain: u64,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// `NAMESPACE/NAME`.
pub(crate) fn namespaced(text: &str) -> Result<NamespacedName, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok(NamespacedName::new(namespace, name))
        }
        _ => Err("write it as NAMESPACE/NAME".to_owned()),
    }
}

fn parse_listen(text: &str) -> Result<std::net::SocketAddr, String> {
    text.parse()
        .map_err(|_| "write 127.0.0.1:9180 or [::1]:9180; port 0 is any free one".to_owned())
}

/// How bad findings are at least that are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// What keeps something from being used
    Error,
    /// And what is likely not as meant
    Warning,
    /// And what is worth knowing
    #[default]
    Info,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::Error,
            Level::Warning => Self::Warning,
            Level::Info => Self::Info,
        }
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogStyle {
    /// One readable line each
    #[default]
    Text,
    /// One JSON object each
    Json,
}
