#!/usr/bin/perl

# Daemons run for months: the process does not grow, neither by calls that succeed nor by calls that fail.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use MultipathTest qw($replay slurp stub);
use PVE::Multipath;

plan skip_all => 'no /proc/self/statm' if !-r '/proc/self/statm';
plan skip_all => 'valgrind keeps memory' if ($ENV{LD_PRELOAD} // '') =~ m/valgrind|vgpreload/;

# Resident memory in KiB; pages are 4 KiB or more.
my sub resident() {
    return 4 * (split(/ /, slurp('/proc/self/statm')))[1];
}

my $CALLS = 1_000_000;

# One that leaks as little as a scalar per call grows by dozens of MiB.
my $MOST_KIB = 4 * 1024;

# $calls of $code after as many as it takes to fill caches; larger work is done less often, as far
# as every call would show in the result all the same.
my sub does_not_grow($what, $calls, $code) {
    $code->() for 1 .. $calls / 10;
    my $before = resident();
    $code->() for 1 .. $calls;
    my $grown = resident() - $before;
    cmp_ok($grown, '<', $MOST_KIB, "$what: $calls calls");
    return;
}

my $map = '{"name":"a","uuid":"3600a","sysfs":"dm-1","dm_st":"active","path_groups":[]}';
my $json = qq({"major_version":0,"minor_version":1,"maps":[$map]});
my $bad_json = qq({"maps":[{"name":"x"}, $map]});

my $text = '{"maps":{"3600a":{"state":"optimal","paths-active":2,"paths-total":2}},"time":1000}';
my $summary_maps = PVE::Multipath::parse_maps_json($json);
my $status_args = {
    kv => { pve1 => $text },
    'apply-kv' => { pve1 => '{"error":"x","time":1}' },
    members => { pve1 => { online => 1 } },
    now => 1010,
    expectations => PVE::Multipath::storage_expectations({}, ['pve1']),
    config => { ids => { '3600a' => { type => 'wwid', alias => 'x' } } },
};
my $hostile_args = { %$status_args, kv => { pve1 => '{"maps":[', pve2 => "\xff", "\e" => $text } };
my $ids = { san => { type => 'multipath' }, vg => { type => 'lvm', base => 'san:3600a' } };
my $reply = { 'exit-code' => 1, stdout => "timeout\n", stderr => 'x', 'timed-out' => 0 };
my $cyclic = {};
$cyclic->{maps} = $cyclic;

local $SIG{__WARN__} = sub { };

does_not_grow('a trivial function', $CALLS, sub { PVE::RS::Multipath::version() });
does_not_grow('an error', $CALLS, sub { eval { PVE::Multipath::parse_maps_json('x') } });
does_not_grow('maps', $CALLS / 10, sub { PVE::Multipath::parse_maps_json($json) });
does_not_grow('an odd map', $CALLS / 10, sub { PVE::Multipath::parse_maps_json($bad_json) });
does_not_grow('characters for bytes', $CALLS / 10, sub {
    my $characters = $json;
    utf8::upgrade($characters);
    PVE::Multipath::parse_maps_json($characters);
});
does_not_grow('a refused reply', $CALLS / 10, sub {
    eval {
        PVE::RS::Multipath::Maps::parse_reply({
            reply => $reply,
            block => { links => {}, sizes => {}, holders => {} },
        });
    };
    PVE::RS::Multipath::Maps::read($reply);
});
my $maps_reply = { 'exit-code' => 0, stdout => $json };
my $sysfs = { links => {}, sizes => {}, holders => {} };
does_not_grow('a reporter', $CALLS / 10, sub {
    my $reporter = PVE::RS::Multipath::Reporter->new();
    $reporter->read($_) for $reply, $maps_reply;
    $reporter->report({ sysfs => $sysfs, memory => undef, known => { now => 1 } });
    $reporter->remember(undef);
});
my $reporter = PVE::RS::Multipath::Reporter->new();
my $passes = 0;
does_not_grow('passes of one reporter', $CALLS / 10, sub {
    $reporter->read($maps_reply);
    $reporter->report({ sysfs => $sysfs, memory => undef, known => { now => 60 * ++$passes } });
});
does_not_grow('a summary', $CALLS / 10, sub {
    PVE::Multipath::summarize_maps_for_broadcast($summary_maps);
});
does_not_grow('a broadcast', $CALLS / 10, sub {
    PVE::RS::Multipath::Broadcast::health(
        $summary_maps, { now => 1000, 'last-text' => $text, 'last-time' => 990 },
    );
});
does_not_grow('the status', $CALLS / 10, sub { PVE::Multipath::cluster_status($status_args) });
does_not_grow('the status as JSON', $CALLS / 10, sub {
    PVE::Multipath::cluster_status_json($status_args);
});
does_not_grow('of hostile texts', $CALLS / 10, sub {
    PVE::Multipath::cluster_status($hostile_args);
});
does_not_grow('decoded broadcasts', $CALLS / 20, sub {
    PVE::Multipath::aggregate_cluster_status(
        ['3600a'], {}, {}, { a => { maps => { '3600a' => { state => 'failed' } } } },
        { a => 1 }, {},
    );
});
does_not_grow('hostile decoded ones', $CALLS / 50, sub {
    PVE::Multipath::aggregate_cluster_status(['3600a'], {}, {}, { a => $cyclic }, { a => 1 }, {});
});
does_not_grow('arguments of a wrong type', $CALLS / 10, sub {
    eval { PVE::RS::Multipath::Cluster->new()->status('x') };
    eval { &PVE::RS::Multipath::Maps::parse_reply() }; # past the prototype
});
does_not_grow('expectations', $CALLS / 10, sub {
    PVE::Multipath::storage_expectations($ids, ['pve1']);
});
does_not_grow('a refused WWID', $CALLS / 10, sub { eval { PVE::Multipath::add_wwid('-x') } });

my $true = stub('exit 0');
does_not_grow('programs', 1000, sub { PVE::Multipath::Command::run([$true]) });
my $node = PVE::Multipath::Node->replay("$replay/three-nodes", 'pve1');
does_not_grow('a replayed node', 1000, sub { PVE::Multipath::get_maps($node) });

delete $cyclic->{maps};

done_testing();
