//! The texts of a record that callers may give: labels that say who, what and where, each redacted, each absent or laid over
//! what was known before. They are the fields that a declaration marks with `[text]`.

/// Picks the texts out of a declaration, and hands them to `make` with a name.
macro_rules! pick_texts {
    (
        $make:ident => $name:ident
        $(#[$meta:meta])*
        $record:ident in $table:literal: $kind:ident { $($fields:tt)* }
    ) => {
        $crate::domain::record::pick_texts! { @ $make $name $record [] $($fields)* }
    };
    (@ $make:ident $name:ident $record:ident [$($picked:tt)*]) => {
        $make! { $name of $record { $($picked)* } }
    };
    (@ $make:ident $name:ident $record:ident [$($picked:tt)*]
        $(#[$meta:meta])* $field:ident: $type:ty [text], $($rest:tt)*
    ) => {
        $crate::domain::record::pick_texts! { @ $make $name $record [$($picked)* $(#[$meta])* $field,] $($rest)* }
    };
    (@ $make:ident $name:ident $record:ident [$($picked:tt)*]
        $(#[$meta:meta])* $field:ident $(as $leaf:ident)?: $type:ty $([$($what:tt)+])?, $($rest:tt)*
    ) => {
        $crate::domain::record::pick_texts! { @ $make $name $record [$($picked)*] $($rest)* }
    };
}

/// Makes the type of the texts that a caller gives.
macro_rules! texts {
    (=> $name:ident $($declaration:tt)+) => {
        $crate::domain::record::pick_texts! { texts_type => $name $($declaration)+ }
    };
}

macro_rules! texts_type {
    ($name:ident of $record:ident { $($(#[$meta:meta])* $field:ident,)+ }) => {
        #[doc = concat!("What a caller says of a [`", stringify!($record), "`] in words; what is absent is not said.")]
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$meta])* pub $field: Option<String>),+ }

        impl $name {
            /// Each with the name of its field.
            pub fn each_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Option<String>)> {
                [$((stringify!($field), &mut self.$field)),+].into_iter()
            }

            /// Lays what is said over what a record says.
            pub fn lay_over(self, record: &mut $record) {
                $(if self.$field.is_some() {
                    record.$field = self.$field;
                })+
            }
        }
    };
}

pub(crate) use {pick_texts, texts, texts_type};
