//! How much is measured: enough for figures, or just enough to see that everything works.

/// Counts of one run.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    /// Stored jobs in the large store.
    pub(crate) jobs: u64,
    /// Rounds in which server and reference take turns; the median counts.
    pub(crate) rounds: usize,
    /// Requests of a round of reads.
    pub(crate) reads: usize,
    /// Submissions of a round, per caller.
    pub(crate) submissions: usize,
    /// Synchronous runs of a round.
    pub(crate) runs: usize,
    /// Asynchronous jobs that are run to completion together.
    pub(crate) batch: usize,
    /// Jobs that run while pages of the list are asked for.
    pub(crate) running: usize,
    /// Live jobs whose memory is measured.
    pub(crate) live: usize,
    /// Bytes of the large output.
    pub(crate) stream: u64,
    /// Starts of a server.
    pub(crate) starts: usize,
    /// Executions in pods, one after another.
    pub(crate) pods: usize,
    /// Kubernetes Jobs made in a round.
    pub(crate) creates: usize,
    /// Live Kubernetes Jobs with which memory is measured.
    pub(crate) live_pods: usize,
    /// Finished jobs of a server that has nothing to do.
    pub(crate) finished: u64,
    /// How long it is watched.
    pub(crate) idle_seconds: u64,
}

impl Scale {
    /// What `docs/benchmarks.md` is made with.
    pub(crate) fn full() -> Self {
        Self {
            jobs: 1_000_000,
            rounds: 7,
            reads: 4_000,
            submissions: 100,
            runs: 30,
            batch: 200,
            running: 50,
            live: 100_000,
            stream: 1 << 30,
            starts: 5,
            pods: 25,
            creates: 1000,
            live_pods: 10_000,
            finished: 10_000,
            idle_seconds: 120,
        }
    }

    /// What the test runs with.
    pub(crate) fn quick() -> Self {
        Self {
            jobs: 2_000,
            rounds: 1,
            reads: 40,
            submissions: 3,
            runs: 2,
            batch: 4,
            running: 3,
            live: 100,
            stream: 8 << 20,
            starts: 1,
            pods: 1,
            creates: 10,
            live_pods: 50,
            finished: 10,
            idle_seconds: 1,
        }
    }
}
