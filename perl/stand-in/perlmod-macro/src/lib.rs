//! The attribute macros of the perlmod stand-in.
//!
//! What perlmod's macros accept and these do not is a compile error.

use proc_macro::TokenStream;

mod export;
mod options;
mod package;

/// Makes a perl package of an inline module; see `perlmod::package`.
#[proc_macro_attribute]
pub fn package(options: TokenStream, item: TokenStream) -> TokenStream {
    package::expand(options.into(), item.into())
        .unwrap_or_else(|err| err.to_compile_error())
        .into()
}

/// Marks a function of a package's module; see `perlmod::export`.
///
/// `package` consumes the attribute, so this runs only where there is none.
#[proc_macro_attribute]
pub fn export(_options: TokenStream, item: TokenStream) -> TokenStream {
    let item = proc_macro2::TokenStream::from(item);
    syn::Error::new_spanned(
        item,
        "`export` is only offered for functions directly inside a `#[perlmod::package]` module",
    )
    .to_compile_error()
    .into()
}
