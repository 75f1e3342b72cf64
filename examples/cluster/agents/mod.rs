//! The three agents of the demo.

mod comment;
mod email;
mod user;

pub use comment::CommentAgent;
pub use email::EmailAgent;
pub use user::UserAgent;
