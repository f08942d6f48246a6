//! The server with a real Kubernetes: what callers, operators and faults do.

#![allow(clippy::unwrap_used, reason = "a test that can't go on is to fail")]

mod adopt;
mod alone;
mod bed;
mod contract;
mod drop_in;
mod failures;
mod fortran;
mod images;
mod instances;
mod life;
mod logs;
mod notebook;
mod objects;
mod package_files;
mod python;
mod records;
mod retries;
mod scratch;
mod theirs;
mod worked;
