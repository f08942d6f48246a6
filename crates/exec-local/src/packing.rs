//! Which waiting jobs may start: pure arithmetic on declared needs, without clock or processes.
//!
//! In order of submission; one that does not fit is passed by later ones that do, but only [`PASSES`] times: then
//! nothing starts before it. So small jobs use what a big one leaves idle, and the big one is never starved.

use std::collections::HashMap;

use rutter_core::{executor::Waiting, id::LaunchName, plan::Needs};

use crate::config::Capacity;

/// How many later arrivals may start before one that waits.
pub(crate) const PASSES: u32 = 4;
/// How much of the queue is looked at: keeps a call cheap whatever waits.
const WINDOW: usize = 64;
/// The least a job holds, so that jobs which declare nothing don't all start at once.
const LEAST_CPU_MILLI: u64 = 10;

/// What is held, and who was passed how often.
#[derive(Debug)]
pub(crate) struct Packing {
    capacity: Capacity,
    held: HashMap<LaunchName, Needs>,
    used: Needs,
    passed: HashMap<LaunchName, u32>,
    /// The next one, whose agent gets ready meanwhile: it holds nothing, and its command starts when there is room.
    ahead: Option<Waiting>,
}

impl Packing {
    pub(crate) fn new(capacity: Capacity) -> Self {
        let capacity = Capacity { cpu_milli: capacity.cpu_milli.max(LEAST_CPU_MILLI), ..capacity };
        Self { capacity, held: HashMap::new(), used: Needs::default(), passed: HashMap::new(), ahead: None }
    }

    /// Of those that wait, in order of submission, those that start now; they hold their room from here on.
    pub(crate) fn admit(&mut self, waiting: &[Waiting]) -> Vec<LaunchName> {
        let mut admitted = Vec::new();
        // Whoever gets ready waits for room before all others.
        let mut passed_by: Vec<LaunchName> = self.ahead.iter().map(|ahead| ahead.name).collect();
        if passed_by.iter().any(|earlier| self.passes(*earlier) >= PASSES) {
            return admitted;
        }
        let mut looked_at = 0;
        for &Waiting { name, needs } in waiting {
            if looked_at == WINDOW || self.is_full() {
                break;
            }
            if self.holds(name) {
                continue;
            }
            looked_at += 1;
            if self.fits(needs) {
                self.hold(name, needs);
                admitted.push(name);
                for earlier in &passed_by {
                    *self.passed.entry(*earlier).or_default() += 1;
                }
            } else {
                passed_by.push(name);
            }
            if passed_by.iter().any(|earlier| self.passes(*earlier) >= PASSES) {
                break;
            }
        }
        self.tidy(waiting);
        admitted
    }

    /// The first of those that are left, when none gets ready yet.
    pub(crate) fn admit_ahead(&mut self, waiting: &[Waiting]) -> Option<LaunchName> {
        if self.ahead.is_some() {
            return None;
        }
        self.ahead = waiting.iter().find(|waiting| !self.holds(waiting.name)).copied();
        self.ahead.map(|ahead| ahead.name)
    }

    /// Whether a launch only gets ready.
    pub(crate) fn is_ahead(&self, name: LaunchName) -> bool {
        self.ahead.is_some_and(|ahead| ahead.name == name)
    }

    /// Count a launch as started.
    pub(crate) fn hold(&mut self, name: LaunchName, needs: Needs) {
        self.free(name);
        self.take(name, needs);
    }

    fn take(&mut self, name: LaunchName, needs: Needs) {
        self.passed.remove(&name);
        let share = self.share(needs);
        self.used.cpu_milli = self.used.cpu_milli.saturating_add(share.cpu_milli);
        self.used.memory_bytes = self.used.memory_bytes.saturating_add(share.memory_bytes);
        self.held.insert(name, share);
    }

    /// Give its room back.
    pub(crate) fn free(&mut self, name: LaunchName) {
        if let Some(share) = self.held.remove(&name) {
            self.used.cpu_milli = self.used.cpu_milli.saturating_sub(share.cpu_milli);
            self.used.memory_bytes = self.used.memory_bytes.saturating_sub(share.memory_bytes);
        }
        self.ahead = self.ahead.filter(|ahead| ahead.name != name);
        if let Some(ready) = self.ahead.filter(|ahead| self.fits(ahead.needs)) {
            self.ahead = None;
            self.take(ready.name, ready.needs);
        }
    }

    /// Whether it counts as started, or gets ready.
    pub(crate) fn holds(&self, name: LaunchName) -> bool {
        self.held.contains_key(&name) || self.is_ahead(name)
    }

    /// What a job takes: one that is bigger than the machine takes all of it, and so runs alone.
    fn share(&self, needs: Needs) -> Needs {
        let Capacity { cpu_milli, memory_bytes } = self.capacity;
        if needs.cpu_milli > cpu_milli || needs.memory_bytes > memory_bytes {
            return Needs { cpu_milli, memory_bytes };
        }
        Needs { cpu_milli: needs.cpu_milli.max(LEAST_CPU_MILLI), ..needs }
    }

    fn fits(&self, needs: Needs) -> bool {
        let share = self.share(needs);
        let within =
            |used: u64, more: u64, limit: u64| used.checked_add(more).is_some_and(|sum| sum <= limit);
        within(self.used.cpu_milli, share.cpu_milli, self.capacity.cpu_milli)
            && within(self.used.memory_bytes, share.memory_bytes, self.capacity.memory_bytes)
    }

    fn is_full(&self) -> bool {
        self.used.cpu_milli.saturating_add(LEAST_CPU_MILLI) > self.capacity.cpu_milli
    }

    fn passes(&self, name: LaunchName) -> u32 {
        self.passed.get(&name).copied().unwrap_or(0)
    }

    /// Forget counts of jobs that went away while they waited. Seldom, since one may only be absent for a while.
    fn tidy(&mut self, waiting: &[Waiting]) {
        if self.passed.len() > 4 * WINDOW {
            let head = &waiting[..waiting.len().min(4 * WINDOW)];
            self.passed.retain(|name, _| head.iter().any(|waiting| waiting.name == *name));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rutter_core::id::JobId;

    use super::*;

    const GIB: u64 = 1 << 30;
    const TWO_CORES: Capacity = Capacity { cpu_milli: 2000, memory_bytes: 4 * GIB };

    fn job(cpu_milli: u64, memory_bytes: u64) -> Waiting {
        let name = LaunchName { job: JobId::generate(), launch: 1 };
        Waiting { name, needs: Needs { cpu_milli, memory_bytes } }
    }

    fn names(jobs: &[Waiting]) -> Vec<LaunchName> {
        jobs.iter().map(|job| job.name).collect()
    }

    #[test]
    fn small_jobs_pass_a_big_one_four_times_and_then_it_starts() {
        let mut packing = Packing::new(TWO_CORES);
        let first = job(1000, GIB);
        assert_eq!(packing.admit(&[first]), names(&[first]));
        let big = job(2000, GIB);
        let mut running = vec![];
        let mut started = 0;
        // A steady stream: whenever one ends, the next small one is there.
        for _ in 0..20 {
            let small = job(1000, GIB);
            let admitted = packing.admit(&[big, small]);
            if admitted.is_empty() {
                break;
            }
            assert_eq!(admitted, names(&[small]));
            started += 1;
            running.push(small);
            for ended in running.drain(..) {
                packing.free(ended.name);
            }
        }
        assert_eq!(started, PASSES);
        packing.free(first.name);
        assert_eq!(packing.admit(&[big, job(1000, GIB)]), names(&[big]));
    }

    #[test]
    fn memory_counts_like_cpu() {
        let mut packing = Packing::new(TWO_CORES);
        let (big, other) = (job(100, 3 * GIB), job(100, 2 * GIB));
        assert_eq!(packing.admit(&[big, other]), names(&[big]));
        packing.free(big.name);
        assert_eq!(packing.admit(&[other]), names(&[other]));
    }

    #[test]
    fn bigger_than_the_machine_runs_alone() {
        for huge in [job(64_000, GIB), job(100, 64 * GIB), job(u64::MAX, u64::MAX)] {
            let mut packing = Packing::new(TWO_CORES);
            let small = job(100, 0);
            assert_eq!(packing.admit(&[small, huge]), names(&[small]));
            packing.free(small.name);
            let later = job(0, 0);
            assert_eq!(packing.admit(&[huge, later]), names(&[huge]));
            packing.free(huge.name);
            assert_eq!(packing.admit(&[later]), names(&[later]));
        }
    }

    #[test]
    fn what_holds_room_is_not_named_again() {
        let mut packing = Packing::new(TWO_CORES);
        let one = job(1000, 0);
        assert_eq!(packing.admit(&[one]), names(&[one]));
        assert_eq!(packing.admit(&[one]), vec![]);
    }

    #[test]
    fn only_the_head_of_the_queue_is_looked_at() {
        let mut packing = Packing::new(TWO_CORES);
        packing.hold(job(0, 0).name, Needs { cpu_milli: 1000, memory_bytes: 0 });
        let mut jobs: Vec<_> = (0..100_000).map(|_| job(2000, 0)).collect();
        jobs.push(job(1000, 0));
        assert_eq!(packing.admit(&jobs), vec![]);
    }

    #[test]
    fn jobs_that_declare_nothing_do_not_all_start() {
        let mut packing = Packing::new(TWO_CORES);
        let jobs: Vec<_> = (0..1000).map(|_| job(0, 0)).collect();
        let mut all = 0;
        loop {
            let admitted = packing.admit(&jobs);
            all += admitted.len();
            if admitted.is_empty() {
                break;
            }
        }
        assert_eq!(all, 200);
    }

    #[test]
    fn one_gets_ready_and_has_its_room_before_all_others() {
        let mut packing = Packing::new(TWO_CORES);
        let (first, second, big) = (job(1000, 0), job(1000, 0), job(2000, 0));
        assert_eq!(packing.admit(&[first, second, big]), names(&[first, second]));
        assert_eq!(packing.admit_ahead(&[big]), Some(big.name));
        assert!(packing.is_ahead(big.name) && packing.holds(big.name));
        let small: Vec<Waiting> = (0..9).map(|_| job(1000, 0)).collect();
        assert_eq!(packing.admit_ahead(&small), None, "one at a time");
        packing.free(first.name);
        assert!(packing.is_ahead(big.name), "there is room for half of it");
        let mut passed = 0;
        for small in &small {
            let admitted = packing.admit(&[*small]);
            passed += admitted.len();
            admitted.iter().for_each(|name| packing.free(*name));
        }
        assert_eq!(passed as u32, PASSES);
        packing.free(second.name);
        assert!(!packing.is_ahead(big.name) && packing.holds(big.name));
        assert_eq!(packing.admit(&small), vec![]);
        packing.free(big.name);
        assert_eq!(packing.used, Needs::default());
        assert_eq!(packing.admit_ahead(&[big]), Some(big.name));
        packing.free(big.name);
        assert!(!packing.holds(big.name), "one that went away is not waited for");
    }

    #[test]
    fn counts_of_jobs_that_went_away_are_forgotten() {
        let mut packing = Packing::new(TWO_CORES);
        packing.hold(job(0, 0).name, Needs { cpu_milli: 1000, memory_bytes: 0 });
        for _ in 0..2000 {
            let (big, small) = (job(2000, 0), job(10, 0));
            assert_eq!(packing.admit(&[big, small]), names(&[small]));
            packing.free(small.name);
        }
        assert!(packing.passed.len() <= 4 * WINDOW + 1, "{}", packing.passed.len());
    }

    fn needs() -> impl Strategy<Value = (u64, u64, u32)> {
        (0..3000u64, 0..6 * GIB, 1..6u32)
    }

    proptest! {
        /// Jobs arrive, run for some rounds and end. At no time is more held than there is; each starts; no job sees
        /// more than four later ones start before it.
        #[test]
        fn nothing_is_overbooked_and_nobody_starves(arrivals in prop::collection::vec(needs(), 1..150)) {
            let mut packing = Packing::new(TWO_CORES);
            let mut to_come = arrivals.into_iter();
            let mut queue: Vec<(Waiting, u32)> = vec![];
            let mut running: Vec<(Waiting, u32)> = vec![];
            let mut passes: HashMap<LaunchName, u32> = HashMap::new();
            for _ in 0..2000 {
                for (cpu, memory, rounds) in to_come.by_ref().take(3) {
                    queue.push((job(cpu, memory), rounds));
                }
                if queue.is_empty() && running.is_empty() {
                    break;
                }
                let waiting: Vec<Waiting> = queue.iter().map(|(waiting, _)| *waiting).collect();
                let admitted = packing.admit(&waiting);
                let order: Vec<_> = waiting.iter().map(|w| w.name).filter(|n| admitted.contains(n)).collect();
                prop_assert_eq!(&order, &admitted, "in order of submission");
                for name in admitted {
                    let at = queue.iter().position(|(waiting, _)| waiting.name == name).unwrap();
                    for (earlier, _) in &queue[..at] {
                        let count = passes.entry(earlier.name).or_default();
                        *count += 1;
                        prop_assert!(*count <= PASSES, "passed too often");
                    }
                    running.push(queue.remove(at));
                }
                let sum = |of: fn(&Needs) -> u64| running.iter().map(|(job, _)| of(&job.needs)).sum::<u64>();
                if running.len() > 1 {
                    prop_assert!(sum(|needs| needs.cpu_milli) <= TWO_CORES.cpu_milli);
                    prop_assert!(sum(|needs| needs.memory_bytes) <= TWO_CORES.memory_bytes);
                }
                for (_, rounds) in &mut running {
                    *rounds -= 1;
                }
                running.retain(|(job, rounds)| {
                    if *rounds == 0 {
                        packing.free(job.name);
                    }
                    *rounds > 0
                });
            }
            prop_assert!(queue.is_empty(), "every job started");
            prop_assert_eq!(packing.used, Needs::default());
        }
    }
}
