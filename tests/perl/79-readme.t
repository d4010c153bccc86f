#!/usr/bin/perl

# The commands in the documentation work as described.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use MultipathTest qw($root slurp cli);

chdir($root) or die "cannot enter '$root' - $!\n";

my $text = join('', map { slurp($_) } 'README.md', 'CONTRIBUTING.md', glob('docs/*.md'));
my @typed = map { m/^ *(.+?)(?: +#.*)?$/mg } $text =~ m/^ *```sh\n(.*?)^ *```$/msg;

# --- on recordings: they work here ---

my $try = tempdir(CLEANUP => 1);
my @recorded = map { s!/tmp/try!$try!r } grep { m/^pvemultipath .*--replay / } @typed;
cmp_ok(scalar(@recorded), '>=', 5, 'commands to try');
for my $command (@recorded) {
    my (undef, @args) = split(/ /, $command);
    my $res = cli(\@args);
    cmp_ok($res->{code}, '<', 3, $command);
    is($res->{err}, '', 'without complaints');
}

# --- on a cluster: there are such commands ---

my @named = grep { m/^pvemultipath / } @typed, $text =~ m/`(pvemultipath [a-z][^`]*)`/g;
for my $command (sort keys { map { $_ => 1 } @named }->%*) {
    my (undef, @args) = split(/ /, $command =~ s!/tmp/try!$try!r);
    next if $args[0] eq 'help';
    is(cli([@args, '--help'])->{code}, 0, "$command: its options are known");
}

done_testing();
