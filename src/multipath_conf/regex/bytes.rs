//! Sets of bytes.

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes([u64; 4]);

impl Bytes {
    /// The set of one byte.
    pub(super) fn of(byte: u8) -> Self {
        let mut set = Self::default();
        set.insert(byte);
        set
    }

    /// What `.` matches: anything but NUL, which no text contains.
    pub(super) fn any() -> Self {
        Self::default().inverted()
    }

    /// The members of a character class in the locale "C".
    pub(super) fn class(name: &[u8]) -> Option<Self> {
        let is_member: fn(&u8) -> bool = match name {
            b"alnum" => u8::is_ascii_alphanumeric,
            b"alpha" => u8::is_ascii_alphabetic,
            b"blank" => |byte| matches!(byte, b' ' | b'\t'),
            b"cntrl" => u8::is_ascii_control,
            b"digit" => u8::is_ascii_digit,
            b"graph" => u8::is_ascii_graphic,
            b"lower" => u8::is_ascii_lowercase,
            b"print" => |byte| matches!(byte, b' '..=b'~'),
            b"punct" => u8::is_ascii_punctuation,
            b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
            b"upper" => u8::is_ascii_uppercase,
            b"xdigit" => u8::is_ascii_hexdigit,
            _ => return None,
        };
        Some((1..=u8::MAX).filter(is_member).collect())
    }

    /// What `\w` matches.
    pub(super) fn word() -> Self {
        let is_member = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        (1..=u8::MAX).filter(is_member).collect()
    }

    pub(super) fn insert(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte / 64)) {
            *word |= 1 << (byte % 64);
        }
    }

    pub(super) fn contains(self, byte: u8) -> bool {
        (self.word_at(usize::from(byte / 64)) >> (byte % 64)) & 1 == 1
    }

    /// The members in ascending order.
    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        (0..4_u8).zip(self.0).flat_map(|(at, mut word)| {
            std::iter::from_fn(move || {
                let bit = u8::try_from(word.trailing_zeros()).ok()?;
                word &= word.checked_sub(1)?;
                Some(at * 64 + bit)
            })
        })
    }

    /// The member, if there is exactly one.
    pub(super) fn only(self) -> Option<u8> {
        let count: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        self.iter().next().filter(|_| count == 1)
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| {
            self.word_at(at) | other.word_at(at)
        }))
    }

    /// All other bytes but NUL.
    pub(super) fn inverted(self) -> Self {
        let mut words = self.0.map(|word| !word);
        if let Some(word) = words.first_mut() {
            *word &= !1;
        }
        Self(words)
    }

    /// Bytes of which the previous byte differs in membership.
    pub(super) fn edges(self) -> Self {
        Self(std::array::from_fn(|at| {
            let carried = at.checked_sub(1).map_or(0, |before| self.word_at(before)) >> 63;
            self.word_at(at) ^ ((self.word_at(at) << 1) | carried)
        }))
    }

    fn word_at(self, at: usize) -> u64 {
        self.0.get(at).copied().unwrap_or_default()
    }
}

impl FromIterator<u8> for Bytes {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> Self {
        let mut set = Self::default();
        bytes.into_iter().for_each(|byte| set.insert(byte));
        set
    }
}
