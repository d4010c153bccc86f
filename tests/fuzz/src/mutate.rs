//! Random changes of texts, most of which keep to lines and words.

use std::collections::BTreeSet;

/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    /// The next number.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below this one, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// One of these, of which there is at least one.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// What texts are made of.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Whole texts, at least one.
    pub texts: Vec<Vec<u8>>,
    /// Words, and single characters that mean something.
    pub words: Vec<Vec<u8>>,
}

impl Pool {
    /// From texts, with further words.
    pub fn new(texts: Vec<Vec<u8>>, words: &str) -> Self {
        let of_texts = texts.iter().flat_map(|text| {
            let ends = ends(text, false);
            let words = ends.windows(2).map(|ends| text[ends[0]..ends[1]].to_vec());
            words.collect::<Vec<_>>()
        });
        let words = words.split(' ').map(|word| word.as_bytes().to_vec());
        let words: BTreeSet<Vec<u8>> = of_texts.chain(words).collect();
        Self {
            texts,
            words: words.into_iter().filter(|word| word.len() < 80).collect(),
        }
    }
}

/// Where lines or words end, the beginning included. A word is a run of letters and the like, or one
/// other byte.
fn ends(text: &[u8], lines: bool) -> Vec<usize> {
    let in_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    let is_end = |at: &usize| match (text.get(at - 1), text.get(*at)) {
        (Some(before), Some(_)) if lines => *before == b'\n',
        (Some(before), Some(after)) => !in_word(*before) || !in_word(*after),
        _ => true,
    };
    std::iter::once(0)
        .chain((1..=text.len()).filter(is_end))
        .collect()
}

/// Some lines or words of a text in a row, as a range of bytes.
fn some(text: &[u8], lines: bool, rng: &mut Rng) -> std::ops::Range<usize> {
    let ends = ends(text, lines);
    let first = rng.below(ends.len());
    let last = (first + 1 + rng.below(4) * rng.below(3)).min(ends.len() - 1);
    ends[first]..ends[last]
}

/// A number of any size, with a liking for the edges of types.
fn number(rng: &mut Rng) -> String {
    let power = 1_u128 << rng.pick(&[1, 2, 3, 4, 8, 15, 16, 29, 30, 31, 32, 33, 63, 64]);
    let any = u128::from(rng.next()) % power;
    match rng.below(8) {
        0 => rng.below(12).to_string(),
        1 => power.to_string(),
        2 => (power - 1).to_string(),
        3 => (power / 3).to_string(),
        4 => format!("-{any}"),
        5 => format!("0{any}"),
        _ => any.to_string(),
    }
}

/// Makes a few changes.
pub fn mutate(text: &mut Vec<u8>, pool: &Pool, rng: &mut Rng) {
    for _ in 0..=rng.below(4) {
        let lines = rng.below(2) == 0;
        let mut place = some(text, lines, rng);
        let mut new = match rng.below(12) {
            0 => Vec::new(),
            1 => text[some(text, lines, rng)].to_vec(),
            2..5 => {
                let other = rng.pick(&pool.texts);
                other[some(other, lines, rng)].to_vec()
            }
            5 => vec![rng.below(256) as u8; 1 + rng.below(4) * rng.below(400)],
            6..8 => number(rng).into_bytes(),
            _ => rng.pick(&pool.words).clone(),
        };
        if !lines {
            match rng.below(8) {
                0 => new = [b"\"", &new[..], b"\""].concat(),
                1 => new.push(b' '),
                _ => {}
            }
        }
        if rng.below(3) == 0 {
            place.end = place.start; // beside what is there
        }
        text.splice(place, new);
    }
}
