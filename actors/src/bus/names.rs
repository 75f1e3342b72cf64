use std::sync::Arc;

/// How many names are kept.
const PLACES: usize = 256;

/// Longer names are not kept: they come from others, and may be of any length.
const LONGEST: usize = 128;

/// Names that come over and over, so that one that comes again costs no allocation.
///
/// Each name has one place, which it takes from whoever was there. So the table is bounded, and nothing in it can grow
/// old; names that drive each other out cost what they would without it.
pub(crate) struct Names(Box<[Option<Arc<str>>]>);

impl Names {
    /// The name, shared with those before that were equal.
    pub(crate) fn get(&mut self, name: &str) -> Arc<str> {
        if name.len() > LONGEST {
            return name.into();
        }
        let place = &mut self.0[place(name)];
        match place {
            Some(known) if **known == *name => known.clone(),
            _ => place.insert(name.into()).clone(),
        }
    }
}

impl Default for Names {
    fn default() -> Self {
        Self(vec![None; PLACES].into())
    }
}

/// FNV-1a: nothing is lost when somebody makes names collide.
fn place(name: &str) -> usize {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash ^ (hash >> 32)) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Names, PLACES};
    use std::sync::Arc;

    #[test]
    fn a_name_that_comes_again_is_the_same() {
        let mut names = Names::default();
        assert!(Arc::ptr_eq(&names.get("ada"), &names.get("ada")));
        assert_eq!((&*names.get("ada"), &*names.get("bob")), ("ada", "bob"));
    }

    #[test]
    fn a_flood_of_names_is_told_apart_and_not_kept() {
        let mut names = Names::default();
        for n in 0..10 * PLACES {
            assert_eq!(*names.get(&n.to_string()), n.to_string());
        }
        let long = "x".repeat(LONGEST + 1);
        assert!(!Arc::ptr_eq(&names.get(&long), &names.get(&long)));
    }
}
