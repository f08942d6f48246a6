//! A copy of what the program prints on the agent's own output, for those who look at a container with its own tools.
//!
//! It is a courtesy: the log that counts goes to the server. So it is cut off at a limit, and a reader that does not
//! keep up misses some of it instead of holding up the program.

use std::io;
use std::os::fd::AsFd;

use super::Stream;

/// Most bytes of one attempt: what a kubelet keeps by default before it turns over a log.
pub(crate) const MOST: usize = 10 * 1024 * 1024;

/// The copy; its limit counts both streams.
pub(crate) struct Echo {
    left: usize,
}

impl Echo {
    pub(crate) fn new() -> Self {
        for output in [io::stdout().as_fd(), io::stderr().as_fd()] {
            let _ = rustix::io::ioctl_fionbio(output, true);
        }
        Self { left: MOST }
    }

    pub(crate) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        if self.left == 0 {
            return;
        }
        let part = &bytes[..bytes.len().min(self.left)];
        self.left -= part.len();
        let _ = match stream {
            Stream::Err => rustix::io::write(io::stderr(), part),
            Stream::Out | Stream::Sys => rustix::io::write(io::stdout(), part),
        };
        if self.left == 0 {
            let _ = rustix::io::write(
                io::stderr(),
                b"\nrutter-agent: the rest of the output is with the server only\n",
            );
        }
    }
}
