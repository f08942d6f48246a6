//! Headers that go with content of users: programs choose names and bytes, so neither may reach further than a download.

use http::{HeaderMap, HeaderValue, header};

/// The header `Content-Disposition` (RFC 6266) for a file name that a program chose. Anything that could end the header,
/// leave the folder or fool a reader becomes `_` in the plain form; the whole name travels percent-encoded.
pub fn content_disposition(name: &str) -> HeaderValue {
    let safe: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let safe = match safe.trim_matches(['.', ' ']) {
        "" => "result",
        trimmed => trimmed,
    };
    let mut text = format!("inline; filename=\"{safe}\"");
    let visible: String = name.chars().filter(|c| !c.is_control() && !matches!(c, '/' | '\\')).collect();
    if visible != safe && !visible.trim_matches('.').is_empty() {
        text.push_str("; filename*=UTF-8''");
        percent_encode(&visible, &mut text);
    }
    // Only visible ASCII was written.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("inline"))
}

/// Keep a browser from running what a program wrote, with the rights of this origin.
pub fn confine(headers: &mut HeaderMap, media_type: &str) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_active(media_type) {
        let policy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:";
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
}

/// A media type as a header: nothing a program wrote becomes a second header.
pub fn content_type(media_type: &str) -> HeaderValue {
    let lower = media_type.to_ascii_lowercase();
    let text = if lower.starts_with("text/") && !lower.contains("charset") {
        HeaderValue::from_str(&format!("{media_type}; charset=utf-8"))
    } else {
        HeaderValue::from_str(media_type)
    };
    match text {
        Ok(value) if lower.contains('/') => value,
        _ => HeaderValue::from_static("application/octet-stream"),
    }
}

fn is_active(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "text/html" || essence.ends_with("/xml") || essence.ends_with("+xml")
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ' | '(' | ')' | '+' | '=' | '@' | ',')
}

fn percent_encode(text: &str, into: &mut String) {
    use std::fmt::Write;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disposition(name: &str) -> String {
        content_disposition(name).to_str().unwrap().to_owned()
    }

    #[test]
    fn plain_names_stay_plain() {
        assert_eq!(disposition("depth.tif"), "inline; filename=\"depth.tif\"");
    }

    #[test]
    fn no_name_ends_the_header_or_leaves_the_folder() {
        assert_eq!(
            disposition("a\r\nSet-Cookie: x=1\".tif"),
            "inline; filename=\"a__Set-Cookie_ x=1_.tif\"; filename*=UTF-8''aSet-Cookie%3A%20x%3D1%22.tif"
        );
        assert_eq!(
            disposition("../../etc/passwd"),
            "inline; filename=\"_.._etc_passwd\"; filename*=UTF-8''....etcpasswd"
        );
        assert_eq!(
            disposition("тест.tif"),
            "inline; filename=\"____.tif\"; filename*=UTF-8''%D1%82%D0%B5%D1%81%D1%82.tif"
        );
        assert_eq!(disposition(""), "inline; filename=\"result\"");
        assert_eq!(disposition("\n"), "inline; filename=\"_\"");
        assert_eq!(disposition(".."), "inline; filename=\"result\"");
    }

    #[test]
    fn active_content_is_confined() {
        for (media_type, active) in [
            ("text/html; charset=utf-8", true),
            ("image/svg+xml", true),
            ("application/xml", true),
            ("image/tiff", false),
        ] {
            let mut headers = HeaderMap::new();
            confine(&mut headers, media_type);
            assert_eq!(headers.contains_key(header::CONTENT_SECURITY_POLICY), active, "{media_type}");
            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        }
    }

    #[test]
    fn a_media_type_is_one_header() {
        assert_eq!(content_type("text/plain"), "text/plain; charset=utf-8");
        assert_eq!(content_type("image/tiff"), "image/tiff");
        assert_eq!(content_type("a/b\r\nX: y"), "application/octet-stream");
        assert_eq!(content_type(""), "application/octet-stream");
    }
}
