//! For the code that macros write, and for the other packages; not part of the public interface.

use std::marker::PhantomData;

pub use crate::nearest::nearest;
use crate::{FieldKind, FieldType};

/// Asks for the kind of a concrete type that may lack [`FieldType`].
///
/// Method lookup tries fewer dereferences first: `(&&probe).kind()` finds [`ViaFieldType`] where `T: FieldType`, and
/// [`ViaAny`] elsewhere. It works for concrete types only, never for a type parameter.
pub struct KindProbe<T: ?Sized>(PhantomData<T>);

impl<T: ?Sized> KindProbe<T> {
    /// A probe for `T`.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: ?Sized> Default for KindProbe<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// The better choice: the type says its kind.
pub trait ViaFieldType {
    /// The kind.
    fn kind(&self) -> FieldKind;
}

impl<T: FieldType + ?Sized> ViaFieldType for &KindProbe<T> {
    fn kind(&self) -> FieldKind {
        T::kind()
    }
}

/// The other choice: nothing is known.
pub trait ViaAny {
    /// The kind.
    fn kind(&self) -> FieldKind;
}

impl<T: ?Sized> ViaAny for KindProbe<T> {
    fn kind(&self) -> FieldKind {
        FieldKind::Any
    }
}

/// The kind of a concrete type, or `Any` when it has none.
#[doc(hidden)]
#[macro_export]
macro_rules! __field_kind {
    ($type:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::{ViaAny as _, ViaFieldType as _};
        #[allow(clippy::needless_borrow)]
        (&&$crate::__private::KindProbe::<$type>::new()).kind()
    }};
}

#[cfg(test)]
mod tests {
    use crate::FieldKind;

    struct Own;

    #[test]
    fn known_types_say_their_kind_and_others_are_any() {
        assert_eq!(crate::__field_kind!(u64), FieldKind::Integer { signed: false, bits: 64 });
        assert_eq!(crate::__field_kind!(String), FieldKind::String);
        assert_eq!(crate::__field_kind!(Option<bool>), FieldKind::Optional(Box::new(FieldKind::Bool)));
        assert_eq!(crate::__field_kind!(Vec<Own>), FieldKind::Array);
        assert_eq!(crate::__field_kind!(Own), FieldKind::Any);
        assert_eq!(crate::__field_kind!(Option<Own>), FieldKind::Any);
    }
}
