//! What a server answers, in our own type: no driver's type leaves this folder.

use bytes::Bytes;
use fred::types::Resp3Frame;

/// The answer to a command or a script.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reply {
    /// Nothing: an absent key, an empty list, Lua's `false`.
    Nil,
    /// A whole number.
    Int(i64),
    /// A string of bytes, status replies such as `OK` included.
    Bytes(Bytes),
    /// A list; maps come as key, value, key, value. Errors inside a list come as their text.
    List(Vec<Reply>),
}

impl Reply {
    /// The number, if it is one.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The bytes, if it is a string.
    pub fn bytes(self) -> Option<Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn list(self) -> Option<Vec<Reply>> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// `Err` holds the text of an error reply.
    pub(super) fn from_frame(frame: Resp3Frame) -> Result<Self, String> {
        Ok(match frame {
            Resp3Frame::SimpleError { data, .. } => return Err(data.to_string()),
            Resp3Frame::BlobError { data, .. } => return Err(String::from_utf8_lossy(&data).into_owned()),
            Resp3Frame::Null => Self::Nil,
            Resp3Frame::Number { data, .. } => Self::Int(data),
            Resp3Frame::Boolean { data, .. } => Self::Int(data.into()),
            Resp3Frame::Double { data, .. } => Self::Bytes(data.to_string().into()),
            Resp3Frame::BlobString { data, .. }
            | Resp3Frame::SimpleString { data, .. }
            | Resp3Frame::VerbatimString { data, .. }
            | Resp3Frame::BigNumber { data, .. }
            | Resp3Frame::ChunkedString(data) => Self::Bytes(data),
            Resp3Frame::Array { data, .. } | Resp3Frame::Push { data, .. } => list(data),
            Resp3Frame::Set { data, .. } => list(data),
            Resp3Frame::Map { data, .. } => list(data.into_iter().flat_map(|(key, value)| [key, value])),
            Resp3Frame::Hello { .. } => Self::Nil,
        })
    }
}

fn list(frames: impl IntoIterator<Item = Resp3Frame>) -> Reply {
    let item = |frame| Reply::from_frame(frame).unwrap_or_else(|text| Reply::Bytes(text.into()));
    Reply::List(frames.into_iter().map(item).collect())
}
