//! GeoTIFF keys: which coordinate reference system a file says it has (OGC GeoTIFF 1.1, OGC 19-008r4).

/// The georeferencing tags of a file, as they stand in it: read to find the grid's place, and copied into the output.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct GeoTags {
    /// ModelPixelScaleTag (33550).
    pub pixel_scale: Vec<f64>,
    /// ModelTiepointTag (33922).
    pub tiepoints: Vec<f64>,
    /// ModelTransformationTag (34264).
    pub transformation: Vec<f64>,
    /// GeoKeyDirectoryTag (34735).
    pub directory: Vec<u16>,
    /// GeoDoubleParamsTag (34736).
    pub doubles: Vec<f64>,
    /// GeoAsciiParamsTag (34737), without the closing NUL.
    pub ascii: String,
}

/// Ids of the keys that are read.
pub(crate) mod key {
    pub(crate) const MODEL_TYPE: u16 = 1024;
    pub(crate) const RASTER_TYPE: u16 = 1025;
    pub(crate) const CITATION: u16 = 1026;
    pub(crate) const GEOGRAPHIC_TYPE: u16 = 2048;
    pub(crate) const DATUM: u16 = 2050;
    pub(crate) const PRIME_MERIDIAN: u16 = 2051;
    pub(crate) const ANGULAR_UNITS: u16 = 2054;
    pub(crate) const ANGULAR_UNIT_SIZE: u16 = 2055;
    pub(crate) const ELLIPSOID: u16 = 2056;
    pub(crate) const SEMI_MAJOR: u16 = 2057;
    pub(crate) const SEMI_MINOR: u16 = 2058;
    pub(crate) const INVERSE_FLATTENING: u16 = 2059;
    pub(crate) const PRIME_MERIDIAN_LONGITUDE: u16 = 2061;
    pub(crate) const TO_WGS84: u16 = 2062;
    pub(crate) const PROJECTED_TYPE: u16 = 3072;
    pub(crate) const PROJECTED_CITATION: u16 = 3073;
    pub(crate) const PROJECTION: u16 = 3074;
    pub(crate) const METHOD: u16 = 3075;
    pub(crate) const LINEAR_UNITS: u16 = 3076;
    pub(crate) const LINEAR_UNIT_SIZE: u16 = 3077;
    pub(crate) const STANDARD_PARALLEL_1: u16 = 3078;
    pub(crate) const STANDARD_PARALLEL_2: u16 = 3079;
    pub(crate) const ORIGIN_LONGITUDES: [u16; 4] = [3095, 3080, 3084, 3088];
    pub(crate) const ORIGIN_LATITUDES: [u16; 3] = [3081, 3085, 3089];
    pub(crate) const EASTINGS: [u16; 3] = [3082, 3086, 3090];
    pub(crate) const NORTHINGS: [u16; 3] = [3083, 3087, 3091];
    pub(crate) const SCALES: [u16; 2] = [3092, 3093];
    pub(crate) const VERTICAL_TYPE: u16 = 4096;
    pub(crate) const VERTICAL_UNITS: u16 = 4099;
}

const DOUBLES_TAG: u16 = 34736;
const ASCII_TAG: u16 = 34737;

impl GeoTags {
    /// The value of a key that is a code.
    pub(super) fn short(&self, key: u16) -> Option<u16> {
        self.entry(key).and_then(|[_, location, _, value]| (location == 0).then_some(value))
    }

    /// The values of a key that are numbers.
    pub(super) fn numbers(&self, key: u16) -> Option<&[f64]> {
        let [_, location, count, offset] = self.entry(key)?;
        let range = usize::from(offset)..usize::from(offset) + usize::from(count);
        if location == DOUBLES_TAG { self.doubles.get(range) } else { None }
    }

    /// The value of a key that is one number.
    pub(super) fn number(&self, key: u16) -> Option<f64> {
        self.numbers(key)?.first().copied()
    }

    /// The first of several keys that is there as a number.
    pub(super) fn first_number(&self, keys: &[u16]) -> Option<f64> {
        keys.iter().find_map(|key| self.number(*key))
    }

    /// The value of a key that is text.
    pub(super) fn text(&self, key: u16) -> Option<&str> {
        let [_, location, count, offset] = self.entry(key)?;
        let range = usize::from(offset)..(usize::from(offset) + usize::from(count)).min(self.ascii.len());
        if location == ASCII_TAG {
            self.ascii.get(range).map(|text| text.trim_end_matches(['|', '\0']))
        } else {
            None
        }
    }

    fn entry(&self, key: u16) -> Option<[u16; 4]> {
        let entries = self.directory.get(4..)?.as_chunks::<4>().0;
        entries.iter().find(|entry| entry[0] == key).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_all_three_places_and_broken_offsets_are_no_values() {
        let directory = [1, 1, 0, 4, 1024, 0, 1, 2, 2057, 34736, 1, 1, 1026, 34737, 6, 0, 2059, 34736, 1, 9];
        let tags = GeoTags {
            directory: directory.to_vec(),
            doubles: vec![1.0, 6_378_137.0],
            ascii: "WGS84|".into(),
            ..GeoTags::default()
        };
        assert_eq!(tags.short(1024), Some(2));
        assert_eq!(tags.number(2057), Some(6_378_137.0));
        assert_eq!(tags.text(1026), Some("WGS84"));
        assert_eq!(tags.number(2059), None);
        assert_eq!(tags.short(3072), None);
    }
}
