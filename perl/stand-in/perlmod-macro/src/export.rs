//! `#[export]`: the function that perl calls.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, ItemFn, Meta, Pat, PathArguments, Result,
    ReturnType, Type,
};

use crate::options::ExportOptions;

/// An exported function.
pub(crate) struct Export {
    /// The name of the sub, without the package.
    pub(crate) name: String,
    pub(crate) xs_name: Ident,
    pub(crate) prototype: String,
    pub(crate) tokens: TokenStream,
}

/// How a parameter gets its value.
#[derive(Clone, Copy)]
enum Passing {
    Decoded,
    Raw,
    TryFromRef,
}

pub(crate) fn expand(
    options: ExportOptions,
    mut function: ItemFn,
    package: &str,
) -> Result<Export> {
    let signature = &function.sig;
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &signature.generics,
            "generic functions cannot be exported",
        ));
    }
    if signature.asyncness.is_some() {
        return Err(Error::new_spanned(
            signature.asyncness,
            "async functions cannot be exported",
        ));
    }
    if let Some(variadic) = &signature.variadic {
        return Err(Error::new_spanned(
            variadic,
            "variadic functions cannot be exported",
        ));
    }

    let rust_name = signature.ident.clone();
    check_not_raw(&rust_name)?;
    let shown_name = rust_name.to_string();
    let xs_name = options
        .xs_name
        .unwrap_or_else(|| format_ident!("xs_{package}_{rust_name}"));

    let mut require = TokenStream::new();
    let mut extract = TokenStream::new();
    let mut passed = Vec::new();
    let mut trailing_options = 0;
    let count = function.sig.inputs.len();

    for (index, input) in function.sig.inputs.iter_mut().enumerate() {
        let FnArg::Typed(parameter) = input else {
            return Err(Error::new_spanned(input, "methods cannot be exported"));
        };
        let passing = take_passing(&mut parameter.attrs)?;
        let shown = match &*parameter.pat {
            Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
                check_not_raw(&pat.ident)?;
                pat.ident.to_string()
            }
            other => {
                return Err(Error::new_spanned(
                    other,
                    "only plain names are offered for parameters of exported functions",
                ));
            }
        };
        let ty = &*parameter.ty;
        let span = ty.span();

        if is_option(ty) {
            trailing_options += 1;
        } else {
            trailing_options = 0;
            require.extend(quote!(args.require(#index, #shown)?;));
        }

        let value = format_ident!("argument_{index}");
        extract.extend(match passing {
            Passing::Decoded => quote_spanned! { span=>
                let #value: #ty = args.decode(#index)?;
            },
            Passing::Raw => quote_spanned! { span=>
                let #value: #ty = args.raw(#index);
            },
            Passing::TryFromRef => {
                let raw = format_ident!("raw_{index}");
                quote_spanned! { span=>
                    let #raw = args.raw(#index);
                    let #value: #ty = match ::std::convert::TryFrom::try_from(&#raw) {
                        ::std::result::Result::Ok(value) => value,
                        ::std::result::Result::Err(err) => {
                            return ::std::result::Result::Err(args.failure(&err));
                        }
                    };
                }
            }
        });
        extract.extend(quote_spanned! { span=>
            ::perlmod::__private__::unwind_safe(&#value);
        });
        passed.push(value);
    }

    let failure = if options.serialize_error {
        quote!(args.structured_failure(&err))
    } else {
        quote!(args.failure(&err))
    };
    let (result_type, is_result) = match &function.sig.output {
        ReturnType::Default => (None, false),
        ReturnType::Type(_, ty) => match result_content(ty) {
            Some(content) => (Some(content), true),
            None => (Some(&**ty), false),
        },
    };
    let call = quote!(#rust_name(#(#passed),*));
    let call = if is_result {
        quote! {
            match #call {
                ::std::result::Result::Ok(output) => output,
                ::std::result::Result::Err(err) => {
                    return ::std::result::Result::Err(#failure);
                }
            }
        }
    } else {
        call
    };

    let encode = if options.raw_return.is_some() {
        quote!(raw_item)
    } else {
        quote!(item)
    };
    let respond = match result_type {
        Some(Type::Tuple(tuple)) if !tuple.elems.is_empty() => {
            let items = (0..tuple.elems.len()).map(|index| {
                let index = syn::Index::from(index);
                if options.raw_return.is_some() {
                    quote!(args.#encode(result.#index)?)
                } else {
                    quote!(args.#encode(&result.#index)?)
                }
            });
            quote! {
                let result = #call;
                ::std::result::Result::Ok(::perlmod::__private__::Returned::List(
                    ::std::vec![#(#items),*]
                ))
            }
        }
        None | Some(Type::Tuple(_)) => {
            if let Some(raw_return) = &options.raw_return {
                return Err(Error::new_spanned(
                    raw_return,
                    "`raw_return` needs a function that returns something",
                ));
            }
            quote! {
                let () = #call;
                ::std::result::Result::Ok(::perlmod::__private__::Returned::Nothing)
            }
        }
        Some(_) if options.raw_return.is_some() => quote! {
            let result = #call;
            ::std::result::Result::Ok(::perlmod::__private__::Returned::One(
                args.raw_item(result)?
            ))
        },
        Some(_) => quote! {
            let result = #call;
            args.single(&result)
        },
    };

    let tokens = quote! {
        #function

        #[doc(hidden)]
        #[allow(non_snake_case, unreachable_pub, clippy::all, clippy::pedantic)]
        unsafe extern "C" fn #xs_name(call: *mut ::perlmod::__private__::Call) {
            // perlmod needs a `Result` of two parameters in scope.
            let _: fn(Result<(), ()>) = |_| ();
            // SAFETY: only called by the glue of perlmod, with a call of perl's.
            unsafe {
                ::perlmod::__private__::enter::<#count>(call, |args| {
                    #require
                    args.complete(#shown_name)?;
                    #extract
                    #respond
                })
            }
        }
    };

    Ok(Export {
        name: options.name.map_or(shown_name, |name| name.to_string()),
        xs_name,
        prototype: match options.prototype {
            Some(prototype) => prototype.value(),
            None => prototype(count, trailing_options),
        },
        tokens,
    })
}

/// One `$` for each parameter, those that may be left out after a semicolon.
fn prototype(count: usize, trailing_options: usize) -> String {
    let mut text = "$".repeat(count - trailing_options);
    if trailing_options > 0 {
        text.push(';');
        text.push_str(&"$".repeat(trailing_options));
    }
    text
}

/// perlmod cannot cope with `r#names`.
fn check_not_raw(name: &Ident) -> Result<()> {
    if name.unraw() == *name {
        return Ok(());
    }
    Err(Error::new_spanned(
        name,
        "raw identifiers are not offered in exported functions",
    ))
}

/// Removes a parameter's attribute, if it is one of ours.
fn take_passing(attributes: &mut Vec<Attribute>) -> Result<Passing> {
    let mut passing = None;
    let mut kept = Vec::with_capacity(attributes.len());
    for attribute in attributes.drain(..) {
        let path = attribute.path();
        let this = if path.is_ident("raw") {
            Passing::Raw
        } else if path.is_ident("try_from_ref") {
            Passing::TryFromRef
        } else if path.is_ident("cv") {
            return Err(Error::new_spanned(attribute, "`cv` is not offered"));
        } else {
            kept.push(attribute);
            continue;
        };
        if !matches!(attribute.meta, Meta::Path(_)) {
            return Err(Error::new_spanned(
                attribute,
                "the attribute takes no parameters",
            ));
        }
        if passing.is_some() {
            return Err(Error::new_spanned(
                attribute,
                "`raw` and `try_from_ref` exclude each other",
            ));
        }
        passing = Some(this);
    }
    *attributes = kept;
    Ok(passing.unwrap_or(Passing::Decoded))
}

/// The generic arguments of a type that is written `name<...>` or
/// `std::module::name<...>`. Only what is written counts: no aliases, no imports.
fn arguments_of<'a>(ty: &'a Type, module: &str, name: &str) -> Option<Vec<&'a GenericArgument>> {
    let Type::Path(path) = ty else { return None };
    if path.qself.is_some() {
        return None;
    }
    let segments: Vec<_> = path.path.segments.iter().collect();
    let last = match segments.as_slice() {
        [last] => last,
        [root, middle, last] if root.ident == "std" && middle.ident == module => last,
        _ => return None,
    };
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) if last.ident == name => {
            Some(arguments.args.iter().collect())
        }
        _ => None,
    }
}

fn is_option(ty: &Type) -> bool {
    matches!(
        arguments_of(ty, "option", "Option").as_deref(),
        Some([GenericArgument::Type(_)])
    )
}

/// What is inside a `Result`; its error type may be left to an alias.
fn result_content(ty: &Type) -> Option<&Type> {
    match arguments_of(ty, "result", "Result")?.as_slice() {
        [GenericArgument::Type(content)] | [GenericArgument::Type(content), _] => Some(content),
        _ => None,
    }
}
