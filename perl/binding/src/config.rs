#[perlmod::package(name = "PVE::RS::Multipath::Config", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_config {
    //! The cluster's configuration.

    use std::collections::BTreeMap;

    use anyhow::Error;
    use pve_multipath::config::knobs::{Schema, SectionType};
    use pve_multipath::config::settings::Settings;
    use pve_multipath::config::{
        self, Change, ChangeError, Config, EffectiveConfig, ParsedConfig, Problem, Update, Value,
    };
    use pve_multipath::wire::byte_string::ByteString;
    use pve_multipath::{Alias, Wwid};
    use serde::{Deserialize, Serialize};

    use crate::types::{self, Bytes};

    #[derive(Serialize)]
    pub struct Parsed<'a> {
        config: Config<'a>,
        warnings: Vec<ByteString<'static>>,
    }

    #[derive(Serialize)]
    pub struct Written<'a> {
        text: Bytes<'static>,
        order: BTreeMap<ByteString<'a>, i64>,
    }

    /// The arguments of a change. Which of them are used depends on the change.
    #[derive(Deserialize)]
    pub struct ChangeArgs<'a> {
        #[serde(borrow)]
        config: Config<'a>,
        change: ChangeName,
        #[serde(borrow, default)]
        wwid: Value<'a>,
        #[serde(borrow, default)]
        alias: Value<'a>,
        #[serde(borrow, default)]
        set: Option<BTreeMap<ByteString<'a>, Value<'a>>>,
        #[serde(borrow, default)]
        delete: Value<'a>,
        #[serde(borrow, default)]
        digest: Value<'a>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum ChangeName {
        AddWwid,
        RemoveWwid,
        UpdateWwid,
        SetAlias,
        RemoveAlias,
        UpdateDefaults,
    }

    /// The changed configuration, or why the change is refused.
    #[derive(Serialize)]
    #[serde(untagged)]
    pub enum Changed<'a> {
        Done {
            config: Config<'a>,
        },
        Refused {
            error: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            parameter: Option<String>,
        },
    }

    impl From<ChangeError> for Changed<'_> {
        fn from(error: ChangeError) -> Self {
            Self::Refused {
                error: error.to_string(),
                parameter: error.parameter().map(Into::into),
            }
        }
    }

    /// Reads a file as PVE::SectionConfig does.
    #[export]
    pub fn parse(file_name: String, raw: &[u8]) -> Parsed<'_> {
        let ParsedConfig { config, warnings } = config::parse(&file_name, raw);
        Parsed { config, warnings }
    }

    /// The text of a file as PVE::SectionConfig writes it, and the positions of new sections.
    #[export]
    pub fn write(config: Config<'_>) -> Result<Written<'_>, Error> {
        let config::Written { text, order } = config::write(&config)?;
        let text = text.into();
        Ok(Written { text, order })
    }

    /// Makes a change.
    #[export]
    pub fn change(args: ChangeArgs<'_>) -> Changed<'_> {
        let wwid = args.wwid.into_text().unwrap_or_default();
        let update = Update {
            set: args.set.into_iter().flatten().collect(),
            delete: args.delete.into_text().unwrap_or_default().into(),
        };
        let change = match args.change {
            ChangeName::AddWwid => Change::AddWwid { wwid, update },
            ChangeName::RemoveWwid => Change::RemoveWwid { wwid },
            ChangeName::UpdateWwid => Change::UpdateWwid { wwid, update },
            ChangeName::SetAlias => Change::SetAlias {
                wwid,
                alias: args.alias,
            },
            ChangeName::RemoveAlias => Change::RemoveAlias { wwid },
            ChangeName::UpdateDefaults => Change::UpdateDefaults { update },
        };
        match args.config.change(change, args.digest.to_text().as_deref()) {
            Ok(config) => Changed::Done { config },
            Err(error) => error.into(),
        }
    }

    /// Lists what is dangerous, has no effect, or was not understood; `version` of multipath-tools may be
    /// undefined.
    #[export]
    pub fn problems(config: Config, version: Value) -> Result<Vec<Problem>, Error> {
        Ok(config::problems(&config, types::tools_version(&version)?))
    }

    /// The global knobs that every node gets unless the configuration sets others.
    #[export]
    pub fn managed_defaults() -> Settings {
        config::managed_defaults()
    }

    /// The global knobs.
    #[export]
    pub fn effective_defaults(config: Config) -> Settings {
        config::effective_defaults(&config)
    }

    /// Which values are in force, and where each comes from.
    #[export]
    pub fn effective(config: Config) -> EffectiveConfig {
        config::effective(&config)
    }

    /// The allow-listed WWIDs, sorted.
    #[export]
    pub fn wwid_list(config: Config) -> Vec<Wwid> {
        config::allow_list(&config).into_keys().collect()
    }

    /// The aliases by WWID.
    #[export]
    pub fn aliases(config: Config) -> BTreeMap<Wwid, Alias> {
        let listed = config::allow_list(&config).into_iter();
        listed
            .filter_map(|(wwid, alias)| Some((wwid, alias?)))
            .collect()
    }

    /// The LUNs' aliases and knobs, by WWID.
    #[export]
    pub fn wwid_opts(config: Config) -> BTreeMap<Wwid, Settings> {
        let mut luns = config::luns(&config);
        luns.retain(|_, settings| !settings.is_empty());
        luns
    }

    /// The knobs of the section `defaults` as parameters of the API.
    #[export]
    pub fn defaults_schema() -> BTreeMap<&'static str, Schema> {
        schema(SectionType::Defaults)
    }

    /// The knobs of a LUN's section as parameters of the API.
    #[export]
    pub fn wwid_schema() -> BTreeMap<&'static str, Schema> {
        schema(SectionType::Wwid)
    }

    fn schema(section: SectionType) -> BTreeMap<&'static str, Schema> {
        section
            .knobs()
            .map(|knob| (knob.name, knob.schema()))
            .collect()
    }
}
