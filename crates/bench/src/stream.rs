//! Large values without a file and without memory: a server that sends zeros, a reader that drops what it gets.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use anyhow::{Context, ensure};

const PIECE: usize = 1 << 16;

/// A server that answers `GET /<bytes>` with so many zeros, for as long as the program runs.
pub(crate) fn source() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                if let Err(error) = send_zeros(stream) {
                    eprintln!("the source of zeros failed: {error:#}");
                }
            });
        }
    });
    Ok(address)
}

fn send_zeros(mut stream: TcpStream) -> anyhow::Result<()> {
    let head = read_head(&mut stream)?;
    let size = head.split_whitespace().nth(1).and_then(|path| path.strip_prefix('/'));
    let mut left: u64 = size.context("no size is asked for")?.parse()?;
    let kind = "Content-Type: application/octet-stream\r\nConnection: close";
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {left}\r\n{kind}\r\n\r\n")?;
    let zeros = [0; PIECE];
    while left > 0 {
        let piece = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        stream.write_all(&zeros[..piece])?;
        left -= piece as u64;
    }
    Ok(())
}

/// GET and drop the bytes; their number.
pub(crate) fn drain(address: SocketAddr, path: &str) -> anyhow::Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let head = read_head(&mut stream)?;
    ensure!(head.starts_with("HTTP/1.1 200"), "GET {path} gave {head}");
    let (mut piece, mut bytes) = ([0; PIECE], 0);
    loop {
        match stream.read(&mut piece)? {
            0 => return Ok(bytes),
            read => bytes += read as u64,
        }
    }
}

/// Up to the empty line.
fn read_head(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8(head)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_bytes_arrive_as_were_asked_for() {
        let source = source().unwrap();
        for size in [0, 1, PIECE as u64, 200_001] {
            assert_eq!(drain(source, &format!("/{size}")).unwrap(), size);
        }
    }
}
