//! What is told of requests (Traefik's `observability`): by which routes and entry points say.

/// How much traces tell (`traceVerbosity`): whether each filter is told too.
pub const VERBOSITIES: [(&str, bool); 2] = [("minimal", false), ("detailed", true)];

/// What is told of requests. What is not said is as whoever stands around it says, in the end that
/// all of it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observability {
    /// A line in the access log.
    pub access_logs: Option<bool>,
    /// Metrics of requests.
    pub metrics: Option<bool>,
    /// A trace.
    pub tracing: Option<bool>,
    /// Of a trace, also each filter that is passed (`traceVerbosity: detailed`).
    pub detailed: Option<bool>,
}

impl Observability {
    /// All of it, or nothing.
    pub const fn all(is_told: bool) -> Self {
        let said = Some(is_told);
        Self { access_logs: said, metrics: said, tracing: said, detailed: None }
    }

    /// What this does not say, as `outer` says it.
    pub fn or(self, outer: Self) -> Self {
        Self {
            access_logs: self.access_logs.or(outer.access_logs),
            metrics: self.metrics.or(outer.metrics),
            tracing: self.tracing.or(outer.tracing),
            detailed: self.detailed.or(outer.detailed),
        }
    }

    /// Both of them say so.
    pub fn and(self, other: Self) -> Self {
        let both = |a: Option<bool>, b: Option<bool>| {
            if a == Some(false) || b == Some(false) { Some(false) } else { a.or(b) }
        };
        Self {
            access_logs: both(self.access_logs, other.access_logs),
            metrics: both(self.metrics, other.metrics),
            tracing: both(self.tracing, other.tracing),
            detailed: both(self.detailed, other.detailed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_said_around_it() {
        let quiet = Observability { access_logs: Some(false), ..Observability::default() };
        let loud = Observability::all(true);
        assert_eq!(quiet.or(loud), Observability { access_logs: Some(false), ..loud });
        assert_eq!(loud.or(quiet), loud);
        assert_eq!(loud.and(quiet), Observability { access_logs: Some(false), ..loud });
        assert_eq!(quiet.and(loud), loud.and(quiet));
        assert_eq!(Observability::default().or(Observability::default()), Observability::default());
    }
}
