//! Who calls, and what they may do and see.

use axum::extract::FromRequestParts;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, Method, header, request::Parts};
use rutter_core::{id::CallerId, job::Job};

use crate::{
    base::Base,
    config::{Access, ServerConfig},
    cors,
    error::ApiError,
    front::Context,
    place::{Area, Place},
    tokens::Role,
};

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Name that authentication gave; `None` = nobody is authenticated here.
    pub id: Option<CallerId>,
    /// What the caller may do.
    pub role: Role,
}

impl Caller {
    /// Everybody, where nobody is authenticated: one person's machine, or a server whose operator wanted it so.
    pub const ANYBODY: Self = Self { id: None, role: Role::Operator };

    /// Jobs that the caller may see, as the owner of a job filter: `None` = all.
    pub fn owner_filter(&self) -> Option<Option<CallerId>> {
        match self.role {
            Role::Operator => None,
            Role::Caller => Some(self.id.clone()),
        }
    }
}

/// Whether a caller may see a job. Others must be told that there is none.
pub fn may_see(caller: &Caller, job: &Job) -> bool {
    caller.role == Role::Operator || (caller.id.is_some() && job.owner == caller.id)
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Context::of(&parts.extensions).map(|context| context.caller.clone())
    }
}

/// The caller of a request, or why it is refused.
pub(crate) fn check(
    config: &ServerConfig,
    base: &Base,
    method: &Method,
    place: Place,
    headers: &HeaderMap,
) -> Result<Caller, ApiError> {
    if config.is_open_loopback() && !is_safe(method) {
        check_page(config, base, headers)?;
    }
    let Access::Tokens(tokens) = &config.access else { return Ok(Caller::ANYBODY) };
    // Browsers ask whether they may ask, and send no token with that question.
    let area = if *method == Method::OPTIONS { Area::Public } else { place.area(is_safe(method)) };
    let Some(header) = headers.get(header::AUTHORIZATION) else {
        return match area {
            Area::Public => Ok(Caller { id: None, role: Role::Caller }),
            Area::Callers | Area::Operators => Err(ApiError::Unauthorized {
                reason: "send a token of this server: `Authorization: Bearer TOKEN`, or as the password of any name",
                wrong_token: false,
            }),
        };
    };
    let sent = header.to_str().ok().and_then(Sent::read);
    if matches!(sent, Some(Sent::Password(_))) && !is_safe(method) {
        // Browsers add a password to whatever any page asks of them.
        check_page(config, base, headers)?;
    }
    let (id, role) = sent.and_then(|sent| tokens.find(sent.token())).ok_or(ApiError::Unauthorized {
        reason: "the token is not known to this server; ask its operator for one",
        wrong_token: true,
    })?;
    if area == Area::Operators && *role != Role::Operator {
        return Err(ApiError::Forbidden { reason: "only operators may see this".into() });
    }
    Ok(Caller { id: Some(id.clone()), role: *role })
}

/// How a token is sent.
enum Sent {
    /// By a program (RFC 6750).
    Bearer(String),
    /// As the password that a person typed into a browser, whatever the name (RFC 7617).
    Password(String),
}

impl Sent {
    fn read(header: &str) -> Option<Self> {
        let (scheme, rest) = header.split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(rest.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        decoded.split_once(':').map(|(_, password)| Self::Password(password.to_owned()))
    }

    fn token(&self) -> &str {
        match self {
            Self::Bearer(token) | Self::Password(token) => token,
        }
    }
}

pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// No web page may run programs on the machine of whoever looks at it. Browsers say which page asks; other clients
/// say nothing, and may.
fn check_page(config: &ServerConfig, base: &Base, headers: &HeaderMap) -> Result<(), ApiError> {
    let refuse = |who: &str| {
        Err(ApiError::Forbidden {
            reason: format!(
                "a web page of {who} must not change anything here; name its origin in server.allowedOrigins to let it"
            ),
        })
    };
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or("an unknown origin");
        let is_own = origin.eq_ignore_ascii_case(base.origin());
        return if is_own || cors::is_named(config, origin) { Ok(()) } else { refuse(origin) };
    }
    match headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => refuse("another site"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Tokens;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn ask(
        config: &ServerConfig,
        method: Method,
        path: &str,
        pairs: &[(&'static str, &str)],
    ) -> Result<Caller, u16> {
        let base = Base::new("http://127.0.0.1:8080");
        check(config, &base, &method, Place::of(path), &headers(pairs))
            .map_err(|error| error.status().as_u16())
    }

    #[test]
    fn web_pages_can_not_run_programs_on_a_laptop() {
        let named = vec!["*".to_owned(), "https://named.example".to_owned()];
        let config = ServerConfig { allowed_origins: named, ..ServerConfig::default() };
        let run = "/processes/echo/execution";
        let table: [(&[(&'static str, &str)], bool); 9] = [
            (&[], true),
            (&[("origin", "http://127.0.0.1:8080")], true),
            (&[("origin", "https://named.example")], true),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "http://127.0.0.1:3000")], false),
            (&[("origin", "null")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "same-origin")], true),
        ];
        for (pairs, allowed) in table {
            assert_eq!(ask(&config, Method::POST, run, pairs).is_ok(), allowed, "{pairs:?}");
            assert_eq!(ask(&config, Method::DELETE, "/jobs/x", pairs).is_ok(), allowed, "{pairs:?}");
            assert!(ask(&config, Method::GET, "/jobs/x", pairs).is_ok(), "{pairs:?}");
        }
    }

    #[test]
    fn tokens_open_what_their_role_may() {
        let file = "- {name: ada, role: operator, token: operators-long-token}\n- {name: ben, role: caller, token: callers-own-long-token}";
        let access = Access::Tokens(Tokens::parse(file).unwrap());
        let config = ServerConfig { access, ..ServerConfig::default() };
        let ada = [("authorization", "Bearer operators-long-token")];
        let ben = [("authorization", "bearer callers-own-long-token")];
        for path in
            ["/", "/conformance", "/api", "/processes", "/processes/echo", "/livez", "/readyz", "/assets/x"]
        {
            assert!(ask(&config, Method::GET, path, &[]).is_ok(), "{path}");
        }
        for path in ["/jobs", "/jobs/x", "/jobs/x/results/y", "/jobs/x/logs", "/metrics"] {
            assert_eq!(ask(&config, Method::GET, path, &[]), Err(401), "{path}");
            assert_eq!(ask(&config, Method::GET, path, &[("authorization", "Basic x")]), Err(401), "{path}");
            assert!(ask(&config, Method::GET, path, &ada).is_ok(), "{path}");
        }
        assert_eq!(ask(&config, Method::POST, "/processes/echo/execution", &[]), Err(401));
        assert_eq!(ask(&config, Method::GET, "/metrics", &ben), Err(403));
        assert_eq!(ask(&config, Method::GET, "/", &[("authorization", "Bearer wrong")]), Err(401));
        let caller = ask(&config, Method::GET, "/jobs", &ben).unwrap();
        assert_eq!(caller.owner_filter(), Some(Some("ben".parse().unwrap())));
        assert_eq!(ask(&config, Method::GET, "/jobs", &ada).unwrap().owner_filter(), None);
    }

    #[test]
    fn a_browser_sends_the_token_as_a_password_and_only_our_pages_may_use_it() {
        let file = "- {name: ada, role: caller, token: a-long-enough-secret}";
        let access = Access::Tokens(Tokens::parse(file).unwrap());
        let config = ServerConfig { access, ..ServerConfig::default() };
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for name in ["ada", "", "whoever"] {
            let right = basic(&format!("{name}:a-long-enough-secret"));
            let caller = ask(&config, Method::GET, "/jobs", &[("authorization", &right)]).unwrap();
            assert_eq!(caller.id, Some("ada".parse().unwrap()), "the token says who it is");
        }
        for wrong in ["ada:wrong", "a-long-enough-secret:", "a-long-enough-secret"] {
            assert_eq!(
                ask(&config, Method::GET, "/jobs", &[("authorization", &basic(wrong))]),
                Err(401),
                "{wrong}"
            );
        }
        assert_eq!(ask(&config, Method::GET, "/jobs", &[("authorization", "Basic ?")]), Err(401));
        let right = basic("ada:a-long-enough-secret");
        let post = |header: &str, page: (&'static str, &str)| {
            let pairs = [("authorization", header), page];
            ask(&config, Method::POST, "/processes/echo/execution", &pairs).map(|_| ())
        };
        assert_eq!(post(&right, ("origin", "http://127.0.0.1:8080")), Ok(()));
        assert_eq!(post(&right, ("x-none", "")), Ok(()), "curl -u says of no page");
        assert_eq!(post(&right, ("origin", "https://evil.example")), Err(403));
        assert_eq!(post(&right, ("sec-fetch-site", "cross-site")), Err(403));
        assert_eq!(post("Bearer a-long-enough-secret", ("origin", "https://evil.example")), Ok(()));
    }
}
