#!/usr/bin/perl

# What bash completes after 'pvemultipath'.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use MultipathTest qw($root slurp);

plan skip_all => 'there is no bash' if !-x '/bin/bash';

# The candidates for the last of these words.
my sub completed(@words) {
    my $script = <<'SH';
. "$1"; shift
pvemultipath() { "$PERL" "$PROGRAM" "$@"; }
COMP_WORDS=(pvemultipath "$@") COMP_CWORD=$#
_pvemultipath
printf '%s\n' "${COMPREPLY[@]}"
SH
    local @ENV{qw(PERL PROGRAM)} = ($^X, "$root/perl/bin/pvemultipath");
    open(my $fh, '-|', '/bin/bash', '-c', $script, 'bash', "$root/perl/bash-completion/pvemultipath", @words)
        or die "cannot execute bash - $!\n";
    my @found = <$fh>;
    chomp @found;
    return [grep { length } @found];
}

my %commands = map { $_ => 1 } slurp("$root/perl/PVE/Multipath/CLI.pm") =~ m/^    '?([a-z-]+)(?: \w+)?'? => \{/mg;
is_deeply(completed(''), [sort('help', keys %commands)], 'all commands that there are');
is_deeply(completed('re'), ['record'], 'those that begin so');
is_deeply(completed('wwid', ''), [qw(add remove set)], 'what can be done to a WWID');
is_deeply(completed('plan', '--out'), ['--output-format'], 'options');
is_deeply(completed('plan', '--output-format', 'json'), [qw(json json-pretty)], 'formats');
is_deeply([map { s!.*/!!r } completed('status', '--replay', "$root/fixtures/re")->@*], ['replay'], 'folders');

done_testing();
