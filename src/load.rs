use std::path::{Path, PathBuf};

use formicary_protocol::Declarations;

use crate::Error;

/// Loads declarations from a path or a `file://` URL.
///
/// ```
/// let declarations = formicary::load("signals.json")?;
/// assert!(declarations.signal("user_created").is_some());
/// # Ok::<(), formicary::Error>(())
/// ```
///
/// # Errors
/// When the file cannot be read, or its text has mistakes: all of them are listed, each with its place.
pub fn load(source: &str) -> Result<Declarations, Error> {
    let path = path(source)?;
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Error::Settings(format!("cannot read the declarations {}: {error}", path.display())))?;
    Ok(Declarations::parse(&text, source)?)
}

/// Loads declarations from several sources and merges them. Equal duplicates are fine.
///
/// # Errors
/// As [`load`]; also when two sources declare one name differently, with both declarations in the error.
pub fn load_all<'a>(sources: impl IntoIterator<Item = &'a str>) -> Result<Declarations, Error> {
    let mut all = Declarations::default();
    for source in sources {
        all.merge(load(source)?)?;
    }
    Ok(all)
}

fn path(source: &str) -> Result<PathBuf, Error> {
    match source.split_once("://") {
        None => Ok(Path::new(source).to_owned()),
        Some(("file", path)) => Ok(Path::new(path).to_owned()),
        Some((scheme, _)) => Err(Error::Settings(format!(
            "declarations are read from a path or file://, and not from `{}://`",
            scheme.escape_debug()
        ))),
    }
}
