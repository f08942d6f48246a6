//! Outputs to the server: small ones travel in the report, others are uploaded one after another.

use std::fs::File;
use std::io::{self, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rutter_types::agent::{INLINE_LIMIT, OutputFile};

use super::inside::Unusable;
use super::{Error as OutputError, Item, Source};
use crate::contact::{self, Contact, digest};

/// Bytes of all outputs that may travel in one report.
const INLINE_TOGETHER: u64 = 1024 * 1024;

/// Why outputs could not be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error(transparent)]
    Contact(#[from] contact::Error),
}

/// Sends everything; gives what the report says about it.
pub(crate) async fn send(items: Vec<Item>, contact: &Contact) -> Result<Vec<OutputFile>, Error> {
    let mut sent = Vec::with_capacity(items.len());
    let mut inline_left = INLINE_TOGETHER;
    for item in items {
        let file = open(&item)?;
        let inline = item.size <= INLINE_LIMIT.min(inline_left);
        let (sha256, inline) = if inline {
            inline_left -= item.size;
            let bytes = whole(&file, item.size).map_err(OutputError::Io)?;
            (digest(&bytes), Some(STANDARD.encode(&bytes)))
        } else {
            (upload(&item, &file, contact).await?, None)
        };
        sent.push(OutputFile {
            output: item.output,
            index: item.index,
            name: item.name,
            media_type: Some(item.media_type),
            size: item.size,
            sha256,
            inline,
        });
    }
    Ok(sent)
}

async fn upload(item: &Item, file: &File, contact: &Contact) -> Result<String, Error> {
    match contact.upload(&item.output, item.index, &item.media_type, file, item.size).await {
        Ok(sha256) => Ok(sha256),
        Err(contact::Error::TooLarge) => Err(OutputError::TooLarge { output: item.output.clone() }.into()),
        Err(error) => Err(error.into()),
    }
}

fn open(item: &Item) -> Result<File, OutputError> {
    match &item.source {
        Source::Own(path) => Ok(File::open(path)?),
        Source::Inside(root, path) => root
            .open_file(path)
            .map_err(|Unusable(reason)| OutputError::Unusable { output: item.output.clone(), reason }),
    }
}

fn whole(file: &File, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == size { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
