//! The processor time that something takes.

use std::time::Duration;

/// The processor time of this program so far, in hundredths of a second: a busy machine does not
/// matter to it.
fn ticks() -> u32 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split(' ');
    let times = fields.skip(12).take(2); // user and system, proc(5)
    times.filter_map(|time| time.parse::<u32>().ok()).sum()
}

/// The mean time of so many runs that it can be told.
pub(crate) fn mean_time<T>(mut run: impl FnMut() -> T) -> Duration {
    let start = ticks();
    let mut runs = 0;
    loop {
        std::hint::black_box(run());
        runs += 1;
        let passed = ticks().saturating_sub(start);
        if passed >= 30 {
            return Duration::from_millis(10) * passed / runs;
        }
    }
}
