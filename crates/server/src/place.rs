//! Which resource a path means: for access, which is decided before routing, and for counting, which needs few names.

/// A kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Landing,
    Conformance,
    Api,
    Processes,
    Process,
    Execution,
    Jobs,
    Job,
    Results,
    Result,
    Logs,
    Events,
    BelowJob,
    Live,
    Ready,
    Metrics,
    Assets,
    Other,
}

/// Who may go there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Area {
    /// Everybody.
    Public,
    /// Whoever is authenticated.
    Callers,
    /// Operators.
    Operators,
}

impl Place {
    /// Of a path without the base's prefix and without a slash at its end.
    pub(crate) fn of(path: &str) -> Self {
        let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
        let first = segments.next().unwrap_or_default();
        let rest = (segments.next(), segments.next(), segments.next());
        match (first, rest) {
            ("", (None, ..)) => Self::Landing,
            ("conformance", (None, ..)) => Self::Conformance,
            ("api", (None, ..)) => Self::Api,
            ("processes", (None, ..)) => Self::Processes,
            ("processes", (Some(_), None, _)) => Self::Process,
            ("processes", (Some(_), Some("execution" | "jobs"), None)) => Self::Execution,
            ("jobs", (None, ..)) => Self::Jobs,
            ("jobs", (Some(_), None, _)) => Self::Job,
            ("jobs", (Some(_), Some("results"), None)) => Self::Results,
            ("jobs", (Some(_), Some("results"), Some(_))) => Self::Result,
            ("jobs", (Some(_), Some("logs"), None)) => Self::Logs,
            ("jobs", (Some(_), Some("events"), None)) => Self::Events,
            ("jobs", _) => Self::BelowJob,
            ("livez", (None, ..)) => Self::Live,
            ("readyz", (None, ..)) => Self::Ready,
            ("metrics", (None, ..)) => Self::Metrics,
            ("assets", (Some(_), ..)) => Self::Assets,
            _ => Self::Other,
        }
    }

    /// Name in metrics.
    pub(crate) fn route(self) -> &'static str {
        match self {
            Self::Landing => "/",
            Self::Conformance => "/conformance",
            Self::Api => "/api",
            Self::Processes => "/processes",
            Self::Process => "/processes/{id}",
            Self::Execution => "/processes/{id}/execution",
            Self::Jobs => "/jobs",
            Self::Job => "/jobs/{id}",
            Self::Results => "/jobs/{id}/results",
            Self::Result => "/jobs/{id}/results/{output}",
            Self::Logs => "/jobs/{id}/logs",
            Self::Events => "/jobs/{id}/events",
            Self::BelowJob => "/jobs/{id}/…",
            Self::Live => "/livez",
            Self::Ready => "/readyz",
            Self::Metrics => "/metrics",
            Self::Assets => "/assets/…",
            Self::Other => "other",
        }
    }

    /// Who may go there; `safe` = only to look.
    pub(crate) fn area(self, safe: bool) -> Area {
        match self {
            Self::Metrics => Area::Operators,
            Self::Execution
            | Self::Jobs
            | Self::Job
            | Self::Results
            | Self::Result
            | Self::Logs
            | Self::Events
            | Self::BelowJob => Area::Callers,
            _ if safe => Area::Public,
            _ => Area::Callers,
        }
    }
}
