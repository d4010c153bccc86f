//! Packages for the tests in `t/`, which are written against perlmod's interface
//! and build with the real crate as well.

mod any;

/// The package that stands for the library.
#[perlmod::package(name = "StandIn::Base", lib = "perlmod_standin_tests")]
mod base {}

/// Calling: names, prototypes, numbers of arguments, contexts, errors, panics.
#[perlmod::package(name = "StandIn::Call", lib = "perlmod_standin_tests", boot = "loaded")]
mod call {
    use std::fmt;
    use std::sync::atomic::{AtomicU32, Ordering};

    use perlmod::Value;
    use serde::{Serialize, Serializer};

    static LOADED: AtomicU32 = AtomicU32::new(0);
    static DROPS: AtomicU32 = AtomicU32::new(0);

    fn loaded() {
        LOADED.fetch_add(1, Ordering::Relaxed);
    }

    /// An error that tells how it was formatted.
    #[derive(Serialize)]
    struct Failed {
        reason: String,
        code: i32,
    }

    impl fmt::Display for Failed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            if f.alternate() {
                write!(f, "{}: code {}", self.reason, self.code)
            } else {
                f.write_str("not the alternate form")
            }
        }
    }

    fn failed(reason: &str) -> Failed {
        Failed {
            reason: reason.to_owned(),
            code: 7,
        }
    }

    type Result<T, E = Failed> = std::result::Result<T, E>;

    #[export]
    fn times_loaded() -> u32 {
        LOADED.load(Ordering::Relaxed)
    }

    #[export]
    fn no_arguments() -> &'static str {
        "none"
    }

    #[export]
    fn two(first: i64, second: i64) -> i64 {
        first - second
    }

    #[export]
    fn options_at_the_end(
        first: i64,
        second: Option<i64>,
        third: std::option::Option<i64>,
    ) -> String {
        format!("{first} {second:?} {third:?}")
    }

    #[export]
    fn option_in_the_middle(first: Option<i64>, second: i64, third: Option<i64>) -> String {
        format!("{first:?} {second} {third:?}")
    }

    #[export(name = "renamed")]
    fn not_the_name_in_perl(mut value: i64) -> i64 {
        value += 1;
        value
    }

    #[export(prototype = "&@")]
    fn with_prototype(#[raw] code: Value, rest: Option<i64>) -> i64 {
        drop(code);
        rest.unwrap_or(-1)
    }

    #[export(xs_name = "another_symbol")]
    fn with_xs_name() -> i64 {
        42
    }

    #[export]
    fn nothing() {}

    #[export]
    #[allow(clippy::unused_unit)]
    fn written_unit() -> () {}

    #[export]
    fn nothing_or_error(fail: i64) -> Result<()> {
        if fail == 0 {
            Ok(())
        } else {
            Err(failed("bad"))
        }
    }

    #[export]
    fn number_or_error(fail: i64) -> std::result::Result<i64, Failed> {
        if fail == 0 { Ok(5) } else { Err(failed("bad")) }
    }

    #[export]
    fn line_feed_error() -> std::result::Result<(), String> {
        Err("with its own\n".to_owned())
    }

    #[export]
    fn utf8_error() -> std::result::Result<(), String> {
        Err("b\u{f6}se \u{2603}".to_owned())
    }

    #[export]
    fn crate_error() -> std::result::Result<(), perlmod::Error> {
        Err(perlmod::Error::new("of the crate"))
    }

    #[export(serialize_error)]
    fn structured_error(fail: i64) -> Result<i64> {
        if fail == 0 { Ok(5) } else { Err(failed("bad")) }
    }

    #[export]
    fn list() -> (i64, &'static str, Option<i64>, Vec<i64>) {
        (1, "two", None, vec![3, 4])
    }

    #[export]
    fn list_of_one() -> (i64,) {
        (9,)
    }

    #[export]
    fn list_or_error(fail: i64) -> Result<(i64, ())> {
        if fail == 0 {
            Ok((1, ()))
        } else {
            Err(failed("bad"))
        }
    }

    type Alias = std::result::Result<i64, i64>;

    #[export]
    fn aliased_result(fail: i64) -> Alias {
        if fail == 0 { Ok(1) } else { Err(2) }
    }

    type Pair = (i64, i64);

    #[export]
    fn aliased_tuple() -> Pair {
        (1, 2)
    }

    type Unit = ();

    #[export]
    fn aliased_unit() -> Unit {}

    #[export]
    fn array() -> Vec<i64> {
        vec![1, 2, 3]
    }

    #[export]
    fn none() -> Option<i64> {
        None
    }

    #[export]
    fn context() -> String {
        format!("{:?} {}", perlmod::Gimme::get(), perlmod::wantarray())
    }

    #[export]
    fn panics() -> i64 {
        panic!("on purpose")
    }

    #[export]
    fn panics_with(text: &str) -> std::result::Result<i64, String> {
        std::panic::panic_any(text.to_owned())
    }

    /// Counts how often it is dropped.
    struct Counted;

    impl Drop for Counted {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[export]
    fn drops() -> u32 {
        DROPS.load(Ordering::Relaxed)
    }

    #[export]
    fn drops_before_dying(how: i64) -> std::result::Result<(), String> {
        let _counted = Counted;
        match how {
            0 => Ok(()),
            1 => Err("error".to_owned()),
            _ => panic!("on purpose"),
        }
    }

    /// Panics when it is dropped.
    struct Spiteful;

    impl Drop for Spiteful {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    #[export]
    fn panics_in_drop() -> i64 {
        let _spiteful = Spiteful;
        1
    }

    /// A result that panics when it is dropped, after it was encoded.
    struct SpitefulResult;

    impl Serialize for SpitefulResult {
        fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            serializer.serialize_i64(1)
        }
    }

    impl Drop for SpitefulResult {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    #[export]
    fn panics_in_drop_of_result() -> SpitefulResult {
        SpitefulResult
    }

    #[export]
    fn panics_with_spiteful_payload() {
        std::panic::panic_any(Spiteful)
    }
}

/// Arguments: each function takes one and tells what it got.
#[perlmod::package(name = "StandIn::In", lib = "perlmod_standin_tests")]
mod input {
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use perlmod::Value;
    use serde::de::IgnoredAny;
    use serde::{Deserialize, Deserializer};

    use crate::any::{Any, Bytes, Recursive};

    fn debug<T: Debug>(value: T) -> String {
        format!("{value:?}")
    }

    #[export]
    fn take_bool(v: bool) -> String {
        debug(v)
    }

    #[export]
    fn take_i8(v: i8) -> String {
        debug(v)
    }

    #[export]
    fn take_u8(v: u8) -> String {
        debug(v)
    }

    #[export]
    fn take_i32(v: i32) -> String {
        debug(v)
    }

    #[export]
    fn take_i64(v: i64) -> String {
        debug(v)
    }

    #[export]
    fn take_u64(v: u64) -> String {
        debug(v)
    }

    #[export]
    fn take_i128(v: i128) -> String {
        debug(v)
    }

    #[export]
    fn take_f32(v: f32) -> String {
        debug(v)
    }

    #[export]
    fn take_f64(v: f64) -> String {
        debug(v)
    }

    #[export]
    fn take_char(v: char) -> String {
        debug(v)
    }

    #[export]
    fn take_string(v: String) -> String {
        debug(v)
    }

    #[export]
    fn take_str(v: &str) -> String {
        debug(v)
    }

    #[export]
    fn take_bytes(v: &[u8]) -> String {
        debug(v)
    }

    #[export]
    fn take_byte_buf(v: Bytes) -> String {
        debug(v.0)
    }

    #[export]
    fn take_unit(v: ()) -> String {
        debug(v)
    }

    #[export]
    fn take_option(v: Option<String>) -> String {
        debug(v)
    }

    #[export]
    fn take_option_option(v: Option<Option<String>>) -> String {
        debug(v)
    }

    #[export]
    fn take_option_i64(v: Option<i64>) -> String {
        debug(v)
    }

    #[export]
    fn take_option_bool(v: Option<bool>) -> String {
        debug(v)
    }

    #[export]
    fn take_ints(v: Vec<i64>) -> String {
        debug(v)
    }

    #[export]
    fn take_options(v: Vec<Option<i64>>) -> String {
        debug(v)
    }

    #[export]
    fn take_pair(v: (i64, String)) -> String {
        debug(v)
    }

    #[export]
    fn take_map(v: BTreeMap<String, Any>) -> String {
        debug(v)
    }

    #[export]
    fn take_int_map(v: BTreeMap<i64, i64>) -> String {
        debug(v)
    }

    #[export]
    fn take_char_map(v: BTreeMap<char, i64>) -> String {
        debug(v)
    }

    #[export]
    fn take_option_map(v: BTreeMap<Option<String>, i64>) -> String {
        debug(v)
    }

    #[export]
    fn take_bytes_map(v: BTreeMap<Bytes, i64>) -> String {
        debug(v)
    }

    #[export]
    fn take_bool_map(v: BTreeMap<bool, i64>) -> String {
        debug(v)
    }

    #[export]
    fn take_enum_map(v: BTreeMap<Colour, i64>) -> String {
        debug(v)
    }

    #[export]
    fn take_any(v: Any) -> String {
        debug(v)
    }

    #[export]
    fn take_ignored(v: IgnoredAny) -> String {
        debug(v)
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Disk {
        name: String,
        size: u64,
        wwid: Option<String>,
        #[serde(default)]
        paths: i64,
    }

    #[export]
    fn take_struct(v: Disk) -> String {
        debug(v)
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Strict {
        name: String,
    }

    #[export]
    fn take_strict_struct(v: Strict) -> String {
        debug(v)
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Flattened {
        name: String,
        #[serde(flatten)]
        rest: BTreeMap<String, Any>,
    }

    #[export]
    fn take_flattened(v: Flattened) -> String {
        debug(v)
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Borrowed<'a> {
        #[serde(borrow)]
        name: &'a str,
        #[serde(borrow)]
        data: Option<&'a [u8]>,
    }

    #[export]
    fn take_borrowed(v: Borrowed) -> String {
        debug(v)
    }

    #[export]
    fn take_borrowed_list(v: Vec<&str>) -> String {
        debug(v)
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Newtype(String);

    #[export]
    fn take_newtype(v: Newtype) -> String {
        debug(v)
    }

    #[derive(Debug, Deserialize)]
    struct UnitStruct;

    #[export]
    fn take_unit_struct(v: UnitStruct) -> String {
        debug(v)
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct TupleStruct(i64, String);

    #[export]
    fn take_tuple_struct(v: TupleStruct) -> String {
        debug(v)
    }

    #[derive(Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
        Green,
    }

    #[export]
    fn take_enum(v: Colour) -> String {
        debug(v)
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    enum Tagged {
        Unit,
        New(i64),
        Tuple(i64, i64),
        Struct { a: i64 },
    }

    #[export]
    fn take_tagged(v: Tagged) -> String {
        debug(v)
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "type")]
    #[allow(dead_code)]
    enum Internal {
        Empty,
        Full { a: i64 },
    }

    #[export]
    fn take_internal(v: Internal) -> String {
        debug(v)
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[allow(dead_code)]
    enum Untagged {
        Number(i64),
        Text(String),
        List(Vec<i64>),
    }

    #[export]
    fn take_untagged(v: Untagged) -> String {
        debug(v)
    }

    #[export]
    fn take_two(first: &[u8], second: &str) -> String {
        format!("{first:?} {second:?}")
    }

    #[export]
    fn take_recursive(v: Recursive) -> usize {
        v.depth()
    }

    /// Makes use of a perl value by itself.
    struct Loud(String);

    impl TryFrom<&Value> for Loud {
        type Error = String;

        fn try_from(value: &Value) -> Result<Self, String> {
            let text: String = perlmod::from_ref_value(value).map_err(|err| err.to_string())?;
            if text.is_empty() {
                return Err("nothing to say".to_owned());
            }
            Ok(Self(text.to_uppercase()))
        }
    }

    #[export]
    fn take_try_from(#[try_from_ref] v: Loud) -> String {
        v.0
    }

    #[export]
    fn from_value(#[raw] v: Value) -> Result<Vec<String>, perlmod::Error> {
        perlmod::from_value(v)
    }

    /// Panics when it is decoded.
    struct Explosive;

    impl<'de> Deserialize<'de> for Explosive {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            String::deserialize(deserializer)?;
            panic!("while decoding")
        }
    }

    #[export]
    fn take_explosive(v: Explosive) {
        let Explosive = v;
    }
}

/// Results, and values that are passed through.
#[perlmod::package(name = "StandIn::Out", lib = "perlmod_standin_tests")]
mod output {
    use std::collections::BTreeMap;

    use perlmod::Value;
    use serde::{Deserialize, Serialize, Serializer};

    use crate::any::{Bytes, Recursive};

    #[export]
    fn give_bool(v: i64) -> bool {
        v != 0
    }

    #[export]
    fn give_i64(which: &str) -> Result<i64, String> {
        match which {
            "min" => Ok(i64::MIN),
            "max" => Ok(i64::MAX),
            "zero" => Ok(0),
            _ => Err("which?".to_owned()),
        }
    }

    #[export]
    fn give_u64() -> u64 {
        u64::MAX
    }

    #[export]
    fn give_i8() -> i8 {
        -128
    }

    #[export]
    fn give_i128() -> i128 {
        1
    }

    #[export]
    fn give_f64(which: &str) -> f64 {
        match which {
            "nan" => f64::NAN,
            "inf" => f64::INFINITY,
            "whole" => 3.0,
            _ => 0.1,
        }
    }

    #[export]
    fn give_f32() -> f32 {
        0.5
    }

    #[export]
    fn give_char() -> char {
        '\u{2603}'
    }

    #[export]
    fn give_str(which: &str) -> &'static str {
        match which {
            "ascii" => "plain",
            "latin1" => "\u{fc}",
            "wide" => "\u{2603}",
            "zero" => "a\0b",
            _ => "",
        }
    }

    #[export]
    fn give_bytes() -> Bytes {
        Bytes(vec![0, 0x7f, 0x80, 0xff])
    }

    #[export]
    fn give_some_unit() -> Option<()> {
        Some(())
    }

    #[derive(Serialize)]
    struct UnitStruct;

    #[export]
    fn give_unit_struct() -> UnitStruct {
        UnitStruct
    }

    #[derive(Serialize)]
    struct Newtype(());

    #[export]
    fn give_newtype_of_unit() -> Newtype {
        Newtype(())
    }

    #[derive(Serialize)]
    struct TupleStruct(i64, i64);

    #[derive(Serialize)]
    enum Enum {
        Unit,
        New(i64),
        Tuple(i64, i64),
        Struct { a: i64, b: Option<i64> },
    }

    #[derive(Serialize)]
    struct Everything {
        text: String,
        none: Option<i64>,
        yes: bool,
        no: bool,
        list: Vec<i64>,
        pair: (i64, &'static str),
        tuple: TupleStruct,
        map: BTreeMap<String, i64>,
        unit: (),
        enums: Vec<Enum>,
        #[serde(rename = "ren\u{e4}med")]
        renamed: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        skipped: Option<i64>,
    }

    #[export]
    fn give_struct() -> Everything {
        Everything {
            text: "t".to_owned(),
            none: None,
            yes: true,
            no: false,
            list: vec![1, 2],
            pair: (1, "b"),
            tuple: TupleStruct(3, 4),
            map: BTreeMap::from([("k\u{e4}".to_owned(), 1), ("\u{2603}".to_owned(), 2)]),
            unit: (),
            enums: vec![
                Enum::Unit,
                Enum::New(1),
                Enum::Tuple(1, 2),
                Enum::Struct { a: 1, b: None },
            ],
            renamed: 1,
            skipped: None,
        }
    }

    #[derive(Serialize)]
    struct Flattened {
        a: i64,
        #[serde(flatten)]
        rest: BTreeMap<&'static str, i64>,
    }

    #[export]
    fn give_flattened() -> Flattened {
        Flattened {
            a: 1,
            rest: BTreeMap::from([("b", 2)]),
        }
    }

    #[derive(Serialize)]
    struct Maps {
        integers: BTreeMap<i64, i64>,
        unsigned: BTreeMap<u64, i64>,
        bools: BTreeMap<bool, i64>,
        chars: BTreeMap<char, i64>,
        floats: Pairs<f64>,
        options: Pairs<Option<&'static str>>,
        bytes: BTreeMap<Bytes, i64>,
        variants: Pairs<Enum>,
    }

    /// A map of keys that need not have an order; values count up.
    struct Pairs<K>(Vec<K>);

    impl<K: Serialize> Serialize for Pairs<K> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().zip(0..))
        }
    }

    #[export]
    fn give_maps() -> Maps {
        Maps {
            integers: BTreeMap::from([(-5, 1), (7, 2)]),
            unsigned: BTreeMap::from([(u64::MAX, 1)]),
            bools: BTreeMap::from([(true, 1), (false, 2)]),
            chars: BTreeMap::from([('x', 1), ('\u{fc}', 2), ('\u{2603}', 3)]),
            floats: Pairs(vec![0.1, 3.0, 1e30]),
            options: Pairs(vec![Some("s")]),
            bytes: BTreeMap::from([(Bytes(vec![0xe4]), 1)]),
            variants: Pairs(vec![Enum::Unit]),
        }
    }

    #[export]
    fn give_compound_keys() -> Pairs<Vec<i64>> {
        Pairs(vec![vec![1]])
    }

    #[export]
    fn give_none_key() -> Pairs<Option<i64>> {
        Pairs(vec![None])
    }

    #[export]
    fn give_large_map(count: u64) -> BTreeMap<u64, u64> {
        (0..count).map(|n| (n, n)).collect()
    }

    #[export]
    fn give_nested(depth: usize) -> Recursive {
        Recursive::new(depth)
    }

    /// Fails or panics when it is encoded, after others were.
    struct Explosive(bool);

    impl Serialize for Explosive {
        fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
            if self.0 {
                panic!("while encoding")
            }
            Err(serde::ser::Error::custom("refused"))
        }
    }

    #[derive(Serialize)]
    struct Dangerous {
        text: &'static str,
        list: Vec<i64>,
        explosive: Vec<Explosive>,
    }

    #[export]
    fn give_explosive(panics: i64) -> Dangerous {
        Dangerous {
            text: "a text that is long enough to need memory of its own",
            list: vec![1, 2, 3],
            explosive: vec![Explosive(panics != 0)],
        }
    }

    #[derive(Serialize)]
    struct MapEntry {
        wwid: String,
        state: &'static str,
        paths: i64,
        device: String,
    }

    /// The data of the cost measurement.
    #[export]
    fn give_many(count: i64) -> Vec<MapEntry> {
        (0..count)
            .map(|n| MapEntry {
                wwid: format!("3600508b400105e210000900000{n:06}"),
                state: "active",
                paths: n,
                device: format!("dm-{n}"),
            })
            .collect()
    }

    #[export]
    fn pass(v: Value) -> Value {
        v
    }

    #[export(raw_return)]
    fn pass_raw(#[raw] v: Value) -> Value {
        v
    }

    #[export(raw_return)]
    fn pass_raw_result(#[raw] v: Value, fail: i64) -> Result<Value, String> {
        if fail == 0 {
            Ok(v)
        } else {
            Err("bad".to_owned())
        }
    }

    #[export(raw_return)]
    fn pass_raw_pair(#[raw] a: Value, #[raw] b: Value) -> (Value, Value) {
        (b, a)
    }

    #[derive(Deserialize, Serialize)]
    struct Holder {
        text: String,
        value: Value,
    }

    #[export]
    fn pass_inside(v: Holder) -> Holder {
        v
    }

    #[export]
    fn pass_option(v: Option<Value>) -> Option<Value> {
        v
    }

    #[export]
    fn pass_list(v: Vec<Value>) -> (Value, Value) {
        (v[0].clone_ref(), v[1].clone())
    }

    #[export(raw_return)]
    fn made(which: &str) -> Value {
        match which {
            "int" => Value::new_int(-5),
            "uint" => Value::new_uint(usize::MAX),
            "float" => Value::new_float(0.5),
            "text" => Value::new_string("\u{2603}"),
            "bytes" => Value::new_bytes(b"\xe4"),
            _ => Value::new_undef(),
        }
    }

    #[export(raw_return)]
    fn encoded() -> Result<Value, perlmod::Error> {
        perlmod::to_value(&vec!["a", "b"])
    }

    #[export]
    fn encoded_unit() -> Result<(Value, i64), perlmod::Error> {
        Ok((perlmod::to_value(&())?, 1))
    }
}

/// Objects with a value of Rust's.
#[perlmod::package(name = "StandIn::Object", lib = "perlmod_standin_tests")]
mod object {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    use perlmod::{Error, Value};

    static DROPS: AtomicU32 = AtomicU32::new(0);

    perlmod::declare_magic!(Box<Counter> : &Counter as "StandIn::Object");

    struct Counter(Mutex<u32>);

    impl Drop for Counter {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[export(raw_return)]
    fn new(#[raw] class: Value, start: u32) -> Result<Value, Error> {
        let counter = Box::new(Counter(Mutex::new(start)));
        Ok(perlmod::instantiate_magic!(&class, MAGIC => counter))
    }

    #[export]
    fn add(#[try_from_ref] this: &Counter, number: u32) -> u32 {
        let mut count = this.0.lock().unwrap_or_else(|err| err.into_inner());
        *count += number;
        *count
    }

    #[export]
    fn drops() -> u32 {
        DROPS.load(Ordering::Relaxed)
    }
}

/// Objects of another type.
#[perlmod::package(name = "StandIn::Other", lib = "perlmod_standin_tests")]
mod other {
    use perlmod::{Error, Value};

    perlmod::declare_magic!(Box<Other> : &Other as "StandIn::Other");

    struct Other;

    #[export(raw_return)]
    fn new(#[raw] class: Value) -> Result<Value, Error> {
        Ok(perlmod::instantiate_magic!(&class, MAGIC => Box::new(Other)))
    }

    #[export]
    fn name(#[try_from_ref] this: &Other) -> &'static str {
        let Other = this;
        "other"
    }
}
