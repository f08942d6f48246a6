//! When a callback that failed is tried again.

use jiff::{SignedDuration, Timestamp};
use rutter_core::store::Call;
use sha2::{Digest, Sha256};

/// After so long a callback is given up.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);
const FIRST_MILLIS: i64 = 1_000;
const LONGEST_MILLIS: i64 = 3_600_000;

/// The next time for a call that failed once more; `None` = it is given up.
///
/// The wait doubles from a second to an hour, give or take a quarter: receivers that come back must not be called by all
/// jobs at once. The quarter depends on the call and the try only.
pub(super) fn again(call: &Call, now: Timestamp) -> Option<Timestamp> {
    if now.duration_since(call.created) >= GIVE_UP {
        return None;
    }
    let doubled = FIRST_MILLIS.checked_shl(call.tries.min(20)).unwrap_or(LONGEST_MILLIS).min(LONGEST_MILLIS);
    let digest = Sha256::digest(format!("{:?} {}", call.id, call.tries));
    let share = i64::from(digest[0]);
    let millis = doubled * 3 / 4 + doubled / 2 * share / 256;
    now.checked_add(SignedDuration::from_millis(millis)).ok()
}

#[cfg(test)]
mod tests {
    use rutter_core::{
        id::JobId,
        store::{CallId, CallKind},
    };

    use super::*;

    fn call(tries: u32) -> Call {
        let at = Timestamp::UNIX_EPOCH;
        let id = CallId { job: JobId::generate(), kind: CallKind::Success };
        Call { id, kind: CallKind::Success, url: "http://x/".into(), tries, created: at, due: at }
    }

    #[test]
    fn waits_double_up_to_an_hour_and_differ() {
        let now = Timestamp::UNIX_EPOCH;
        for (tries, least, most) in
            [(0, 750, 1250), (3, 6000, 10_000), (12, 2_700_000, 4_500_000), (u32::MAX, 2_700_000, 4_500_000)]
        {
            let waits: std::collections::HashSet<i128> =
                (0..20).map(|_| again(&call(tries), now).unwrap().duration_since(now).as_millis()).collect();
            assert!(waits.iter().all(|wait| (least..=most).contains(wait)), "{tries}: {waits:?}");
            assert!(waits.len() > 1);
        }
    }

    #[test]
    fn after_a_day_it_is_given_up() {
        let call = call(30);
        let at = |hours| call.created + SignedDuration::from_hours(hours);
        assert!(again(&call, at(23)).is_some());
        assert!(again(&call, at(24)).is_none());
    }
}
