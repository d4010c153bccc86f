//! Properties of the configuration on random texts and changes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use proptest::prelude::*;
use pve_multipath::Severity;
use pve_multipath::config::knobs::SectionType;
use pve_multipath::config::{self, Change, Config, Item, Properties, Update, Value};
use pve_multipath::wire::byte_string::ByteString;

/// Lines of section configurations, valid and invalid ones.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "wwid: a\n",
        "wwid: 3600a\n",
        "wwid:b\n",
        "wwid: a\r\n",
        "wwid: b c\n",
        "defaults: defaults\n",
        "defaults: a\n",
        "frob: a\n",
        "frob:x: b\n",
        "\talias x\n",
        "\talias y\n",
        "\talias -\n",
        "\talias\n",
        "\ttype wwid\n",
        "\ttype frob\n",
        "\tid a\n",
        "\tbogus 1 2\n",
        "\tpolling-interval 007\n",
        "\tpolling-interval 0\n",
        "\tpolling-interval 99999999999999999999\n",
        "  path-selector  service-time 0 \n",
        "\tpath-selector {\"#\n",
        "\texpected-paths 4\n",
        "\tno-path-retry queue\n",
        "\tno-path-retry 018\n",
        "\n",
        "\n",
        "0\n",
        " \n",
        "\r\n",
        "# comment\n",
        "\t# comment\n",
        "junk\n",
        ":\n",
        "a:b:c\n",
    ]);
    prop_oneof![
        8 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(piece(), 0..30).prop_map(|pieces| pieces.concat()),
        prop::collection::vec(any::<u8>(), 0..200),
    ]
}

/// What was understood of the sections, in file order.
fn understood<'c>(config: &'c Config<'_>) -> Vec<(&'c str, &'c Properties<'c>)> {
    let sections = config.sections();
    sections
        .map(|section| (section.id().as_str(), section.properties()))
        .collect()
}

/// The lines between sections.
fn blocks<'c>(config: &'c Config<'_>) -> Vec<&'c [ByteString<'c>]> {
    let items = config.items().iter();
    items
        .filter_map(|item| match item {
            Item::Section(_) => None,
            Item::Lines(lines) => Some(lines.as_slice()),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_a_fixed_point(text in text()) {
        let first = config::parse("f", &text).config;
        let written = config::write(&first).unwrap().text;
        let second = config::parse("f", &written).config;
        let again = config::write(&second).unwrap().text;
        prop_assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&written));

        // Perl prints numbers beyond 64 bits with an exponent
        if !text.windows(20).any(|digits| digits.iter().all(u8::is_ascii_digit)) {
            prop_assert_eq!(understood(&second), understood(&first));
        }
    }

    /// No word is lost of lines that may mean something to other versions.
    #[test]
    fn nothing_is_lost(text in text()) {
        let parsed = config::parse("f", &text);
        let written = config::write(&parsed.config).unwrap().text;
        let words = |text: &[u8]| -> Vec<Vec<u8>> {
            let words = text.split(|b| b.is_ascii_whitespace() || *b == 0x0b);
            words.filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect()
        };
        let left = words(&written);
        // those of unknown sections
        for line in blocks(&parsed.config).concat() {
            for word in words(&line.to_bytes().unwrap()) {
                prop_assert!(left.contains(&word));
            }
        }
        let lines = text.split(|&b| b == b'\n');
        for line in lines.filter(|line| line.starts_with(b"junk") || line.starts_with(b"\tbogus")) {
            // a section that a later one replaces is dropped, as with PVE::SectionConfig
            if parsed.config.sections().all(|section| section.replaced() == 0) {
                for word in words(line) {
                    prop_assert!(left.contains(&word), "{:?}", String::from_utf8_lossy(&word));
                }
            }
        }
    }

    #[test]
    fn consumers_get_only_safe_values(text in text()) {
        let config = config::parse("f", &text).config;
        let luns = config::luns(&config);
        let aliases: Vec<_> = luns.values().filter_map(|lun| lun.get("alias")).map(|a| a.to_text()).collect();
        let mut unique = aliases.clone();
        unique.sort();
        unique.dedup();
        prop_assert_eq!(unique.len(), aliases.len());
        prop_assert!(pve_multipath::multipath_conf::render::aliases(&luns, None).is_ok());
        prop_assert!(pve_multipath::multipath_conf::render::defaults(&config::effective_defaults(&config), None).is_ok());
        let _ = config::problems(&config, None);
        let _ = config::effective(&config);
    }
}

/// Names and values of a call, valid and invalid ones.
fn settings() -> impl Strategy<Value = Vec<(String, String)>> {
    let names: Vec<_> = SectionType::Wwid
        .knobs()
        .chain(SectionType::Defaults.knobs())
        .map(|knob| knob.name)
        .chain(["type", "id", "bogus"])
        .collect();
    let values = prop::sample::select(vec![
        "x",
        "y",
        "san-a",
        "3600a",
        "3600b",
        "sdb",
        "control",
        "mpatha",
        "queue",
        "fail",
        "5",
        "+5",
        "005",
        "0",
        "immediate",
        "strict",
        "yes",
        "no",
        "multibus",
        "service-time 0",
        " service-time 0 ",
        "nonsense 0",
        "uniform",
        "",
        " ",
        "a\nb",
        "a\rb",
        "a\0b",
        "\u{e4}",
        "\u{20ac}",
        "99999999999999999999",
        "4294967295",
    ]);
    prop::collection::vec((prop::sample::select(names), values), 0..4).prop_map(|pairs| {
        pairs
            .into_iter()
            .map(|(n, v)| (n.into(), v.into()))
            .collect()
    })
}

#[derive(Clone, Debug)]
struct Call {
    name: usize,
    wwid: &'static str,
    set: Vec<(String, String)>,
    delete: String,
}

impl Call {
    fn change(&self) -> Change<'_> {
        let wwid = self.wwid.into();
        let set = self
            .set
            .iter()
            .map(|(name, value)| (name.as_str().into(), Value::Text(value.as_str().into())));
        let update = Update {
            set: set.collect(),
            delete: self.delete.as_str().into(),
        };
        match self.name {
            0 => Change::AddWwid { wwid, update },
            1 => Change::RemoveWwid { wwid },
            2 => Change::UpdateWwid { wwid, update },
            3 => Change::SetAlias {
                wwid,
                alias: self
                    .set
                    .first()
                    .map(|(_, v)| Value::Text(v.as_str().into()))
                    .unwrap_or_default(),
            },
            4 => Change::RemoveAlias { wwid },
            _ => Change::UpdateDefaults { update },
        }
    }
}

fn call() -> impl Strategy<Value = Call> {
    let wwids = vec![
        "3600a", "3600b", "3600c", "san-a", "defaults", "", "a b", "3600a\n", "\u{e4}", "-w", ".",
    ];
    let delete = prop::sample::select(vec![
        "",
        "",
        "",
        "alias",
        "no-path-retry, failback",
        "alias;alias",
        "type",
        "bogus",
        "polling-interval",
    ]);
    (0..6_usize, prop::sample::select(wwids), settings(), delete).prop_map(
        |(name, wwid, set, delete)| Call {
            name,
            wwid,
            set,
            delete: delete.into(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    /// Each change is written and read back.
    #[test]
    fn changes_leave_a_valid_file(calls in prop::collection::vec(call(), 0..40)) {
        let mut file = Vec::new();
        for call in &calls {
            let before = config::parse("f", &file);
            prop_assert!(before.warnings.is_empty());
            let Ok(changed) = before.config.clone().change(call.change(), None) else { continue };
            let written = config::write(&changed);
            prop_assert!(written.is_ok(), "{:?}: {:?}", call, written);
            let written = written.unwrap().text;

            let after = config::parse("f", &written);
            prop_assert!(after.warnings.is_empty(), "{:?}: {:?}", call, after.warnings);
            prop_assert_eq!(config::problems(&after.config, None), vec![]);
            // values are stored as they are read back
            prop_assert_eq!(understood(&after.config), understood(&changed));
            file = written;
        }
    }

    /// Whatever is in the file, a change neither drops lines between sections nor adds an error.
    #[test]
    fn changes_of_any_file(text in text(), calls in prop::collection::vec(call(), 1..6)) {
        let mut config = config::parse("f", &text).config;
        let original = config.clone();
        let errors = |config: &Config<'_>| {
            let problems = config::problems(config, None);
            problems.into_iter().filter(|p| p.severity == Severity::Error).count()
        };
        for call in &calls {
            let before = errors(&config);
            if let Ok(changed) = config.clone().change(call.change(), None) {
                prop_assert!(errors(&changed) <= before, "{:?}", call);
                config = changed;
            }
        }
        prop_assert_eq!(blocks(&config), blocks(&original));
        prop_assert!(config::write(&config).is_ok());
    }
}
