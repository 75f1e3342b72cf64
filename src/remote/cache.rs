//! The cached copy of a document.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use formicary_protocol::Declarations;

use super::address::Address;
use crate::Error;

/// Whether a copy may stand in after this error. What a server says of the URL, and what is wrong on our side, is not
/// hidden.
pub(super) fn may_stand_in(error: &Error) -> bool {
    matches!(error, Error::Unreachable { .. } | Error::Timeout { .. } | Error::Remote { .. } | Error::Protocol(_))
}

/// Keeps a copy. The document is good without one, so a copy that cannot be written is a warning only.
pub(super) fn keep(copy: &Path, text: &str, address: &Address) {
    if let Err(error) = replace(copy, text) {
        let path = copy.display();
        tracing::warn!("cannot keep a copy of the declarations {address} in {path}: {error}; is its directory there?");
    }
}

/// The file is the old copy or the new one at any time, also when the process or the machine dies meanwhile.
fn replace(copy: &Path, text: &str) -> io::Result<()> {
    let directory = match copy.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut new = tempfile::NamedTempFile::new_in(directory)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(copy)?;
    Ok(())
}

/// The copy, in place of the document that could not be loaded because of `cause`.
pub(super) fn stand_in(copy: &Path, max_size: usize, address: &Address, cause: Error) -> Result<Declarations, Error> {
    let path = copy.display();
    let found = read(copy, max_size).and_then(|(text, age)| {
        let declarations = Declarations::parse(&text, &path.to_string()).map_err(|error| error.to_string())?;
        Ok((declarations, age))
    });
    match found {
        Ok((declarations, age)) => {
            tracing::warn!(
                "the declarations {address} are taken from their copy {path}, {age:?} old, because: {cause}"
            );
            Ok(declarations)
        }
        Err(reason) => Err(Error::NoCachedCopy { cause: Box::new(cause), copy: copy.to_owned(), reason }),
    }
}

/// The text, and its age in whole seconds: the file is replaced by each loading, so its time is that of the last one.
fn read(copy: &Path, max_size: usize) -> Result<(String, Duration), String> {
    let file = File::open(copy).map_err(|error| error.to_string())?;
    let written = file.metadata().and_then(|metadata| metadata.modified()).map_err(|error| error.to_string())?;
    let mut text = String::new();
    // One byte more tells a file that is too large from one that just fits.
    let most = (max_size as u64).saturating_add(1);
    file.take(most).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() > max_size {
        return Err(format!("it is larger than {max_size} bytes"));
    }
    // A clock that was set back makes a copy new, and not wrong.
    let age = written.elapsed().unwrap_or_default();
    Ok((text, Duration::from_secs(age.as_secs())))
}
