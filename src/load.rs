use std::path::{Path, PathBuf};

use formicary_protocol::Declarations;

use crate::Error;

/// Loads declarations from a path, a `file://` URL or, with the cargo feature `remote-declarations`, a URL with
/// `http://` or `https://`.
///
/// ```
/// let declarations = formicary::load("signals.json")?;
/// assert!(declarations.signal("user_created").is_some());
/// # Ok::<(), formicary::Error>(())
/// ```
///
/// A URL is loaded with the defaults of `Remote`, which has settings, a cached copy and an async form; it blocks the
/// calling thread, for 5 s at most.
///
/// # Errors
/// When the file cannot be read, or its text has mistakes: all of them are listed, each with its place. For a URL, as
/// `Remote::load_blocking`: on an arbiter, which would stand still, it is refused.
pub fn load(source: &str) -> Result<Declarations, Error> {
    match Source::of(source, cfg!(feature = "remote-declarations"))? {
        Source::File(path) => {
            let text = std::fs::read_to_string(&path).map_err(|error| {
                Error::Settings(format!("cannot read the declarations {}: {error}", path.display()))
            })?;
            Ok(Declarations::parse(&text, source)?)
        }
        #[cfg(feature = "remote-declarations")]
        Source::Url => crate::Remote::new(source).load_blocking(),
        #[cfg(not(feature = "remote-declarations"))]
        Source::Url => Err(no_remote("http")),
    }
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

/// Where a document is.
#[derive(Debug, PartialEq)]
enum Source {
    File(PathBuf),
    Url,
}

impl Source {
    /// `remote` says whether this build can load from servers.
    fn of(source: &str, remote: bool) -> Result<Self, Error> {
        let scheme = source.split_once(':').map(|(scheme, _)| scheme.trim_start().to_ascii_lowercase());
        // With one slash, as in `http:/user:password@host`, it is a mistake and no file: as a path it would be shown.
        match scheme.as_deref() {
            Some("http" | "https") if remote => return Ok(Self::Url),
            Some(scheme @ ("http" | "https")) => return Err(no_remote(scheme)),
            _ => {}
        }
        match source.split_once("://") {
            None => Ok(Self::File(Path::new(source).to_owned())),
            Some(("file", path)) => Ok(Self::File(Path::new(path).to_owned())),
            Some((scheme, _)) => Err(Error::Settings(format!(
                "declarations are read from a path, file://, http:// or https://, and not from `{}://`",
                scheme.escape_debug()
            ))),
        }
    }
}

/// Says nothing of the URL, which may hold a password.
fn no_remote(scheme: &str) -> Error {
    Error::Settings(format!(
        "declarations from `{scheme}://` need a cargo feature: enable the feature `remote-declarations` of formicary"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_feature_a_url_is_refused_with_the_cure() {
        for url in ["https://ann:secret@host/a.json", "HTTPS://host", " http:/ann:secret@host"] {
            let error = Source::of(url, false).unwrap_err().to_string();
            assert!(error.contains("enable the feature `remote-declarations`"), "{error}");
            assert!(!error.contains("secret"), "{error}");
            assert_eq!(Source::of(url, true).unwrap(), Source::Url);
        }
    }

    #[cfg(not(feature = "remote-declarations"))]
    #[test]
    fn load_without_the_feature_names_it() {
        let error = load("https://localhost/signals.json").unwrap_err().to_string();
        assert!(error.contains("enable the feature `remote-declarations`"), "{error}");
    }

    #[test]
    fn paths_and_file_urls_are_files() {
        for (source, path) in [("a.json", "a.json"), ("file:///a.json", "/a.json"), ("http.json", "http.json")] {
            assert_eq!(Source::of(source, true).unwrap(), Source::File(path.into()));
        }
        let error = Source::of("ftp://ann:secret@host/a.json", true).unwrap_err().to_string();
        assert!(error.ends_with("and not from `ftp://`"), "{error}");
    }
}
