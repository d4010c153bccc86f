#!/usr/bin/perl

# The cluster's matrix through the Perl functions: matrices of the replay folders, derived by hand from the
# kernel's tables in the recordings and the rules; hostile reports; expectations from storage.cfg.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use MultipathTest qw($replay from_json slurp warnings_of copy_tree spew);
use PVE::Multipath;

# A row as [cluster-state, { node => 'state active/total' }].
my sub rows($luns) {
    my $cell = sub($cell) {
        return $cell->{state} if !defined($cell->{'paths-total'});
        return "$cell->{state} $cell->{'paths-active'}/$cell->{'paths-total'}";
    };
    return {
        map {
            my $nodes = $_->{nodes};
            ($_->{wwid} => [
                $_->{'cluster-state'}, { map { $_ => $cell->($nodes->{$_}) } keys %$nodes },
            ]);
        } @$luns
    };
}

my sub status_of($folder) {
    return PVE::Multipath::cluster_status_args(PVE::Multipath::Source->replay("$replay/$folder"));
}

# --- the replay folders ---

my $args = status_of('three-nodes');
my $status = PVE::Multipath::cluster_status($args);
my $rows = rows($status->{luns});

# pve3 fell silent: its cells are unknown and count for nothing
$_->[1]->{pve3} =~ s/^unknown .*/unknown/ for values %$rows;
is_deeply(
    $rows,
    {
        '35000c50000000a01' =>
            ['optimal', { pve1 => 'optimal 2/2', pve2 => 'optimal 2/2', pve3 => 'unknown' }],
        '35000c50000000b01' =>
            ['degraded', { pve1 => 'optimal 4/4', pve2 => 'degraded 1/4', pve3 => 'unknown' }],
        '35000c50000000c01' =>
            ['optimal', { pve1 => 'optimal 8/8', pve2 => 'optimal 8/8', pve3 => 'unknown' }],
        # its storage is not for pve3, but pve3 had named it
        '35000c50000000d01' =>
            ['optimal', { pve1 => 'optimal 2/2', pve2 => 'optimal 2/2', pve3 => 'unknown' }],
        # expected on pve3 as well, where its state is unknown
        '35000c50000000e01' =>
            ['missing', { pve1 => 'missing', pve2 => 'missing', pve3 => 'unknown' }],
        '35000c50000000f01' =>
            ['optimal', { pve1 => 'optimal 2/2', pve2 => 'optimal 2/2', pve3 => 'unknown' }],
    },
    'three-nodes',
);

my %luns = map { $_->{wwid} => $_ } $status->{luns}->@*;
is_deeply(
    [map { $_->{wwid} } $status->{luns}->@*], [sort keys %luns], 'sorted by WWID',
);
is_deeply(
    { map { $luns{$_}->{alias} // '' => 1 } keys %luns },
    { map { $_ => 1 } '', qw(san-a san-b san-d sas-f) },
    'aliases',
);
is_deeply(
    [map { $luns{"35000c50000000${_}01"}->{'used-by'} } qw(a b c d e f)],
    ['vg-a', 'vg-b', undef, 'vglab', undef, undef],
    'storages',
);
is_deeply(
    [map { $luns{"35000c50000000${_}01"}->{size} } qw(a b c d e f)],
    [67108864, 100663296, 134217728, 167772160, undef, 50331648],
    'sizes in bytes',
);
is_deeply(
    $luns{'35000c50000000b01'}->{nodes}->{pve2}->{reasons},
    [{ code => 'path-failed', count => 3, devs => ['sdb', 'sdf', 'sdk'] }],
    'why pve2 is degraded',
);
is_deeply(
    $luns{'35000c50000000a01'}->{nodes}->{pve3}->{reasons},
    [{ code => 'reporter-stale', age => 600 }],
    'why pve3 is unknown',
);
is_deeply(
    $luns{'35000c50000000e01'}->{nodes}->{pve1}->{reasons}, [{ code => 'not-assembled' }],
    'why it is missing',
);
is_deeply(
    $status->{nodes},
    {
        pve2 => {
            'apply-error' => "writing '/etc/multipath/conf.d/pve-defaults.conf' failed:"
                . ' No space left on device',
            'apply-time' => $args->{now} - 45,
        },
    },
    'apply errors',
);
is_deeply(from_json(PVE::Multipath::cluster_status_json($args)), $status, 'the same as JSON');

my $all = { map { $_ => 'missing' } qw(pve1 pve2 pve3) };
is_deeply(
    rows(PVE::Multipath::cluster_status(status_of('silent-node'))->{luns}),
    {
        '35000c50000000a01' =>
            ['missing', { pve1 => 'optimal 2/2', pve2 => 'optimal 2/2', pve3 => 'missing' }],
        '35000c50000000b01' =>
            ['missing', { pve1 => 'optimal 4/4', pve2 => 'optimal 4/4', pve3 => 'missing' }],
        '35000c50000000c01' =>
            ['missing', { pve1 => 'degraded 4/8', pve2 => 'optimal 8/8', pve3 => 'missing' }],
        '35000c50000000d01' => ['failed', { pve1 => 'optimal 2/2', pve2 => 'failed 0/0' }],
        '35000c50000000e01' => ['missing', $all],
        '35000c50000000f01' =>
            ['missing', { pve1 => 'optimal 2/2', pve2 => 'optimal 2/2', pve3 => 'missing' }],
    },
    'silent-node',
);

# pve3 runs an older version, which clears its key where there are no maps
is_deeply(
    PVE::Multipath::cluster_status(status_of('silent-node'))->{luns}->[0]->{nodes}->{pve3},
    { state => 'missing', reasons => [{ code => 'no-report' }] },
    'no report is a reason of its own',
);
{
    my $args = status_of('silent-node');
    $args->{kv}->{pve3} = qq({"maps":{},"time":$args->{now}});
    is_deeply(
        PVE::Multipath::cluster_status($args)->{luns}->[0]->{nodes}->{pve3},
        { state => 'missing', reasons => [{ code => 'not-assembled' }] },
        'an empty one is another',
    );

    # without storages, a node without SAN is expected to carry nothing
    $args->{expectations} = {};
    my $luns = PVE::Multipath::cluster_status($args)->{luns};
    is(scalar(@$luns), 6, 'all LUNs');
    is_deeply([grep { $_->{nodes}->{pve3} } @$luns], [], 'none of them on pve3');

    # it may see anything, if its report cannot be read
    for my $text ('garbage', '{"format":9}', '{"format":2,"values":2,"data":"","sha1":""}') {
        $args->{kv}->{pve3} = $text;
        my $status = PVE::Multipath::cluster_status($args);
        my @states = map { $_->{nodes}->{pve3}->{state} // 'none' } $status->{luns}->@*;
        is_deeply(\@states, [('unknown') x 6], "$text: unknown");
        my $reason = $status->{luns}->[0]->{nodes}->{pve3}->{reasons}->[0];
        is_deeply($status->{nodes}, { pve3 => { 'report-error' => $reason } }, 'and told of');
        is_deeply(from_json(PVE::Multipath::cluster_status_json($args)), $status, 'also as JSON');

        my $alone = { %$args, kv => { pve3 => $text }, config => {} };
        $status = PVE::Multipath::cluster_status($alone);
        is_deeply(
            $status,
            { luns => [], nodes => { pve3 => { 'report-error' => $reason } }, causes => [], 'node-info' => {} },
            'without any LUN as well',
        );
    }
}

is_deeply(
    rows(PVE::Multipath::cluster_status(status_of('standalone-iscsi'))->{luns}),
    {
        map { $_ => ['degraded', { pve => 'degraded 1/2' }] }
            qw(360014051111222033334444555500000 360014051111222133334444555500000)
    },
    'standalone-iscsi',
);

# pve3 goes offline: unknown, and the apply error of a node that is offline does not count
$args = status_of('three-nodes');
$args->{members}->{pve2}->{online} = 0;
$status = PVE::Multipath::cluster_status($args);
($rows, my $nodes) = (rows($status->{luns}), $status->{nodes});
is($rows->{'35000c50000000b01'}->[0], 'optimal', 'a node that is offline does not count');
like($rows->{'35000c50000000b01'}->[1]->{pve2}, qr/^unknown/, 'its cells are unknown');
is_deeply($nodes, {}, 'nor does its apply error');

# --- arguments in other forms ---

for my $args (undef, {}, { kv => undef, members => undef, now => undef, config => undef }) {
    my $status = PVE::Multipath::cluster_status($args);
    is_deeply($status, { luns => [], nodes => {}, causes => [], 'node-info' => {} }, 'no data, no rows');
    is_deeply(from_json(PVE::Multipath::cluster_status_json($args)), $status, 'also as JSON');
}

$args = status_of('three-nodes');
$status = PVE::Multipath::cluster_status($args);
utf8::upgrade($_) for values $args->{kv}->%*;
$args->{kv}->{pve9} = undef;
$args->{now} = "$args->{now}";
$_->{online} = "$_->{online}" for values $args->{members}->%*;
is_deeply(PVE::Multipath::cluster_status($args), $status, 'flagged strings and numbers as text');

# --- decoded broadcasts ---

my sub maps(%states) {
    return {
        maps => {
            map { $_ => { state => $states{$_}, 'paths-active' => 2, 'paths-total' => 2 } }
                keys %states
        },
    };
}

my $online = { a => 1, b => 1, c => 1 };
my $good = maps(W1 => 'optimal');
my $failed = { maps => { W1 => { state => 'failed', 'paths-active' => 0, 'paths-total' => 2 } } };

is_deeply(
    PVE::Multipath::aggregate_cluster_status(
        ['W1', 'W2'], { W1 => 'one' }, { W1 => 'vg' }, { a => $good, b => $failed },
        $online, { W1 => { a => 1, b => 1 } },
    ),
    [
        {
            wwid => 'W1',
            alias => 'one',
            'used-by' => 'vg',
            'cluster-state' => 'failed',
            nodes => {
                a => { state => 'optimal', 'paths-active' => 2, 'paths-total' => 2 },
                b => {
                    state => 'failed',
                    'paths-active' => 0,
                    'paths-total' => 2,
                    reasons => [{ code => 'all-paths-failed', count => 2 }],
                },
            },
        },
        {
            wwid => 'W2',
            'cluster-state' => 'missing',
            nodes => {
                map { $_ => { state => 'missing', reasons => [{ code => 'not-assembled' }] } }
                    qw(a b)
            },
        },
    ],
    'a roll-up of decoded broadcasts',
);
is_deeply(PVE::Multipath::aggregate_cluster_status((undef) x 6), [], 'no arguments at all');

is_deeply(
    PVE::Multipath::aggregate_cluster_status(
        ['W1'], undef, undef,
        {
            a => { maps => { W1 => { state => 'optimal', name => "\x{d800}" }, "\x{dfff}" => {} } },
            b => undef,
            c => [],
        },
        $online, { W1 => { a => 1, b => 1, c => 1 } },
    ),
    [{
        wwid => 'W1',
        'cluster-state' => 'missing',
        nodes => {
            a => { state => 'optimal' },
            b => { state => 'missing', reasons => [{ code => 'no-report' }] },
            c => {
                state => 'unknown',
                reasons => [{ code => 'bad-broadcast', detail => 'not a JSON object' }],
            },
        },
    }],
    'half of a surrogate pair costs its entry or field alone, undef does not count as a report',
);

my $cyclic = { maps => {} };
$cyclic->{maps}->{W1} = $cyclic;
my $deep = [];
$deep = [$deep] for 1 .. 100_000;

{
    package Evil;
    sub TO_JSON { die "evil\n" }
}

for (
    [undef => undef],
    ['a number' => 42],
    ['a text' => 'hello'],
    ['a raw broadcast' => '{"maps":{}}'],
    ['a list' => []],
    ['code' => sub { }],
    ['a reference' => \'x'],
    ['a glob' => \*STDOUT],
    ['cyclic data' => $cyclic],
    ['very deep data' => $deep],
    ['maps that are a list' => { maps => [] }],
    ['an entry that is a list' => { maps => { W1 => [1] } }],
    ['an object' => bless({ maps => {} }, 'Evil')],
    ['an object inside' => { maps => { W1 => { state => bless({}, 'Evil') } } }],
    ['infinity' => { maps => { W1 => { state => 'optimal', size => 9**9**9 } } }],
    ['wide characters' => { maps => { "\x{263a}" => { state => "\x{263a}" } } }],
    ['characters that are none' => { maps => { W1 => { state => "\x{d800}" } } }],
    ['a regular expression' => { maps => qr/x/ }],
    ['booleans' => { maps => { W1 => { state => JSON::PP::true() } } }],
) {
    my ($what, $value) = @$_;
    my ($res, @warnings) = warnings_of(sub {
        eval {
            PVE::Multipath::aggregate_cluster_status(
                ['W1'], undef, undef, { a => $good, b => $value }, $online, { W1 => { a => 1 } },
            );
        };
    });
    is($@, '', "$what from a peer does not kill the status");
    my ($row) = grep { $_->{wwid} eq 'W1' } @{ $res // [] };
    is($row->{nodes}->{a}->{state}, 'optimal', 'nor hide another node');
    is($row->{'cluster-state'}, 'optimal', 'nor change the state');
}
# gives the levels back one by one; perl would recurse
while (defined(my $next = $deep->[0])) { $deep = $next }
delete $cyclic->{maps};

# --- expectations ---

my $ids = {
    san => { type => 'multipath', nodes => { pve1 => 1, pve2 => 1 } },
    all => { type => 'multipath', disable => 1 },
    'vg-b' => { type => 'lvm', base => 'san:W1' },
    'vg-a' => { type => 'lvm', base => 'san:W1', nodes => 'pve2,pve3' },
    'vg-c' => { type => 'lvm', base => 'san:W2', disable => 1 },
    local => { type => 'dir', path => '/x', content => { iso => 1 } },
};
is_deeply(
    PVE::Multipath::storage_expectations($ids, ['pve1', 'pve2', 'pve3']),
    {
        consumers => { W1 => 'vg-a', W2 => 'vg-c' },
        'consumers-all' => { W1 => ['vg-a', 'vg-b'], W2 => ['vg-c'] },
        'wwid-nodes' => { W1 => { pve1 => 1, pve2 => 1 } },
        nodes => { pve1 => 1, pve2 => 1 },
    },
    'expectations',
);
is_deeply(
    PVE::Multipath::storage_expectations(undef, undef),
    { consumers => {}, 'consumers-all' => {}, 'wwid-nodes' => {}, nodes => {} },
    'of nothing',
);

MultipathTest::Cluster::install();
$INC{'PVE/Storage.pm'} = __FILE__;
*PVE::Storage::config = sub() { return { ids => { san => { type => 'multipath' } } } };
is_deeply(
    PVE::Multipath::cluster_storage_expectations()->{nodes}, { pve1 => 1, pve2 => 1 },
    'from the cluster',
);

# the configuration below /etc/pve
my $live = PVE::Multipath::Source->live();
{
    local $PVE::Multipath::Source::PMXCFS = "$replay/no-such-folder";
    eval { $live->config() };
    like($@, qr/is not mounted/, 'no cluster file system: an error, no empty configuration');
    $PVE::Multipath::Source::PMXCFS = copy_tree('three-nodes');
    eval { $live->config() };
    like($@, qr/is not mounted/, 'a file below the mount point is not its either');
    spew("$PVE::Multipath::Source::PMXCFS/.version", '{}');
    is($live->config()->{ids}->{'35000c50000000b01'}->{alias}, 'san-b', 'a configuration');
}

done_testing();
