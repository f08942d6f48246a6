//! File names of staged inputs. Nothing of what a caller wrote becomes a path as it is.

use crate::{id::InputId, schema::essence};

/// Longest name.
const LENGTH_LIMIT: usize = 100;
/// Longest extension that is kept when a name is cut.
const EXTENSION_LIMIT: usize = 16;

/// Name from the last part of a URL or path; one without extension gets that of the media type.
pub(super) fn from_url(href: &str, input: &InputId, media_type: Option<&str>) -> String {
    let parsed = url::Url::parse(href).ok();
    let path = parsed.as_ref().map_or(href, url::Url::path);
    let last = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
    let mut name = safe(&percent_decoded(last));
    if name.is_empty() {
        return from_media_type(input, media_type, "bin");
    }
    if !name.contains('.')
        && let Some(extension) = media_type.and_then(extension)
    {
        name = format!("{name}.{extension}");
    }
    name
}

/// `<input>.<extension of the media type>`.
pub(super) fn from_media_type(input: &InputId, media_type: Option<&str>, otherwise: &str) -> String {
    let extension = media_type.and_then(extension).unwrap_or(otherwise);
    safe(&format!("{input}.{extension}"))
}

/// Letters, digits, `-`, `_` and `.`, the first of them a letter or digit: one safe path component, no option of a
/// program, no hidden file. May be empty.
fn safe(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    let replaced: String = text.chars().map(allowed).collect();
    let name = replaced.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    if name.len() <= LENGTH_LIMIT {
        return name.to_owned();
    }
    let extension =
        name.rfind('.').map(|at| &name[at..]).filter(|extension| extension.len() <= EXTENSION_LIMIT);
    let extension = extension.unwrap_or_default();
    format!("{}{extension}", &name[..LENGTH_LIMIT - extension.len()])
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |byte: &u8| (*byte as char).to_digit(16);
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(high).is_some() && hex(low).is_some() => {
                let value = hex(high).unwrap_or(0) * 16 + hex(low).unwrap_or(0);
                bytes.push(value as u8);
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Usual extension of a media type: programs tell formats by it.
fn extension(media_type: &str) -> Option<&'static str> {
    let essence = essence(media_type);
    Some(match essence.as_str() {
        "application/cog" | "image/tiff" | "image/geotiff" | "application/geotiff" => "tif",
        "application/csv" | "text/csv" => "csv",
        "application/flatgeobuf" | "application/vnd.flatgeobuf" => "fgb",
        "application/geo+json" | "application/vnd.geo+json" => "geojson",
        "application/geopackage+sqlite3" | "application/geopackage+vnd.sqlite3" => "gpkg",
        "application/gml+xml" => "gml",
        "application/gpx+xml" => "gpx",
        "application/grib" | "application/x-grib" | "application/x-grib2" | "application/wmo-grib2" => "grib",
        "application/gzip" | "application/x-gzip" => "gz",
        "application/json" => "json",
        "application/netcdf" | "application/x-netcdf" => "nc",
        "application/pdf" => "pdf",
        "application/vnd.apache.parquet" | "application/x-parquet" => "parquet",
        "application/vnd.google-earth.kml+xml" => "kml",
        "application/vnd.google-earth.kmz" => "kmz",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        "application/x-hdf" | "application/x-hdf5" => "h5",
        "application/x-shapefile" | "application/zip" | "application/x-zip-compressed" => "zip",
        "application/x-tar" => "tar",
        "application/xml" | "text/xml" => "xml",
        "application/yaml" | "application/x-yaml" | "text/yaml" => "yaml",
        "image/gif" => "gif",
        "image/jp2" => "jp2",
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/svg+xml" => "svg",
        "image/webp" => "webp",
        "text/html" => "html",
        "text/plain" => "txt",
        other if other.ends_with("+json") => "json",
        other if other.ends_with("+xml") => "xml",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_whatever_the_url_says() {
        let input: InputId = "dem".parse().unwrap();
        let table = [
            ("https://x/data/dem.tif", None, "dem.tif"),
            ("https://x/data/dem.tif?sig=a/b", None, "dem.tif"),
            ("https://x/a%2Fb%2F..%2Fc.tif", None, "a_b_.._c.tif"),
            ("https://x/..%2f..%2fetc%2fpasswd", None, "etc_passwd"),
            ("https://x/%00%0a.tif", None, "tif"),
            ("https://x/-rf", None, "rf"),
            ("https://x/.bashrc", None, "bashrc"),
            ("https://x/", Some("image/tiff; application=geotiff"), "dem.tif"),
            ("https://x/", None, "dem.bin"),
            ("https://x/download", Some("text/csv"), "download.csv"),
            ("https://x/folder/", None, "folder"),
            ("https://x/h%C3%B6he.tif", None, "h_he.tif"),
            ("https://x/50%", None, "50_"),
            ("data/dem-cumberland.tif", None, "dem-cumberland.tif"),
        ];
        for (href, media_type, wanted) in table {
            assert_eq!(from_url(href, &input, media_type), wanted, "{href}");
        }
    }

    #[test]
    fn long_names_keep_their_extension() {
        let input: InputId = "x".parse().unwrap();
        let name = from_url(&format!("https://x/{}.tif", "a".repeat(300)), &input, None);
        assert_eq!(name.len(), LENGTH_LIMIT);
        assert!(name.ends_with("a.tif"));
        let long: InputId = "y".repeat(128).parse().unwrap();
        let name = from_media_type(&long, Some("text/csv"), "bin");
        assert!(name.len() <= LENGTH_LIMIT && name.ends_with(".csv"), "{name}");
    }
}
