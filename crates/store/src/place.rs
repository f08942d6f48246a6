//! Places of jobs in the list: one number that orders them by the time of their creation.
//!
//! A place is the microsecond of creation with room for [`SLOTS`] jobs in it. So a page can be cut by the primary key
//! alone, a range of times of creation is a range of places, and a job restored years later stands where it stood.

use jiff::Timestamp;

/// Places of one microsecond.
pub(crate) const SLOTS: i64 = 1024;
/// Farthest microsecond from 1970 that is told apart (1827 to 2112): places must fit 63 bits.
const FARTHEST: i64 = 1 << 52;

/// The first place of a microsecond.
pub(crate) fn first(micros: i64) -> i64 {
    micros.clamp(-FARTHEST, FARTHEST) * SLOTS
}

/// The first whole microsecond that is not before a time.
pub(crate) fn not_before(time: Timestamp) -> i64 {
    let micros = time.as_microsecond();
    let cut = Timestamp::from_microsecond(micros).is_ok_and(|whole| whole < time);
    micros + i64::from(cut)
}

/// The last whole microsecond that is not after a time.
pub(crate) fn not_after(time: Timestamp) -> i64 {
    let micros = time.as_microsecond();
    let cut = Timestamp::from_microsecond(micros).is_ok_and(|whole| whole > time);
    micros - i64::from(cut)
}

/// Seconds as whole microseconds, what times are kept in. Both stores round a bound of durations like this.
#[expect(clippy::cast_possible_truncation, reason = "floats saturate, which is what a bound wants")]
pub(crate) fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_microseconds_have_later_places() {
        let times = [i64::MIN, -FARTHEST - 1, -5, 0, 1, 2_000_000_000_000_000, i64::MAX];
        assert!(times.is_sorted_by_key(|&micros| first(micros)));
        assert!(first(1) - first(0) == SLOTS);
        assert!(first(i64::MAX).checked_add(SLOTS).is_some());
    }

    #[test]
    fn bounds_between_microseconds_are_cut_inwards() {
        let between = Timestamp::new(5, 1_500).unwrap();
        assert_eq!((not_before(between), not_after(between)), (5_000_002, 5_000_001));
        let before_1970 = Timestamp::from_nanosecond(-1_500).unwrap();
        assert_eq!((not_before(before_1970), not_after(before_1970)), (-1, -2));
        let whole = Timestamp::new(5, 2_000).unwrap();
        assert_eq!((not_before(whole), not_after(whole)), (5_000_002, 5_000_002));
    }
}
