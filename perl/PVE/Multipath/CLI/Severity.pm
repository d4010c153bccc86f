package PVE::Multipath::CLI::Severity;

# Lists of { severity => 'error' | 'warning', ... }: counts, colours and the exit code.

use v5.36;

use Exporter qw(import);

use PVE::Multipath::CLI::Output qw(plural);
use PVE::Multipath::Text qw(color);

our @EXPORT_OK = qw(severity_color severity_counts severity_exit_code);

my $EXIT_NOTHING = 0;
my $EXIT_WARNINGS = 1;
my $EXIT_ERRORS = 2;

my $colors_like = { error => 'failed', warning => 'degraded' };

sub severity_color($text, $severity, $colored) {
    return color($text, $colors_like->{$severity}, $colored);
}

# '2 errors, 1 warning'; '' for an empty list.
sub severity_counts($found) {
    my %count = (error => 0, warning => 0);
    $count{ $_->{severity} }++ for @$found;
    return join(', ', map { $count{$_} ? plural($count{$_}, $_) : () } qw(error warning));
}

sub severity_exit_code($found) {
    return $EXIT_ERRORS if grep { $_->{severity} eq 'error' } @$found;
    return @$found ? $EXIT_WARNINGS : $EXIT_NOTHING;
}

1;
