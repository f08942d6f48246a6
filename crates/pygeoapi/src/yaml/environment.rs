//! `${NAME}` and `${NAME:-default}` in plain scalars, as pygeoapi's loader fills them in.

use super::{
    Scalar,
    number::{python_float, python_int},
};

/// Where the values of variables come from: tests need no real environment.
pub type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Whether pygeoapi's loader sees variables in a plain scalar: its pattern looks no further than the first line.
pub(super) fn is_in(text: &str) -> bool {
    next(text).is_some_and(|found| !text[..found.start].contains('\n'))
}

/// The scalar with every variable filled in, and typed. The error is the variable that has no value and no default.
pub(super) fn fill(text: &str, environment: &Environment<'_>) -> Result<Scalar, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(found) = next(rest) {
        filled.push_str(&rest[..found.start]);
        match environment(found.name).or_else(|| found.default.map(ToOwned::to_owned)) {
            Some(value) => filled.push_str(&value),
            None => return Err(found.name.to_owned()),
        }
        rest = &rest[found.end..];
    }
    filled.push_str(rest);
    Ok(typed(filled))
}

/// A reference to a variable, by its place in a text.
struct Found<'a> {
    start: usize,
    end: usize,
    name: &'a str,
    default: Option<&'a str>,
}

fn next(text: &str) -> Option<Found<'_>> {
    text.match_indices("${").find_map(|(start, _)| {
        let inner = &text[start + 2..];
        let length = inner.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inner.len());
        let (name, after) = inner.split_at(length);
        if name.is_empty() {
            return None;
        }
        let (default, after) = match after.strip_prefix(":-") {
            Some(after) => {
                let end = after.find('}')?;
                (Some(&after[..end]), &after[end..])
            }
            None => (None, after),
        };
        let after = after.strip_prefix('}')?;
        Some(Found { start, end: text.len() - after.len(), name, default })
    })
}

/// What pygeoapi takes a text for that has been filled in.
fn typed(text: String) -> Scalar {
    let number = if text.contains('.') {
        python_float(&text).map(Scalar::Float)
    } else if text.len() > 1 && text.starts_with('0') {
        None
    } else if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        Some(Scalar::Bool(text.eq_ignore_ascii_case("true")))
    } else {
        python_int(&text)
    };
    number.unwrap_or(Scalar::Text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<Scalar, String> {
        let environment = |name: &str| match name {
            "HOST" => Some("example.org".to_owned()),
            "PORT" => Some("5000".to_owned()),
            "EMPTY" => Some(String::new()),
            "CODE" => Some("007".to_owned()),
            "RATE" => Some("0.50".to_owned()),
            "YES" => Some("True".to_owned()),
            "WORD" => Some("yes".to_owned()),
            "OUTER" => Some("${PORT}".to_owned()),
            _ => None,
        };
        assert!(is_in(text), "{text}");
        fill(text, &environment)
    }

    fn text(text: &str) -> Result<Scalar, String> {
        Ok(Scalar::Text(text.to_owned()))
    }

    #[test]
    fn variables_are_filled_in_anywhere_and_several_times() {
        assert_eq!(filled("http://${HOST}:${PORT}/x"), text("http://example.org:5000/x"));
        assert_eq!(filled("${NONE:-a b}-${HOST}"), text("a b-example.org"));
        assert_eq!(filled("${NONE:-}"), text(""));
        assert_eq!(filled("${EMPTY:-default}"), text(""), "set and empty is set");
        assert_eq!(filled("${OUTER}"), text("${PORT}"), "not again");
        assert_eq!(filled("${ ${PORT} $HOST ${NO-NE}"), text("${ 5000 $HOST ${NO-NE}"));
        assert_eq!(filled("${PORT}\n${PORT}"), text("5000\n5000"));
    }

    #[test]
    fn what_comes_out_is_typed() {
        assert_eq!(filled("${PORT}"), Ok(Scalar::Int(5000)));
        assert_eq!(filled("${PORT}0"), Ok(Scalar::Int(50000)));
        assert_eq!(filled("${RATE}"), Ok(Scalar::Float(0.5)));
        assert_eq!(filled("${YES}"), Ok(Scalar::Bool(true)));
        assert_eq!(filled("${NONE:-FALSE}"), Ok(Scalar::Bool(false)));
        assert_eq!(filled("${CODE}"), text("007"));
        assert_eq!(filled("${WORD}"), text("yes"), "only true and false");
        assert_eq!(filled("${NONE:-0}"), Ok(Scalar::Int(0)));
        assert_eq!(filled("${NONE:-1.2.3}"), text("1.2.3"));
        assert_eq!(filled("${NONE:-1e3}"), text("1e3"));
    }

    #[test]
    fn a_variable_without_value_is_named() {
        assert_eq!(filled("a ${HOST} ${MISSING} ${ALSO}"), Err("MISSING".to_owned()));
    }

    #[test]
    fn only_references_count() {
        for text in ["$HOST", "${}", "${HOST", "${HOST:-a", "${HO ST}", "$(HOST)", "a\n${HOST}"] {
            assert!(!is_in(text), "{text}");
        }
    }
}
