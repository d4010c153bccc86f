package PVE::Multipath::Clock;

# Time for deadlines and intervals: seconds that keep counting when the system's clock is set.

use v5.36;

use Exporter qw(import);
use Time::HiRes qw(CLOCK_MONOTONIC);

our @EXPORT_OK = qw(monotonic);

sub monotonic() {
    return Time::HiRes::clock_gettime(CLOCK_MONOTONIC);
}

1;
