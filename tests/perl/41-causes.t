#!/usr/bin/perl

# A lost port from the paths of a node to the status: the ends of paths are remembered, so the cause is known
# when the session is lost and also when its paths are gone. When a state began survives a restart.

use v5.36;

our $now;

BEGIN {
    $now = 1_000_000;
    *CORE::GLOBAL::time = sub() { return $main::now };
}

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use MultipathTest qw($replay slurp spew from_json stub warnings_of);
use PVE::Multipath;

MultipathTest::Cluster::install();

# The recording has two LUNs with a path through each of two sessions; that of sdc and sdd is lost.
my $recorded = "$replay/standalone-iscsi/nodes/pve";
my $lost = slurp("$recorded/multipathd/show-maps-json.out");
my @wwids = qw(360014051111222033334444555500000 360014051111222133334444555500000);
my $dir = tempdir(CLEANUP => 1);
my $sys = "$dir/sys";
system('cp', '-a', "$recorded/sys", $sys) == 0 or die "cp failed\n";
for my $session (1, 2) {
    my $connection = "$sys/class/iscsi_connection/connection$session:0";
    PVE::Multipath::File::make_directory($connection);
    spew("$connection/persistent_address", "127.0.0.$session\n");
    spew("$connection/persistent_port", "3260\n");
}

my $out = stub();
local $PVE::Multipath::Node::SYSFS = $sys;
local $PVE::Multipath::Node::RUN_DIR = "$dir/run";
local $PVE::Multipath::Node::PATHS_FILE = "$dir/paths.json";
local $PVE::Multipath::Node::MULTIPATH = stub('exit 0');
local $PVE::Multipath::Node::MULTIPATHD = stub("cat $out");

my $name = PVE::Multipath::Source->live()->nodename();

# What the node publishes when multipathd answers this; undef if nothing.
my sub report_of($reply) {
    spew($out, $reply);
    my ($res, @warnings) = warnings_of(sub { PVE::Multipath::broadcast_health() });
    is_deeply(\@warnings, [], 'no warning');
    my ($sent) = MultipathTest::Cluster::take();
    $MultipathTest::Cluster::kv{multipath} = { $name => $sent->[1] } if $sent;
    return $sent ? from_json($sent->[1]) : undef;
}

my $well = $lost =~ s/"failed"/"active"/gr =~ s/"host_adapter" : "\[undef\]"/"host_adapter" : "127.0.0.1"/gr;
my $report = report_of($well);
is_deeply($report->{causes}, undef, 'no path is lost: no cause');
is($report->{maps}->{$wwids[0]}->{since}, undef, 'when it began is not known');

# a restart
$PVE::Multipath::State::current = PVE::Multipath::State->new();
$now += 60;
$report = report_of($lost);
my $port = '127.0.0.2:3260 iqn.2003-01.org.linux-iscsi.mplab:t1';
my $array = { vendor => 'LIO-ORG', product => 'FILEIO', wwnn => 'iqn.2003-01.org.linux-iscsi.mplab:t1' };
my $causes = [{ target => $port, array => $array, paths => 2 }];
is_deeply($report->{causes}, $causes, 'a session is lost: its portal');
my $began = $now;
is_deeply(
    [map { $_->@{qw(state since causes)} } $report->{maps}->@{@wwids}],
    [('degraded', $began, [0]) x 2],
    'of both LUNs',
);

# another restart, after which the paths are removed
$PVE::Multipath::State::current = PVE::Multipath::State->new();
$now += 60;
is(report_of($lost)->{maps}->{$wwids[0]}->{since}, $began, 'a restart does not change when the state began');
# the number of paths that should be there is learned in five minutes
for (1 .. 6) {
    $now += 60;
    report_of($well);
}
$now += 60;
# of one map, the path has a group of its own and stays
my $gone = $lost =~ s/\},\{\s*"dev" : "sd[cd]",[^{}]*\}/}/gr;
$report = report_of($gone);
is_deeply(
    [map { $_->@{qw(state paths-total causes)} } $report->{maps}->@{@wwids}],
    ['degraded', 1, [0], 'degraded', 2, [0]],
    'a path is gone, another one has failed',
);
is_deeply($report->{causes}, $causes, 'for the same cause');

my $status = PVE::Multipath::cluster_status({
    kv => $MultipathTest::Cluster::kv{multipath},
    now => $now,
    config => { ids => {} },
});
is(scalar($status->{causes}->@*), 1, 'one cause in the status');
is(
    $status->{causes}->[0]->{text},
    "$name: target port $port is lost: 2 LUNs have 1 of 2 paths",
    'as a sentence',
);
is_deeply($status->{luns}->[0]->{nodes}->{$name}->{causes}, [0], 'that the cells refer to');
is($status->{luns}->[0]->{nodes}->{$name}->{since}, $now, 'with the time');
is($status->{'node-info'}->{$name}->{multipathd}, 'running', 'beside what the node says of itself');

done_testing();
