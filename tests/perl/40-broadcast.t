#!/usr/bin/perl

# Reports of a node: a change is sent at once, the same report after a minute, an empty one without maps,
# and none if the maps are unknown. The recorded reports of the replay folders match the recorded replies.

use v5.36;

# before anything else takes hold of the real one
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

my $out = stub();
local $PVE::Multipath::Node::PATHS_FILE = stub();
local $PVE::Multipath::Node::SYSFS = "$replay/three-nodes/nodes/pve1/sys";
local $PVE::Multipath::Node::MULTIPATH = stub();
local $PVE::Multipath::Node::MULTIPATHD = stub();

my sub reply_of($node) {
    spew($out, slurp("$replay/three-nodes/nodes/$node/multipathd/show-maps-json.out"));
}

my sub broadcast() {
    my ($res, @warnings) = warnings_of(sub { PVE::Multipath::broadcast_health() });
    return ([MultipathTest::Cluster::take()], \@warnings);
}

my sub nothing_sent($what) {
    my ($sent, $warnings) = broadcast();
    is_deeply([$sent, $warnings], [[], []], $what);
}

my sub node(%more) {
    return { version => PVE::RS::Multipath::version(), %more };
}

my sub empty_report($what, %node) {
    my ($sent, $warnings) = broadcast();
    is_deeply(
        [map { $_->[0], from_json($_->[1]) } @$sent],
        ['multipath', { maps => {}, node => node(%node), time => $now }],
        $what,
    );
    is_deeply($warnings, [], 'without a warning');
}

# --- without multipath-tools ---

empty_report('no multipath-tools: an empty report, since the node is there', multipathd => 'not-installed');
$now += 59;
nothing_sent('refreshed like any other');
$now += 1;
empty_report('after 60 s', multipathd => 'not-installed');
$now += 1;

$PVE::Multipath::Node::MULTIPATH = stub('exit 0');
$PVE::Multipath::Node::MULTIPATHD = stub("cat $out");

# --- send, skip, refresh ---

reply_of('pve1');
my ($sent, $warnings) = broadcast();
is(scalar(@$sent), 1, 'the first is sent');
is($sent->[0]->[0], 'multipath', 'under its key');
my $value = from_json($sent->[0]->[1]);
is($value->{time}, $now, 'with the time');
is(scalar(keys $value->{maps}->%*), 5, 'and the maps');
is_deeply(
    $value->{maps}->{'35000c50000000d01'},
    {
        state => 'optimal',
        'paths-active' => 2,
        'paths-total' => 2,
        size => 327680 * 512,
        name => 'mpathe',
        'write-protected' => 0,
        since => $now,
    },
    'in the form that peers know, and when it began',
);

$now += 10;
nothing_sent('the same after 10 s is not');
$now += 49;
nothing_sent('nor after 59 s');
{
    local $PVE::Multipath::State::current = PVE::Multipath::State->new();
    ($sent) = broadcast();
    is(scalar(@$sent), 1, 'another process does not know what was sent');
}
$now += 1;
($sent) = broadcast();
is(scalar(@$sent), 1, 'but after 60 s');
is(from_json($sent->[0]->[1])->{time}, $now, 'with the new time');

$now += 1;
reply_of('pve2');
($sent) = broadcast();
is(scalar(@$sent), 1, 'a change is sent at once');
is(
    from_json($sent->[0]->[1])->{maps}->{'35000c50000000b01'}->{state}, 'degraded',
    'with the new state',
);

# --- failures leave the key alone ---

{
    my $before = from_json($sent->[0]->[1]);
    local $PVE::Multipath::Node::MULTIPATHD = stub('echo nothing >&2; exit 1');
    $now += 100;
    ($sent, $warnings) = broadcast();
    is_deeply(
        [map { $_->[0], from_json($_->[1]) } @$sent],
        ['multipath', { %$before, node => node(multipathd => 'stopped', time => $now) }],
        'multipathd does not answer: the last maps with their time, and why',
    );
    is(scalar(@$warnings), 1, 'with a warning');
    like($warnings->[0], qr/^cannot get the health of multipath maps: no answer/, 'with the reason');
    $now += 10;
    nothing_sent('the same complaint is not repeated each 10 s');
    local $PVE::Multipath::COMPLAINT_INTERVAL = 0;
    ($sent, $warnings) = broadcast();
    is(scalar(@$warnings), 1, 'but now and then');
}
($sent) = broadcast();
is(scalar(@$sent), 1, 'then it goes on');

# a failed send is not taken for a sent one
$now += 60;
$MultipathTest::Cluster::fail = "no quorum\n";
eval { PVE::Multipath::broadcast_health() };
is($@, "no quorum\n", 'an error of the key-value store gets through');
$MultipathTest::Cluster::fail = undef;
($sent) = broadcast();
is(scalar(@$sent), 1, 'and the text is sent the next time');

{
    local $MultipathTest::Cluster::warn = "ipcc_send_rec[4] failed: Connection refused\n";
    $now += 60;
    ($sent, $warnings) = broadcast();
    is_deeply(
        $warnings,
        ["cannot publish the health of multipath maps: $MultipathTest::Cluster::warn"],
        'pmxcfs does not run: a warning',
    );
    $now += 10;
    nothing_sent('which is not repeated each 10 s');
    my (undef, @apply) = warnings_of(sub {
        PVE::Multipath::broadcast_apply_status('no') for 1 .. 2;
    });
    is(scalar(@apply), 1, 'the apply status: a warning, once');
    like($apply[0], qr/^cannot publish whether the .* was applied: ipcc_send_rec/, 'with the reason');
}
($sent) = broadcast();
is(scalar(@$sent), 1, 'once it runs again, the text is sent at once');

# --- pmxcfs is started anew ---

{
    my $pmxcfs = tempdir(CLEANUP => 1);
    local $PVE::Multipath::Source::PMXCFS = $pmxcfs;
    # shortened from a real one
    spew("$pmxcfs/.version", qq({\n"starttime": 1795284101,\n"clinfo": 4,\n"vmlist": 1\n}\n));
    broadcast();
    $now += 10;
    nothing_sent('the same pmxcfs');
    spew("$pmxcfs/.version", qq({\n"starttime": 1795284111,\n"clinfo": 1,\n"vmlist": 1\n}\n));
    ($sent) = broadcast();
    is(scalar(@$sent), 1, 'a new one has lost what it was sent, so it is sent again');
    nothing_sent('once');
}

# --- no maps ---

spew($out, slurp("$replay/silent-node/nodes/pve3/multipathd/show-maps-json.out"));
$now += 1;
empty_report('no maps: an empty report at once', multipathd => 'running', remembers => 5);
nothing_sent('once');
$now += 60;
empty_report('and again after 60 s', multipathd => 'running', remembers => 5);
reply_of('pve1');
($sent) = broadcast();
is(scalar(@$sent), 1, 'maps that come back are sent at once');

# --- apply status ---

PVE::Multipath::broadcast_apply_status("writing failed: disk full\n");
my ($first) = MultipathTest::Cluster::take();
is($first->[0], 'multipath-apply', 'the apply status has a key of its own');
is_deeply(
    from_json($first->[1]), { error => 'writing failed: disk full', time => $now },
    'error and time',
);
PVE::Multipath::broadcast_apply_status("K\x{fc}rzel \x{263a}");
($first) = MultipathTest::Cluster::take();
is(from_json($first->[1])->{error}, "K\x{fc}rzel \x{263a}", 'characters come through');
ok(!utf8::is_utf8($first->[1]), 'as bytes');
PVE::Multipath::broadcast_apply_status("bytes: \xc3\xbc");
($first) = MultipathTest::Cluster::take();
is(from_json($first->[1])->{error}, "bytes: \x{fc}", 'and so do bytes');
for my $args ([undef], []) {
    PVE::Multipath::broadcast_apply_status(@$args);
    is_deeply([MultipathTest::Cluster::take()], [['multipath-apply', undef]], 'success clears it');
}

# --- the recorded broadcasts ---

my $recorded = 0;
for my $file (glob("$replay/*/kv/multipath/*")) {
    my ($dir, $node) = $file =~ m!^(.*)/kv/multipath/([^/]+)$!;
    my $maps = PVE::Multipath::get_maps(PVE::Multipath::Node->replay($dir, $node));
    my $value = from_json(slurp($file));
    my $summary = PVE::Multipath::summarize_maps_for_broadcast($maps);
    is_deeply($value->{maps}, $summary, "$file is the summary of the recorded maps");

    my $res = PVE::RS::Multipath::Broadcast::health($maps, { now => $value->{time} });
    is_deeply($res, [{ key => 'multipath', text => slurp($file) }], 'byte for byte');
    $recorded++;
}
is($recorded, 9, 'all of them');

# Numbers by hand, from the kernel's tables: states, active paths, all paths, size in sectors.
for (
    ['three-nodes', 'pve1', 'b01', 'optimal', 4, 4, 196608],
    ['three-nodes', 'pve2', 'b01', 'degraded', 1, 4, 196608],
    ['three-nodes', 'pve2', 'c01', 'optimal', 8, 8, 262144],
    ['three-nodes', 'pve3', 'f01', 'failed', 0, 2, 98304],
    ['silent-node', 'pve1', 'c01', 'degraded', 4, 8, 262144],
    ['silent-node', 'pve2', 'd01', 'failed', 0, 0, 327680],
) {
    my ($folder, $node, $lun, $state, $active, $total, $sectors) = @$_;
    my $value = from_json(slurp("$replay/$folder/kv/multipath/$node"));
    my $entry = $value->{maps}->{"35000c50000000$lun"};
    is_deeply(
        [$entry->@{qw(state paths-active paths-total size)}],
        [$state, $active, $total, $sectors * 512],
        "$folder/$node/$lun",
    );
}

is_deeply(PVE::Multipath::summarize_maps_for_broadcast(undef), {}, 'no list of maps');
is($PVE::Multipath::KV_STALE_SECONDS, 180, 'three refresh intervals');

done_testing();
