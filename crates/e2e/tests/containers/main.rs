//! The server with a container engine on its machine: the contract of images, and what faults leave behind.

#![allow(clippy::unwrap_used, reason = "a test that can't go on is to fail")]

mod bed;
mod contract;
mod faults;
mod images;
