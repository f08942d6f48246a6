//! Outputs that are found among what the command printed.

use rutter_printed::{Printed, Source as PrintedSource};
use rutter_types::agent::{Find, OutputWanted};

use super::{Collector, Error, Source, media};

/// Those outputs.
pub(crate) fn wanted(all: &[OutputWanted]) -> Vec<OutputWanted> {
    all.iter().filter(|output| output.find == Find::Printed).cloned().collect()
}

impl Collector<'_> {
    /// Takes them all: how they are shared out depends on how many there are.
    pub(super) fn printed(&mut self, print: Printed) -> Result<(), Error> {
        let wanted = wanted(self.wanted);
        for (at, value) in print.values(&wanted, None)?.map_err(Error::Printed)?.into_iter().enumerate() {
            let Some(output) = wanted.iter().find(|output| output.id == value.output) else { continue };
            let path = match value.source {
                PrintedSource::File(path) => path,
                PrintedSource::Bytes(bytes) => {
                    let path = self.folders.printed.join(format!("value-{at}"));
                    std::fs::write(&path, bytes)?;
                    path
                }
            };
            let name = media::with_extension(&value.output, &value.media_type);
            self.add(output, name, value.media_type, value.size, Source::Own(path))?;
        }
        Ok(())
    }
}
