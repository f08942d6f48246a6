CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
-- Greatest distance of a job's place from the first place of its microsecond.
INSERT INTO meta VALUES ('drift', 1023);

-- What is looked for and counted. Rows are short, so that walking many of them is cheap; records stand apart.
CREATE TABLE job (
    seq INTEGER PRIMARY KEY,        -- place in the list
    id BLOB NOT NULL,
    owner TEXT NOT NULL,            -- '' = nobody authenticated
    process TEXT NOT NULL,
    status INTEGER NOT NULL,        -- 0 accepted, 1 running; over: 2 successful, 3 failed, 4 dismissed
    created INTEGER NOT NULL,       -- µs
    span INTEGER,                   -- running: started, µs; over: duration, µs
    finished INTEGER,               -- µs
    launches INTEGER NOT NULL,
    archived INTEGER NOT NULL,
    cpu_milli INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX job_id ON job (id);
-- Whatever a filter names, its jobs of one status are one stretch of one of these, in order of place.
CREATE INDEX job_status ON job (status, seq, span);
CREATE INDEX job_process ON job (process, status, seq, span);
CREATE INDEX job_owner ON job (owner, status, seq, span);
CREATE INDEX job_owner_process ON job (owner, process, status, seq, span);
-- For ranges of durations in which few jobs are.
CREATE INDEX job_span ON job (status, span, owner, process) WHERE span IS NOT NULL;
CREATE INDEX job_finished ON job (finished) WHERE finished IS NOT NULL;
CREATE INDEX job_unarchived ON job (seq) WHERE archived = 0 AND status >= 2;

CREATE TABLE record (seq INTEGER PRIMARY KEY, revision INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
CREATE TABLE plan (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;

CREATE TABLE key (
    caller TEXT NOT NULL,           -- '' = nobody authenticated
    process TEXT NOT NULL,
    key TEXT NOT NULL,
    job BLOB NOT NULL,
    body_digest TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (caller, process, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX key_created ON key (created);
CREATE INDEX key_job ON key (job);

CREATE TABLE gone (id BLOB PRIMARY KEY, removed INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX gone_removed ON gone (removed);

CREATE TABLE call (
    job BLOB NOT NULL,
    kind INTEGER NOT NULL,          -- 0 progress, 1 success, 2 failed
    url TEXT NOT NULL,
    tries INTEGER NOT NULL,
    created INTEGER NOT NULL,
    due INTEGER NOT NULL,
    PRIMARY KEY (job, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX call_due ON call (due, job, kind);

-- Jobs by status, counted as they change.
CREATE TABLE tally (status INTEGER PRIMARY KEY, jobs INTEGER NOT NULL) STRICT;
INSERT INTO tally VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0);
CREATE TRIGGER tally_insert AFTER INSERT ON job BEGIN
    UPDATE tally SET jobs = jobs + 1 WHERE status = new.status;
END;
CREATE TRIGGER tally_delete AFTER DELETE ON job BEGIN
    UPDATE tally SET jobs = jobs - 1 WHERE status = old.status;
END;
CREATE TRIGGER tally_update AFTER UPDATE OF status ON job WHEN old.status <> new.status BEGIN
    UPDATE tally SET jobs = jobs - 1 WHERE status = old.status;
    UPDATE tally SET jobs = jobs + 1 WHERE status = new.status;
END;
