//! Runs programs to their end, and waits for what takes a moment.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::error::{Error, io};

/// What a program prints; an error when it ends badly.
pub(crate) fn output(command: &mut Command, input: Option<&[u8]>) -> Result<String, Error> {
    let program = shown(command);
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let started = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(io(format!("start {program}")))?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // A program that ends before it has read everything says why on stderr.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().map_err(io(format!("wait for {program}")))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let output_text = format!("{}\n{}", errors.trim(), printed.trim()).trim().to_owned();
    Err(Error::Program { program, status: output.status, output: output_text })
}

/// Ask again and again until it is so.
pub(crate) fn wait_until(
    what: &str,
    limit: Duration,
    mut done: impl FnMut() -> Result<bool, Error>,
) -> Result<(), Error> {
    let begin = Instant::now();
    let mut last = String::new();
    loop {
        match done() {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error @ Error::Ended { .. }) => return Err(error),
            Err(error) => last = format!("; last: {error}"),
        }
        if begin.elapsed() > limit {
            return Err(Error::Late { what: what.into(), limit, log: last });
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
