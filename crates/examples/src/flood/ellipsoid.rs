//! Areas on the ellipsoid, by the authalic (equal-area) sphere: exact closed formulas, no series
//! (Snyder, Map Projections: a working manual, USGS 1987, equations 3-11 to 3-13).

/// An ellipsoid of revolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ellipsoid {
    /// Semi-major axis in metres.
    a: f64,
    /// First eccentricity.
    e: f64,
}

impl Ellipsoid {
    /// WGS 84.
    pub(super) const WGS84: Self = Self { a: 6_378_137.0, e: 0.081_819_190_842_621_49 };

    /// From the two half axes in metres.
    pub(super) fn from_axes(a: f64, b: f64) -> Self {
        Self { a, e: ((a * a - b * b).max(0.0)).sqrt() / a }
    }

    /// Area in m² between the equator and a latitude (radians), per radian of longitude.
    pub(super) fn area_from_equator(&self, latitude: f64) -> f64 {
        self.a * self.a * 0.5 * self.q(latitude)
    }

    /// A point on the authalic sphere, whose radius is such that areas are those of the ellipsoid; metres.
    pub(super) fn on_authalic_sphere(&self, [longitude, latitude]: [f64; 2]) -> [f64; 3] {
        let q_pole = self.q(std::f64::consts::FRAC_PI_2);
        let radius = self.a * (q_pole / 2.0).sqrt();
        let sin = (self.q(latitude) / q_pole).clamp(-1.0, 1.0);
        // From the latitude, not from the sine: near a pole the square root of 1 - sin² would lose half of the digits.
        let cos = self.authalic_cosine(latitude, sin, q_pole);
        [radius * cos * longitude.cos(), radius * cos * longitude.sin(), radius * sin]
    }

    fn authalic_cosine(&self, latitude: f64, sin: f64, q_pole: f64) -> f64 {
        let colatitude = std::f64::consts::FRAC_PI_2 - latitude.abs();
        if colatitude > 1e-3 {
            return (1.0 - sin * sin).sqrt();
        }
        // q(pole) - q(latitude) is the integral of 2(1 - e²) cos/(1 - e² sin²)², a multiple of the squared colatitude here.
        let slope = 2.0 / (1.0 - self.e * self.e);
        (slope * colatitude * colatitude / q_pole).sqrt()
    }

    fn q(&self, latitude: f64) -> f64 {
        let sin = latitude.sin();
        if self.e < 1e-9 {
            return 2.0 * sin;
        }
        let es = self.e * sin;
        (1.0 - self.e * self.e) * (sin / (1.0 - es * es) + (es.atanh()) / self.e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{FRAC_PI_2, PI};

    #[test]
    fn the_whole_earth_has_its_known_area() {
        let half = Ellipsoid::WGS84.area_from_equator(FRAC_PI_2) * 2.0 * PI;
        assert!((2.0 * half / 1e12 - 510.065_621_724).abs() < 1e-6);
        let sphere = Ellipsoid::from_axes(6_371_000.0, 6_371_000.0);
        let area = 4.0 * PI * sphere.area_from_equator(FRAC_PI_2);
        assert!((area - 4.0 * PI * 6_371_000.0_f64.powi(2)).abs() < 1.0);
    }

    #[test]
    fn the_authalic_sphere_has_the_areas_of_the_ellipsoid_everywhere() {
        let half_step = 1e-5;
        for latitude in [0.0, 0.7, -1.2, 1.55, 1.5705] {
            let at = |lon, lat| Ellipsoid::WGS84.on_authalic_sphere([lon, lat]);
            let (west, east) = (at(-half_step, latitude), at(half_step, latitude));
            let (south, north) = (at(0.0, latitude - half_step), at(0.0, latitude + half_step));
            let length = |a: [f64; 3], b: [f64; 3]| (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt();
            let quad = length(west, east) * length(south, north);
            let strip = Ellipsoid::WGS84.area_from_equator(latitude + half_step)
                - Ellipsoid::WGS84.area_from_equator(latitude - half_step);
            assert!((quad / (strip * 2.0 * half_step) - 1.0).abs() < 1e-3, "{latitude}: {quad}");
        }
    }
}
