//! `#[package]`: the module of a package and its boot function.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::Parser;
use syn::{Attribute, Error, Ident, Item, ItemMod, LitByteStr, LitCStr, Meta, Result};

use crate::export::{self, Export};
use crate::options::{ExportOptions, Metas, PackageOptions};

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options = PackageOptions::parse(Metas::parse_terminated.parse2(options)?)?;
    let mut module: ItemMod = syn::parse2(item)?;
    let Some((_, items)) = &mut module.content else {
        return Err(Error::new_spanned(
            &module,
            "`package` is only offered for inline modules",
        ));
    };

    let mangled: String = options
        .name
        .value()
        .chars()
        .map(|ch| if ch.is_ascii_alphanumeric() { ch } else { '_' })
        .collect();
    let mut exports: Vec<Export> = Vec::new();
    for item in items.iter_mut() {
        let Item::Fn(function) = item else { continue };
        let Some(options) = take_export(&mut function.attrs)? else {
            continue;
        };
        let export = export::expand(options, function.clone(), &mangled)?;
        if exports.iter().any(|other| other.name == export.name) {
            return Err(Error::new_spanned(
                &function.sig.ident,
                "another function is exported by this name",
            ));
        }
        *item = Item::Verbatim(export.tokens.clone());
        exports.push(export);
    }
    items.push(Item::Verbatim(boot_function(&options, &exports)));
    Ok(quote!(#module))
}

/// Removes the attribute `export`, if there is one.
fn take_export(attributes: &mut Vec<Attribute>) -> Result<Option<ExportOptions>> {
    let mut options = None;
    let mut kept = Vec::with_capacity(attributes.len());
    for attribute in attributes.drain(..) {
        if !attribute.path().is_ident("export") {
            kept.push(attribute);
            continue;
        }
        if options.is_some() {
            return Err(Error::new_spanned(attribute, "`export` is given twice"));
        }
        let metas = match &attribute.meta {
            Meta::Path(_) => Metas::new(),
            Meta::List(list) => list.parse_args_with(Metas::parse_terminated)?,
            Meta::NameValue(_) => {
                return Err(Error::new_spanned(attribute, "expected `export(...)`"));
            }
        };
        options = Some(ExportOptions::parse(metas)?);
    }
    *attributes = kept;
    Ok(options)
}

/// The function that perl's DynaLoader finds and calls.
fn boot_function(options: &PackageOptions, exports: &[Export]) -> TokenStream {
    let package = options.name.value();
    let boot_name = Ident::new(
        &format!("boot_{}", package.replace("::", "__")),
        Span::call_site(),
    );
    let note = LitByteStr::new(package.as_bytes(), Span::call_site());
    let note_len = package.len();
    let subs = exports.iter().map(|export| {
        let name = c_string(&format!("{package}::{}", export.name));
        let prototype = c_string(&export.prototype);
        let xs_name = &export.xs_name;
        quote! {
            // SAFETY: the function was generated for this purpose.
            unsafe { ::perlmod::__private__::Sub::new(#name, #xs_name, #prototype) }
        }
    });
    let boot = options.boot.as_ref().map(|boot| quote!(#boot();));

    quote! {
        /// Installs the subs of the package; called by perl's DynaLoader.
        #[doc(hidden)]
        #[allow(non_snake_case, unreachable_pub)]
        #[unsafe(no_mangle)]
        pub extern "C" fn #boot_name() {
            #[used]
            #[unsafe(link_section = ".note.perlmod.package")]
            static NOTE: ::perlmod::__private__::PackageNote<#note_len> =
                ::perlmod::__private__::PackageNote::new(*#note);
            static ONCE: ::std::sync::Once = ::std::sync::Once::new();

            fn boot() {
                #boot
            }

            // SAFETY: called by perl, and there is nothing to drop in here.
            unsafe {
                ::perlmod::__private__::boot(
                    &ONCE,
                    ::std::concat!(::std::file!(), "\0"),
                    &[#(#subs),*],
                    boot,
                );
            }
        }
    }
}

/// The options have made sure that there is no zero byte in it.
fn c_string(text: &str) -> LitCStr {
    let text = std::ffi::CString::new(text).unwrap_or_default();
    LitCStr::new(&text, Span::call_site())
}
