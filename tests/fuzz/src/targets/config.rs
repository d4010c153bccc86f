//! multipath.cfg: reads, writes, changes and renders any bytes.

use std::collections::BTreeMap;

use pve_multipath::Severity;
use pve_multipath::config::{self, Change, Config, Item, Section, Update};
use pve_multipath::multipath_conf::render;
use pve_multipath::multipath_conf::{self, VERSIONS};

use crate::Target;

pub(crate) const TARGET: Target = Target {
    name: "config",
    start: || Ok(Box::new(run)),
    inputs: 4_000,
    seeds: &[
        ("config", ".cfg"),
        ("replay", "multipath.cfg"),
        ("sectionconfig", ".jsonl"),
    ],
    words: "wwid defaults queue fail immediate strict 1e20 1e+20 99999999999999999999 dm-1 sdb mpatha \
        control \t \r \u{b} \u{e4} \0 \" # : service-time expected-paths path-selector no-path-retry",
};

fn run(text: &[u8]) -> bool {
    let parsed = config::parse("multipath.cfg", text);
    let config = parsed.config;
    let written = |config: &Config<'_>| config::write(config).expect("it can be written").text;
    let first = written(&config);
    let again = config::parse("multipath.cfg", &first).config;
    // a number beyond 64 bits is written in a form that is not understood when it is read back
    let second = written(&again);
    let third = written(&config::parse("multipath.cfg", &second).config);
    assert_eq!(
        String::from_utf8_lossy(&third),
        String::from_utf8_lossy(&second)
    );
    check_use(&config);
    check_use(&again);

    let mut changed = config.clone();
    // in the same order each time
    let sections: BTreeMap<_, _> = config.sections().map(|s| (s.id(), s)).collect();
    for (id, section) in sections.into_iter().take(8) {
        for change in changes(id.as_str(), section) {
            changed = apply(changed, change);
        }
    }
    parsed.warnings.is_empty()
}

/// All kinds of changes, with the values of a section.
fn changes<'a>(id: &'a str, section: &Section<'a>) -> Vec<Change<'a>> {
    let update = Update {
        set: section
            .properties()
            .iter()
            .filter(|(name, _)| *name != *"type")
            .cloned()
            .collect(),
        ..Update::default()
    };
    let alias = section.get("alias").cloned().unwrap_or_default();
    let delete = Update {
        delete: "alias no-path-retry".into(),
        ..Update::default()
    };
    vec![
        Change::UpdateDefaults {
            update: update.clone(),
        },
        Change::UpdateWwid {
            wwid: id.into(),
            update: delete,
        },
        Change::UpdateWwid {
            wwid: id.into(),
            update: update.clone(),
        },
        Change::RemoveAlias { wwid: id.into() },
        Change::AddWwid {
            wwid: format!("{id}0").into(),
            update,
        },
        Change::SetAlias {
            wwid: id.into(),
            alias,
        },
        Change::RemoveWwid { wwid: id.into() },
    ]
}

/// Makes a change, which is refused or adds no error.
fn apply<'a>(before: Config<'a>, change: Change<'a>) -> Config<'a> {
    let errors = |config: &Config<'_>| {
        let problems = config::problems(config, None);
        problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .count()
    };
    let described = format!("{change:?}");
    let Ok(after) = before.clone().change(change, None) else {
        return before;
    };
    assert!(
        errors(&after) <= errors(&before),
        "{described}: adds an error"
    );
    let blocks = |config: &Config<'a>| {
        let is_block = |item: &Item<'_>| matches!(item, Item::Lines(_));
        let items = config.items().iter().cloned();
        items.filter(is_block).collect::<Vec<_>>()
    };
    assert_eq!(blocks(&after), blocks(&before), "{described}");
    let written = config::write(&after).unwrap_or_else(|err| panic!("{described}: {err}"));
    let read = config::parse("multipath.cfg", &written.text).config;
    assert_eq!(config::luns(&read), config::luns(&after), "{described}");
    let defaults = config::effective_defaults(&after);
    assert_eq!(config::effective_defaults(&read), defaults, "{described}");
    after
}

/// The values that consumers get can be rendered, and multipathd reads them back as they are.
fn check_use(config: &Config<'_>) {
    let luns = config::luns(config);
    let defaults = config::effective_defaults(config);
    assert_eq!(config::effective(config).luns.len(), luns.len());
    for version in VERSIONS {
        config::problems(config, Some(version));
        let aliases = render::aliases(&luns, Some(version)).expect("luns can be rendered");
        let aliases = aliases.unwrap_or_default();
        let rendered = render::defaults(&defaults, Some(version)).expect("defaults too");
        let found = multipath_conf::effective(&[aliases.as_bytes(), rendered.as_bytes()], version);
        let drift = multipath_conf::drift(&defaults, &luns, b"", &found, version);
        assert!(drift.is_empty(), "{version}: {drift:?}");
        let findings = multipath_conf::check(rendered.as_bytes(), &[version], &[]);
        let mut findings = findings.iter();
        let error = findings.find(|finding| finding.severity == Severity::Error);
        assert!(error.is_none(), "{version}: {error:?}\n{rendered}");
    }
}
