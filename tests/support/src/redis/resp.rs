//! A tiny RESP2 client: independent of the driver under test, and able to send what no driver would.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// What the server answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A status, such as `OK`.
    Simple(String),
    /// An error inside an array; a bare one is the `Err` of the command.
    Error(String),
    /// An integer.
    Integer(i64),
    /// A string of bytes, or nil.
    Bulk(Option<Vec<u8>>),
    /// An array, or nil.
    Array(Option<Vec<Reply>>),
}

impl Reply {
    /// The integer of an integer reply.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Reply::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The text of a status or a string; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> Option<String> {
        match self {
            Reply::Simple(text) | Reply::Error(text) => Some(text.clone()),
            Reply::Bulk(Some(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    /// The bytes of a string.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Reply::Bulk(Some(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// The entries of an array; empty for anything else.
    pub fn array(&self) -> &[Reply] {
        match self {
            Reply::Array(Some(entries)) => entries,
            _ => &[],
        }
    }
}

/// One connection to a server.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects to a port of 127.0.0.1, a proxy's for example.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub async fn open(port: u16) -> io::Result<Connection> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream: BufReader::new(stream) })
    }

    /// Sends one command and reads one reply.
    ///
    /// # Errors
    ///
    /// The socket's, and the server's own as [`io::ErrorKind::Other`] with its text.
    pub async fn command<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Reply> {
        self.send(args).await?;
        match self.read().await? {
            Reply::Error(text) => Err(io::Error::other(text)),
            reply => Ok(reply),
        }
    }

    /// Sends one command without waiting for a reply.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub async fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<()> {
        let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            let arg = arg.as_ref();
            bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            bytes.extend_from_slice(arg);
            bytes.extend_from_slice(b"\r\n");
        }
        self.send_raw(&bytes).await
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes).await
    }

    /// Reads the next reply, or the next push of a subscription.
    ///
    /// # Errors
    ///
    /// The socket's; [`io::ErrorKind::InvalidData`] for what is no RESP2.
    pub async fn read(&mut self) -> io::Result<Reply> {
        let line = self.line().await?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| odd(&line))?;
        let number = || rest.parse::<i64>().map_err(|_| odd(&line));
        Ok(match kind {
            "+" => Reply::Simple(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(number()?),
            "$" => Reply::Bulk(match usize::try_from(number()?) {
                Ok(length) => Some(self.bulk(length).await?),
                Err(_) => None,
            }),
            "*" => match usize::try_from(number()?) {
                Ok(length) => {
                    let mut entries = Vec::new();
                    for _ in 0..length {
                        entries.push(Box::pin(self.read()).await?);
                    }
                    Reply::Array(Some(entries))
                }
                Err(_) => Reply::Array(None),
            },
            _ => return Err(odd(&line)),
        })
    }

    async fn bulk(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes).await?;
        bytes.truncate(length);
        Ok(bytes)
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches("\r\n").to_owned())
    }
}

fn odd(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no RESP2: {line:?}"))
}
