//! Pages for people: server-rendered, without scripts, with everything that the JSON has.

mod assets;
mod environment;
mod example;
mod kind;
mod pages;
mod view;

pub(crate) use assets::asset;
pub(crate) use example::{body as example_body, calls};
pub use pages::Pages;
pub use view::{FilterView, JobView, JobsView, LogLine, LogView, ResultRow, ResultsView, Shown};
