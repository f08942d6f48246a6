//! Numbers of YAML 1.1: octal `010`, `0x1f`, `0b11`, `1_000`, base 60 `1:30:00`, and floats with a point.

use super::Scalar;

/// More digits than Python reads.
const DIGITS: usize = 4300;

/// Whole number that a text is. `None` = it is none; `Some(None)` = it is one with too many digits.
pub(super) fn int(text: &str) -> Option<Option<Scalar>> {
    let (sign, body) = split_sign(text);
    let form = Form::of(body)?;
    let digits: String = body.chars().filter(|c| *c != '_').collect();
    if digits.len() > DIGITS {
        return Some(None);
    }
    let size = match form {
        Form::Decimal => Size::of(10, digits.bytes()),
        Form::Octal => Size::of(8, digits.bytes()),
        Form::Binary => Size::of(2, digits[2..].bytes()),
        Form::Hexadecimal => Size::of(16, digits[2..].bytes()),
        Form::Sixty => sixty(&digits),
    };
    Some(size.map(|size| size.signed(sign)))
}

/// The value of a number that says by a tag that it is a whole one.
pub(super) fn tagged_int(text: &str) -> Option<Scalar> {
    int(text).flatten()
}

/// The number with a point that a text is; `None` = it is none.
pub(super) fn float(text: &str) -> Option<f64> {
    let (sign, body) = split_sign(text);
    match body {
        ".inf" | ".Inf" | ".INF" => return Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if body == text => return Some(f64::NAN),
        _ => {}
    }
    let plain: String = body.chars().filter(|c| *c != '_').collect();
    if body.contains(':') {
        return sixty_float(body).then(|| sign * base_sixty(&plain));
    }
    // A sign does not go with a bare point.
    if !is_float(body) || (body.starts_with('.') && body.len() < text.len()) {
        return None;
    }
    plain.parse::<f64>().ok().map(|number| sign * number)
}

/// The number that Python's `float()` makes of a text that says by a tag that it is one.
pub(super) fn tagged_float(text: &str) -> Option<f64> {
    float(text).or_else(|| python_float(&text.chars().filter(|c| *c != '_').collect::<String>()))
}

/// As `float()` of Python reads a text.
pub(super) fn python_float(text: &str) -> Option<f64> {
    let text = without_underscores(text.trim())?;
    // Rust reads these words too, and no other ones that Python does not.
    text.parse().ok()
}

/// As `int()` of Python reads a text.
pub(super) fn python_int(text: &str) -> Option<Scalar> {
    let (sign, body) = split_sign(text.trim());
    let digits = without_underscores(body)?;
    let right = !digits.is_empty() && digits.len() <= DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    right.then(|| Size::of(10, digits.bytes()))?.map(|size| size.signed(sign))
}

/// Python allows `_` between two digits only.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let misplaced = |(at, b): (usize, &u8)| *b == b'_' && !(digit(at.checked_sub(1)) && digit(Some(at + 1)));
    (!bytes.iter().enumerate().any(misplaced)).then(|| text.replace('_', ""))
}

fn split_sign(text: &str) -> (f64, &str) {
    match text.strip_prefix('-') {
        Some(body) => (-1.0, body),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// How a whole number is written.
enum Form {
    Decimal,
    Octal,
    Binary,
    Hexadecimal,
    Sixty,
}

impl Form {
    fn of(body: &str) -> Option<Self> {
        let all = |text: &str, right: fn(char) -> bool| {
            !text.is_empty() && text.chars().all(|c| c == '_' || right(c))
        };
        // `0x_` has no digits, and no value.
        let some = |text: &str| text.chars().any(|c| c != '_');
        if let Some(rest) = body.strip_prefix("0b") {
            return (some(rest) && all(rest, |c| matches!(c, '0' | '1'))).then_some(Self::Binary);
        }
        if let Some(rest) = body.strip_prefix("0x") {
            return (some(rest) && all(rest, |c| c.is_ascii_hexdigit())).then_some(Self::Hexadecimal);
        }
        if body == "0" {
            return Some(Self::Decimal);
        }
        if let Some(rest) = body.strip_prefix('0') {
            return all(rest, |c| matches!(c, '0'..='7')).then_some(Self::Octal);
        }
        let (first, rest) = body.split_once(':').map_or((body, None), |(first, rest)| (first, Some(rest)));
        if first.starts_with('_') || !all(first, |c| c.is_ascii_digit()) {
            return None;
        }
        match rest {
            None => Some(Self::Decimal),
            Some(rest) => rest.split(':').all(is_sixtieth).then_some(Self::Sixty),
        }
    }
}

/// `[0-5]?[0-9]`
fn is_sixtieth(text: &str) -> bool {
    match text.as_bytes() {
        [b] => b.is_ascii_digit(),
        [tens, b] => matches!(tens, b'0'..=b'5') && b.is_ascii_digit(),
        _ => false,
    }
}

/// A whole number without its sign, in digits of base 10^9, the least first.
struct Size(Vec<u32>);

impl Size {
    /// `None`: there is no digit, or one that the base has not.
    fn of(base: u32, digits: impl Iterator<Item = u8>) -> Option<Self> {
        let mut size = None;
        for byte in digits {
            let digit = char::from(byte).to_digit(base)?;
            let before: &mut Self = size.get_or_insert(Self(Vec::new()));
            before.grow(base, digit);
        }
        size
    }

    fn grow(&mut self, base: u32, digit: u32) {
        const LIMB: u64 = 1_000_000_000;
        let mut carry = u64::from(digit);
        for limb in &mut self.0 {
            let value = u64::from(*limb) * u64::from(base) + carry;
            *limb = u32::try_from(value % LIMB).unwrap_or_default();
            carry = value / LIMB;
        }
        while carry > 0 {
            self.0.push(u32::try_from(carry % LIMB).unwrap_or_default());
            carry /= LIMB;
        }
    }

    fn signed(&self, sign: f64) -> Scalar {
        let (last, rest) = self.0.split_last().unwrap_or((&0, &[]));
        let mut text = if sign < 0.0 { format!("-{last}") } else { last.to_string() };
        for limb in rest.iter().rev() {
            text.push_str(&format!("{limb:09}"));
        }
        text.parse().map_or(Scalar::Large(text), Scalar::Int)
    }
}

fn sixty(digits: &str) -> Option<Size> {
    let mut parts = digits.split(':');
    let mut size = Size::of(10, parts.next()?.bytes())?;
    for part in parts {
        size.grow(60, part.parse().ok()?);
    }
    Some(size)
}

/// `[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?` or `\.[0-9][0-9_]*([eE][-+][0-9]+)?`
fn is_float(body: &str) -> bool {
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (&body[..at], Some(&body[at + 1..])),
        None => (body, None),
    };
    let is_exponent = |text: &str| {
        text.strip_prefix(['-', '+'])
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    let Some((whole, part)) = mantissa.split_once('.') else { return false };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let starts = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    exponent.is_none_or(is_exponent)
        && digits(whole)
        && digits(part)
        && (starts(whole) || (whole.is_empty() && starts(part)))
}

/// `[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*`
fn sixty_float(body: &str) -> bool {
    let Some((whole, part)) = body.split_once('.') else { return false };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    first.starts_with(|c: char| c.is_ascii_digit()) && digits(first) && digits(part) && parts.all(is_sixtieth)
}

fn base_sixty(plain: &str) -> f64 {
    let mut base = 1.0;
    let mut sum = 0.0;
    for part in plain.split(':').rev() {
        sum += part.parse::<f64>().unwrap_or(0.0) * base;
        base *= 60.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_of_yaml_1_1() {
        for (text, wanted) in [
            ("010", 8),
            ("0", 0),
            ("00", 0),
            ("0_", 0),
            ("0x1f", 31),
            ("0x_F", 15),
            ("-0x10", -16),
            ("0b101", 5),
            ("1_000", 1000),
            ("+12", 12),
            ("-3", -3),
            ("12:30", 750),
            ("1:30:00", 5400),
            ("-1:30", -90),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(int(text).flatten(), Some(Scalar::Int(wanted)), "{text}");
        }
        for text in
            ["0o10", "08", "0xg", "0b2", "1:60", "1:", "_1", "1.0", "", "-", "0x", "12:3:456", "0b_", "1e3"]
        {
            assert_eq!(int(text), None, "{text}");
        }
    }

    #[test]
    fn large_numbers_keep_every_digit() {
        let large = |text: &str| match int(text).flatten() {
            Some(Scalar::Large(digits)) => digits,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(large("9223372036854775808"), "9223372036854775808");
        assert_eq!(large("0xffffffffffffffffffff"), "1208925819614629174706175");
        assert_eq!(large("-100000000000000000000000000000"), "-100000000000000000000000000000");
        assert_eq!(int(&"9".repeat(5000)), Some(None));
    }

    #[test]
    fn floats_of_yaml_1_1() {
        for (text, wanted) in [
            ("0.10", 0.1),
            ("1.0e+3", 1000.0),
            ("1_0.5", 10.5),
            ("5.", 5.0),
            (".5", 0.5),
            ("-1.5E-2", -0.015),
            ("1:30.5", 90.5),
            ("-.inf", f64::NEG_INFINITY),
            (".Inf", f64::INFINITY),
        ] {
            assert_eq!(float(text), Some(wanted), "{text}");
        }
        assert!(float(".NaN").is_some_and(f64::is_nan));
        for text in ["1e3", "1.0e3", "-.5", ".", "._5", ".iNf", "-.nan", "inf", "1:70.5", "1.2.3", "", "e.1"]
        {
            assert!(float(text).is_none(), "{text}");
        }
    }

    #[test]
    fn numbers_of_python() {
        assert_eq!(python_int(" -1_0 "), Some(Scalar::Int(-10)));
        for text in ["", "1__0", "_1", "1_", "1.0", "0x1", "a", "--1"] {
            assert_eq!(python_int(text), None, "{text}");
        }
        assert_eq!(python_float("1_0.5e1"), Some(105.0));
        assert_eq!(python_float("1.2.3"), None);
    }
}
