#!/usr/bin/perl

# The daemon for nodes whose pvestatd does not apply the configuration: its rounds, that an error does not
# prevent the next round, and that it is not started where pvestatd does its work.

use v5.36;

our ($now, $step, @rounds);

BEGIN {
    ($now, $step) = (1_000_000, 1);
    *CORE::GLOBAL::time = sub() { return $main::now };
    *CORE::GLOBAL::sleep = sub($) { $main::now += $main::step };
}

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/lib/double";

use File::Temp qw(tempdir);
use Test::More;

use MultipathTest qw($root slurp spew);
use PVE::SafeSyslog;
use PVE::Service::pvemultipathd;

my $daemon = bless {}, 'PVE::Service::pvemultipathd';
my $end_at;

no warnings qw(once redefine);
local *PVE::Cluster::cfs_update = sub($fail) { push @rounds, [$now]; die "no pmxcfs\n" };
local *PVE::Multipath::Generator::sync = sub() { push $rounds[-1]->@*, 'sync' };
local *PVE::Multipath::broadcast_health = sub() {
    push $rounds[-1]->@*, 'health';
    $daemon->hup() if @rounds == $end_at;
    die "no health: 100%\n";
};

$end_at = 3;
is(eval { $daemon->run(); 1 }, undef, 'it runs until it is told to restart');
is($@, "restarted\n", 'which it does at once');
is_deeply(
    \@rounds,
    [[1_000_000, 'sync', 'health'], [1_000_010, 'sync', 'health'], [1_000_020, 'sync', 'health']],
    'a round every 10 seconds, despite errors',
);
is_deeply(
    \@PVE::SafeSyslog::logged,
    ["err: reading the cluster state: no pmxcfs\n",
        "err: publishing the health of multipath maps: no health: 100%\n"],
    'what fails is logged, once',
);
is(eval { $daemon->shutdown(); 1 }, undef, 'it can be stopped');
is($@, "ended with 0\n", 'with exit code 0');

# --- what it prints ---

# PVE::CLIHandler also hands over the schema and the options
my $print = $PVE::Service::pvemultipathd::cmddef->{status}->[4];
my $printed = '';
{
    open(my $fh, '>', \$printed);
    my $stdout = select($fh);
    eval { $print->('running', { type => 'string' }, {}) };
    select($stdout);
}
is($printed, "running\n", 'its status');

# --- where pvestatd does it ---

my $unit = slurp("$root/debian/libpve-multipath-perl.pvemultipathd.service");
my ($condition) = $unit =~ m/^ExecCondition=(.*)$/m;
my $dir = tempdir(CLEANUP => 1);
$condition =~ s!/usr/share/perl5!$dir!g;
is(system($condition), 0, 'without a pvestatd, it is started');
mkdir("$dir/PVE");
mkdir("$dir/PVE/Service");
spew("$dir/PVE/Service/pvestatd.pm", "PVE::Cluster::cfs_update();\n");
is(system($condition), 0, 'with a stock one as well');
spew(
    "$dir/PVE/Service/pvestatd.pm",
    "eval { PVE::Multipath::Generator::sync(); PVE::Multipath::broadcast_health(); };\n",
);
isnt(system($condition), 0, 'but not with one that does the same');

done_testing();
