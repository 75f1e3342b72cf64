use super::Settlement;

/// Settlements that go together. One alone, the usual case, needs no room of its own.
#[derive(Debug, Clone)]
pub struct Settlements(Kept);

#[derive(Debug, Clone)]
enum Kept {
    One(Settlement),
    Many(Vec<Settlement>),
}

impl Settlements {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// All, in order.
    pub fn as_slice(&self) -> &[Settlement] {
        match &self.0 {
            Kept::One(one) => std::slice::from_ref(one),
            Kept::Many(many) => many,
        }
    }

    /// All, in order, to be put into another.
    pub fn as_mut_slice(&mut self) -> &mut [Settlement] {
        match &mut self.0 {
            Kept::One(one) => std::slice::from_mut(one),
            Kept::Many(many) => many,
        }
    }
}

impl From<Settlement> for Settlements {
    fn from(one: Settlement) -> Self {
        Self(Kept::One(one))
    }
}

impl From<Vec<Settlement>> for Settlements {
    fn from(many: Vec<Settlement>) -> Self {
        Self(Kept::Many(many))
    }
}

impl IntoIterator for Settlements {
    type Item = Settlement;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        match self.0 {
            Kept::One(one) => IntoIter { one: Some(one), many: Vec::new().into_iter() },
            Kept::Many(many) => IntoIter { one: None, many: many.into_iter() },
        }
    }
}

/// The settlements, one after the other.
#[derive(Debug)]
pub struct IntoIter {
    one: Option<Settlement>,
    many: std::vec::IntoIter<Settlement>,
}

impl Iterator for IntoIter {
    type Item = Settlement;

    fn next(&mut self) -> Option<Settlement> {
        self.one.take().or_else(|| self.many.next())
    }
}
