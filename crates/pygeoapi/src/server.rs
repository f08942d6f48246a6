//! `server` and `logging`: where pygeoapi listens, what it is called from outside, its languages and limits.

use crate::{
    remark::Report,
    spot::Spot,
    yaml::{Kind, Scalar},
};

/// What a configuration says of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address to listen on; images of pygeoapi take theirs from `CONTAINER_HOST`.
    pub host: Option<String>,
    /// Port to listen on; images of pygeoapi take theirs from `CONTAINER_PORT`.
    pub port: Option<u16>,
    /// Base of every link, without a slash at its end; it may have a path.
    pub url: Option<String>,
    /// Path that stands before every route, such as `v1`; without slashes at its ends.
    pub url_prefix: Option<String>,
    /// Languages of the service, the default first.
    pub languages: Vec<String>,
    /// Pages of lists.
    pub limits: Limits,
    /// Whether pages of any origin may call.
    pub cors: bool,
    /// Tiles of the map.
    pub map: Option<Map>,
    /// Level of the log.
    pub log: Option<LogLevel>,
    /// Who runs jobs.
    pub manager: Manager,
    /// 52N's `finalizer_controller`: whether results and logs were kept.
    pub keeps_results: bool,
}

/// How long pages of lists are, as far as it is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// When the request says nothing.
    pub default: Option<u32>,
    /// At most.
    pub max: Option<u32>,
    /// Whether asking for more is an error; else it is cut.
    pub refuses: bool,
}

/// Tiles of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Template with `{x}`, `{y}`, `{z}`.
    pub url: String,
    /// Whose they are.
    pub attribution: Option<String>,
}

/// Level of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// `ERROR` and `CRITICAL`
    Error,
    /// `WARNING`
    Warn,
    /// `INFO`
    Info,
    /// `DEBUG` and `NOTSET`
    Debug,
}

/// Who ran jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// 52North's.
    North,
    /// EOX's, with Kubernetes Jobs.
    Eox,
    /// EOX's, with Argo Workflows.
    Argo,
    /// Another one, or none.
    Other,
}

/// Members without meaning here.
const WITHOUT_EFFECT: [(&str, &str); 9] = [
    ("pretty_print", "has no effect: answers are compact"),
    ("gzip", "has no effect: answers are compressed when the client asks for it"),
    ("encoding", "has no effect: everything is UTF-8"),
    ("mimetype", "has no effect: the media type is what the client asks for"),
    ("templates", "has no effect: pages are this server's own"),
    ("ogc_schemas_location", "has no effect"),
    ("locale_dir", "has no effect"),
    ("icon", "has no effect"),
    ("logo", "has no effect"),
];

/// Reads `server` and `logging`. `top` = the whole configuration.
pub(crate) fn read(report: &mut Report, top: &Spot<'_>) -> Server {
    let log = top.some("logging").and_then(|logging| log_level(report, &logging));
    let mut server = Server {
        host: None,
        port: None,
        url: None,
        url_prefix: None,
        languages: Vec::new(),
        limits: Limits::default(),
        cors: false,
        map: None,
        log,
        manager: Manager::Other,
        keeps_results: false,
    };
    let Some(spot) = top.some("server").filter(|spot| report.map(spot)) else { return server };
    unknown(report, &spot);
    manager(report, &spot, &mut server);
    if let Some(bind) = spot.some("bind") {
        server.host = report.text_of(&bind, "host");
        server.port = bind.get("port").and_then(|port| self::port(report, &port));
    }
    server.url = report.text_of(&spot, "url").map(|url| url.trim_end_matches('/').to_owned());
    server.url_prefix = spot.some("api_rules").and_then(|rules| url_prefix(report, &rules));
    server.languages = languages(report, &spot);
    limits(report, &spot, &mut server);
    server.cors = spot.some("cors").is_some_and(|cors| report.truth(&cors));
    server.map = spot.some("map").and_then(|map| self::map(report, &map));
    server
}

fn unknown(report: &mut Report, spot: &Spot<'_>) {
    const READ: [&str; 11] = [
        "bind",
        "url",
        "api_rules",
        "language",
        "languages",
        "limit",
        "limits",
        "cors",
        "map",
        "manager",
        "admin",
    ];
    for (name, why) in WITHOUT_EFFECT {
        if let Some(member) = spot.get(name) {
            report.ignored(&member, why);
        }
    }
    if let Some(admin) = spot.get("admin").filter(|admin| admin.node.is_truthy()) {
        report.doubt(&admin, "asks for pygeoapi's administration, which this server has not");
    }
    let known: Vec<&str> = READ.into_iter().chain(WITHOUT_EFFECT.map(|(name, _)| name)).collect();
    report.unknown(spot, &known);
}

fn manager(report: &mut Report, server: &Spot<'_>, into: &mut Server) {
    let Some(spot) = server.some("manager").filter(|spot| report.map(spot)) else { return };
    let name = report.text_of(&spot, "name").unwrap_or_default();
    into.manager = match name.as_str() {
        name if crate::north::is_manager(name) => Manager::North,
        name => crate::eox::manager(name).unwrap_or(Manager::Other),
    };
    if into.manager == Manager::Other
        && let Some(member) = spot.get("name")
    {
        report.ignored(&member, "is no manager that is known here; jobs are run by this server all the same");
    }
    into.keeps_results = spot.some("finalizer_controller").is_some_and(|it| report.truth(&it));
    for (name, why) in [
        ("logging", "has no effect: they are levels of Python's libraries"),
        ("mode", "has no effect outside of 52N's own tests"),
        ("connection", "has no effect: jobs are kept in this server's own store"),
        ("output_dir", "has no effect: results are kept in this server's own store"),
        ("log_query_endpoint", "has no effect: every job has its log at /jobs/{id}/logs"),
        ("skip_k8s_setup", "has no effect outside of EOX's own tests"),
        ("results_link_template", "has no effect: Argo Workflows are not run"),
    ] {
        if let Some(member) = spot.get(name) {
            report.ignored(&member, why);
        }
    }
    let known = [
        "name",
        "finalizer_controller",
        "logging",
        "mode",
        "connection",
        "output_dir",
        "log_query_endpoint",
        "skip_k8s_setup",
        "results_link_template",
    ];
    report.unknown(&spot, &known);
}

fn port(report: &mut Report, spot: &Spot<'_>) -> Option<u16> {
    let number = report.whole(spot)?;
    let port = u16::try_from(number).ok();
    if port.is_none() {
        report.doubt(spot, "is no port; it is left out");
    }
    port
}

fn url_prefix(report: &mut Report, rules: &Spot<'_>) -> Option<String> {
    for (name, why) in [
        ("strict_slashes", "has no effect: addresses have no slash at their end"),
        ("version_header", "has no effect"),
        ("api_version", "has no effect"),
    ] {
        if let Some(member) = rules.get(name) {
            report.ignored(&member, why);
        }
    }
    report.unknown(rules, &["url_prefix", "strict_slashes", "version_header", "api_version"]);
    let prefix = report.text_of(rules, "url_prefix")?;
    if prefix.contains(['{', '}']) {
        report.doubt(&rules.get("url_prefix")?, "has placeholders, which are not filled in; it is left out");
        return None;
    }
    Some(prefix.trim_matches('/').to_owned()).filter(|prefix| !prefix.is_empty())
}

fn languages(report: &mut Report, server: &Spot<'_>) -> Vec<String> {
    let several = server.some("languages").or_else(|| server.some("language"));
    let items = match several {
        Some(spot) if spot.is_list() => spot.items(),
        Some(spot) => vec![spot],
        None => Vec::new(),
    };
    items.iter().filter_map(|item| report.text(item)).map(|tag| tag.replace('_', "-")).collect()
}

fn limits(report: &mut Report, server: &Spot<'_>, into: &mut Server) {
    if let Some(old) = server.some("limit") {
        // pygeoapi 0.18, which EOX uses, has only that one, and listed all processes all the same.
        report.ignored(&old, "has no effect on the lists of processes and jobs; write `limits: {default_items: …, max_items: …}`");
    }
    let Some(spot) = server.some("limits").filter(|spot| report.map(spot)) else { return };
    for (name, place) in [("default_items", &mut into.limits.default), ("max_items", &mut into.limits.max)] {
        if let Some(limit) = spot.get(name).and_then(|limit| report.whole(&limit)).filter(|limit| *limit > 0)
        {
            *place = Some(limit);
        }
    }
    into.limits.refuses = report.text_of(&spot, "on_exceed").as_deref() == Some("error");
    report.unknown(
        &spot,
        &[
            "default_items",
            "max_items",
            "on_exceed",
            "max_distance_x",
            "max_distance_y",
            "max_distance_units",
        ],
    );
}

fn map(report: &mut Report, spot: &Spot<'_>) -> Option<Map> {
    if !report.map(spot) {
        return None;
    }
    report.unknown(spot, &["url", "attribution"]);
    Some(Map { url: report.text_of(spot, "url")?, attribution: report.text_of(spot, "attribution") })
}

fn log_level(report: &mut Report, spot: &Spot<'_>) -> Option<LogLevel> {
    if !report.map(spot) {
        return None;
    }
    for name in ["logfile", "logformat", "dateformat", "rotation"] {
        if let Some(member) = spot.get(name) {
            report.ignored(
                &member,
                "has no effect: the log is written to standard error in this server's form",
            );
        }
    }
    report.unknown(spot, &["level", "logfile", "logformat", "dateformat", "rotation"]);
    let level = spot.get("level")?;
    match &level.node.kind {
        Kind::Scalar(Scalar::Null) => None,
        _ => match report.text(&level)?.to_uppercase().as_str() {
            "ERROR" | "CRITICAL" | "FATAL" => Some(LogLevel::Error),
            "WARNING" | "WARN" => Some(LogLevel::Warn),
            "INFO" => Some(LogLevel::Info),
            "DEBUG" | "NOTSET" => Some(LogLevel::Debug),
            _ => {
                report.doubt(&level, "is no level of a log; it is left out");
                None
            }
        },
    }
}
