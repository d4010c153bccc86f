//! Whether the kernel accepts what it gets of `features` (drivers/md/dm-mpath.c, `parse_features`,
//! Linux 6.1 to 6.14).
//!
//! multipathd removes the features that it has options for, and adds the one for queueing back if
//! `no_path_retry` asks for it (libmultipath/propsel.c, `reconcile_features_with_options`, and
//! dmparser.c, `assemble_map`). multipathd compares case-sensitively, the kernel does not.

use thiserror::Error;

use super::finding::quoted;
use super::values::Attributes;

/// Most words that the kernel accepts.
const MOST: usize = 8;

const QUEUE: &str = "queue_if_no_path";
const RETAIN: &str = "retain_attached_hw_handler";
const QUEUE_MODE: &str = "queue_mode";

/// Why the kernel rejects a list of features.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum Refused {
    #[error("the count {} has a sign", quoted(.0))]
    Count(String),
    #[error("there is no feature {}", quoted(.0))]
    Unknown(String),
    #[error("'{0}' needs a value")]
    NoValue(&'static str),
    #[error("{} is not a valid value for '{feature}', which takes {takes}", quoted(.value))]
    Value {
        feature: &'static str,
        value: String,
        takes: &'static str,
    },
    #[error("the kernel takes at most {MOST} words, and there are {0}")]
    TooMany(usize),
    #[error("the kernel takes at most {MOST} words, and multipathd adds '{added}'")]
    NoRoom { added: &'static str },
}

/// A feature that multipathd does not recognize, because of its case, while the kernel does.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum Unnoticed {
    #[error(
        "multipathd does not recognize {}: each time the map is loaded, the kernel queues I/O \
         while there is no path, whatever no_path_retry says",
        quoted(.0)
    )]
    Queue(String),
    #[error("multipathd drops '{QUEUE_MODE} {0}'")]
    QueueMode(String),
}

/// Features that multipathd has options for, each with the option and its value.
pub(super) const OPTIONS: [(&str, &str, &str); 2] = [
    (QUEUE, "no_path_retry", "queue"),
    (RETAIN, "retain_attached_hw_handler", "yes"),
];

/// Replaces features by options that are not set, as multipathd does when it merges two entries.
pub(super) fn replace_by_options(values: &mut Attributes) {
    for (feature, option, value) in OPTIONS {
        let Some(features) = values.get("features").filter(|text| has(text, feature)) else {
            continue;
        };
        let without = without(features, feature);
        values.insert("features".to_owned(), without);
        { values.entry(option.to_owned()) }.or_insert_with(|| value.to_owned());
    }
}

/// Whether a list of features contains this one.
pub(super) fn has(features: &str, feature: &str) -> bool {
    features
        .split_whitespace()
        .skip(1)
        .any(|word| word == feature)
}

/// A list of features without the first occurrence of one, with single blanks between words.
fn without(features: &str, feature: &str) -> String {
    let mut words: Vec<&str> = features.split_whitespace().skip(1).collect();
    if let Some(place) = words.iter().position(|word| *word == feature) {
        words.remove(place);
    }
    let count = words.len().to_string();
    [&[&*count], &words[..]].concat().join(" ")
}

/// Checks a value in which the count of words is right.
pub(super) fn check(features: &str) -> Result<Option<Unnoticed>, Refused> {
    let mut words: Vec<&str> = features.split_whitespace().collect();
    let Some((count, _)) = words.split_first() else {
        return Ok(None);
    };
    let count = (*count).to_owned();
    words.remove(0);
    for option in [QUEUE, RETAIN] {
        if let Some(place) = words.iter().position(|word| *word == option) {
            words.remove(place);
        }
    }
    if !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refused::Count(count));
    }
    if words.len() > MOST {
        return Err(Refused::TooMany(words.len()));
    }
    let unnoticed = check_words(&words)?;
    let bio =
        |pair: &[&str]| matches!(pair, [name, value] if is(name, QUEUE_MODE) && is(value, "bio"));
    let bio_unnoticed = words.windows(2).any(bio) && !words.contains(&QUEUE_MODE);
    for (added, size, is_added) in [
        ("queue_mode bio", 2, bio_unnoticed),
        (QUEUE, 1, !words.contains(&QUEUE)),
    ] {
        if is_added && words.len() + size > MOST {
            return Err(Refused::NoRoom { added });
        }
    }
    Ok(unnoticed)
}

/// Compares as the kernel does, without case.
fn is(word: &str, feature: &str) -> bool {
    word.eq_ignore_ascii_case(feature)
}

/// Reads the words as the kernel does.
fn check_words(words: &[&str]) -> Result<Option<Unnoticed>, Refused> {
    let mut unnoticed = None;
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        if is(word, QUEUE) {
            // the first one in lower case is removed by now, and multipathd recognizes further ones
            if word != QUEUE {
                unnoticed = Some(Unnoticed::Queue(word.to_owned()));
            }
            continue;
        }
        if is(word, RETAIN) {
            continue;
        }
        let names = ["pg_init_retries", "pg_init_delay_msecs", QUEUE_MODE];
        let Some(feature) = names.into_iter().find(|name| is(word, name)) else {
            return Err(Refused::Unknown(word.to_owned()));
        };
        let value = words.next().ok_or(Refused::NoValue(feature))?;
        let number = || {
            value
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| value.parse::<u64>())
        };
        let in_range = |least, most| matches!(number(), Some(Ok(n)) if (least..=most).contains(&n));
        let modes = ["bio", "rq", "mq"];
        let (takes, good) = match feature {
            "pg_init_retries" => ("1 to 50", in_range(1, 50)),
            "pg_init_delay_msecs" => ("0 to 60000", in_range(0, 60_000)),
            _ => (
                "bio, rq or mq",
                modes.into_iter().any(|mode| is(value, mode)),
            ),
        };
        if !good {
            let value = value.to_owned();
            return Err(Refused::Value {
                feature,
                value,
                takes,
            });
        }
        if word == QUEUE_MODE && !modes.contains(&value) {
            unnoticed.get_or_insert(Unnoticed::QueueMode(value.to_owned()));
        }
    }
    Ok(unnoticed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_accepts() {
        for features in [
            "0",
            "00",
            "1 queue_if_no_path",
            "1 retain_attached_hw_handler",
            "1 RETAIN_ATTACHED_HW_HANDLER",
            "2 queue_if_no_path queue_if_no_path",
            "2 pg_init_retries 1",
            "2 PG_Init_Retries 050",
            "2 pg_init_delay_msecs 0",
            "2 pg_init_delay_msecs 60000",
            "2 queue_mode bio",
            "2 QUEUE_MODE BIO",
            // multipathd removes the word from the middle
            "3 pg_init_retries queue_if_no_path 50",
            "8 queue_if_no_path retain_attached_hw_handler pg_init_retries 50 \
             pg_init_delay_msecs 5 queue_mode mq",
            "  2\tpg_init_retries   50 ",
        ] {
            assert_eq!(check(features), Ok(None), "{features:?}");
        }
    }

    #[test]
    fn what_the_kernel_rejects() {
        let value = |feature, value: &str, takes| {
            let value = value.to_owned();
            Refused::Value {
                feature,
                value,
                takes,
            }
        };
        let retries = |text| value("pg_init_retries", text, "1 to 50");
        let delay = |text| value("pg_init_delay_msecs", text, "0 to 60000");
        let unknown = |text: &str| Refused::Unknown(text.to_owned());
        for (features, refused) in [
            ("2 pg_init_retries 0", retries("0")),
            ("2 pg_init_retries 51", retries("51")),
            ("2 pg_init_retries +5", retries("+5")),
            ("2 pg_init_retries 0x5", retries("0x5")),
            (
                "2 pg_init_retries 99999999999999999999",
                retries("99999999999999999999"),
            ),
            ("2 PG_INIT_RETRIES 51", retries("51")),
            ("2 pg_init_delay_msecs 60001", delay("60001")),
            ("2 pg_init_delay_msecs -1", delay("-1")),
            (
                "2 queue_mode fast",
                value("queue_mode", "fast", "bio, rq or mq"),
            ),
            ("1 pg_init_retries", Refused::NoValue("pg_init_retries")),
            ("1 queue_mode", Refused::NoValue("queue_mode")),
            ("1 no_such_feature", unknown("no_such_feature")),
            ("1 queue_if_no_pathx", unknown("queue_if_no_pathx")),
            ("1 0", unknown("0")),
            ("+2 pg_init_retries 5", Refused::Count("+2".to_owned())),
            ("-0", Refused::Count("-0".to_owned())),
        ] {
            assert_eq!(check(features), Err(refused), "{features:?}");
        }
    }

    #[test]
    fn how_many_words_there_may_be() {
        let list = |words: &[&str]| format!("{} {}", words.len(), words.join(" "));
        let pair = ["pg_init_retries", "5"];
        assert_eq!(check(&list(&[pair; 5].concat())), Err(Refused::TooMany(10)));
        let added = |added| Err(Refused::NoRoom { added });
        assert_eq!(check(&list(&[pair; 4].concat())), added("queue_if_no_path"));
        let seven = [&[pair; 3].concat()[..], &["RETAIN_attached_hw_handler"]].concat();
        assert_eq!(check(&list(&seven)), Ok(None));
        // what multipathd removes leaves room
        let own = ["queue_if_no_path", "retain_attached_hw_handler"];
        assert_eq!(check(&list(&[&seven[..], &own].concat())), Ok(None));
        assert_eq!(
            check(&list(&[&own[..], &own, &[pair; 3].concat()].concat())),
            Ok(None)
        );
        let upper = [&seven[..], &["QUEUE_IF_NO_PATH"]].concat();
        assert_eq!(check(&list(&upper)), added("queue_if_no_path"));
        let bio = ["RETAIN_attached_hw_handler", "Queue_Mode", "bio"];
        let bio = [&[pair; 2].concat()[..], &bio].concat();
        assert_eq!(check(&list(&bio)), added("queue_mode bio"));
    }

    #[test]
    fn what_multipathd_does_not_recognize() {
        let queue = |word: &str| Ok(Some(Unnoticed::Queue(word.to_owned())));
        assert_eq!(check("1 QUEUE_IF_NO_PATH"), queue("QUEUE_IF_NO_PATH"));
        assert_eq!(
            check("2 queue_if_no_path Queue_If_No_Path"),
            queue("Queue_If_No_Path")
        );
        let mode = Ok(Some(Unnoticed::QueueMode("BIO".to_owned())));
        assert_eq!(check("2 queue_mode BIO"), mode);
    }
}
