//! The options of the attributes.

use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Meta, Path, Result, Token};

/// A list of options in an attribute's parentheses.
pub(crate) type Metas = Punctuated<Meta, Token![,]>;

/// The options of `package`.
pub(crate) struct PackageOptions {
    pub(crate) name: LitStr,
    pub(crate) boot: Option<Path>,
}

impl PackageOptions {
    pub(crate) fn parse(metas: Metas) -> Result<Self> {
        let mut name = None;
        let mut lib = None;
        let mut boot = None;
        for meta in metas {
            let slot = if meta.path().is_ident("name") {
                &mut name
            } else if meta.path().is_ident("lib") {
                &mut lib
            } else if meta.path().is_ident("boot") {
                &mut boot
            } else {
                return Err(Error::new_spanned(
                    meta,
                    "unknown option; offered are `name`, `lib` and `boot`",
                ));
            };
            set(slot, &meta)?;
        }
        let name = name.ok_or_else(|| {
            Error::new(
                proc_macro2::Span::call_site(),
                "the option `name` is required",
            )
        })?;
        check_package_name(&name)?;
        if let Some(lib) = lib.filter(|lib| lib.value().contains("${")) {
            return Err(not_expanded(&lib));
        }
        let boot = boot.map(|boot| boot.parse()).transpose()?;
        Ok(Self { name, boot })
    }
}

/// The options of `export`.
#[derive(Default)]
pub(crate) struct ExportOptions {
    pub(crate) name: Option<Ident>,
    pub(crate) xs_name: Option<Ident>,
    pub(crate) prototype: Option<LitStr>,
    pub(crate) raw_return: Option<Path>,
    pub(crate) serialize_error: bool,
}

impl ExportOptions {
    pub(crate) fn parse(metas: Metas) -> Result<Self> {
        let mut name = None;
        let mut xs_name = None;
        let mut prototype = None;
        let mut raw_return = None;
        let mut serialize_error = false;
        for meta in metas {
            let path = meta.path();
            if path.is_ident("name") {
                set(&mut name, &meta)?;
            } else if path.is_ident("xs_name") {
                set(&mut xs_name, &meta)?;
            } else if path.is_ident("prototype") {
                set(&mut prototype, &meta)?;
            } else if path.is_ident("raw_return") {
                raw_return = Some(meta.require_path_only()?.clone());
            } else if path.is_ident("serialize_error") {
                meta.require_path_only()?;
                serialize_error = true;
            } else {
                return Err(Error::new_spanned(
                    meta,
                    "unknown option; offered are `name`, `prototype`, `xs_name`, `raw_return` \
                     and `serialize_error`",
                ));
            }
        }
        if let Some(prototype) = &prototype {
            check_no_zero(prototype)?;
        }
        Ok(Self {
            name: name.map(|name| name.parse()).transpose()?,
            xs_name: xs_name.map(|name| name.parse()).transpose()?,
            prototype,
            raw_return,
            serialize_error,
        })
    }
}

/// Sets an option that has a literal string for a value.
fn set(slot: &mut Option<LitStr>, meta: &Meta) -> Result<()> {
    if slot.is_some() {
        return Err(Error::new_spanned(meta, "the option is given twice"));
    }
    let value = &meta.require_name_value()?.value;
    let Expr::Lit(ExprLit {
        lit: Lit::Str(text),
        ..
    }) = value
    else {
        return Err(Error::new_spanned(value, "expected a literal string"));
    };
    *slot = Some(text.clone());
    Ok(())
}

fn check_package_name(name: &LitStr) -> Result<()> {
    let value = name.value();
    if value.contains("${") {
        return Err(not_expanded(name));
    }
    let valid = value.split("::").all(|part| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part
                .chars()
                .all(|ch| ch.is_ascii_alphanumeric() || ch == '_')
    });
    if valid {
        Ok(())
    } else {
        Err(Error::new_spanned(name, "not the name of a perl package"))
    }
}

fn check_no_zero(text: &LitStr) -> Result<()> {
    if text.value().contains('\0') {
        return Err(Error::new_spanned(text, "must not contain a zero byte"));
    }
    Ok(())
}

fn not_expanded(text: &LitStr) -> Error {
    Error::new_spanned(text, "environment variables are not expanded")
}
