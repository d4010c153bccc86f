#!/usr/bin/perl

# Reports of 2,000 maps: they fit into the limited values of the key-value store, peers read what multipathd
# replied, older values are cleared, and parts of two reports are never combined.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use Test::More;

use MultipathTest qw(spew stub);
use PVE::Multipath;
use PVE::Multipath::Source;

MultipathTest::Cluster::install();

my $out = stub();
local $PVE::Multipath::Node::SYSFS = '/nonexistent';
local $PVE::Multipath::Node::MULTIPATH = stub('exit 0');
local $PVE::Multipath::Node::MULTIPATHD = stub("cat $out");

# Nothing in these repeats: no array names its LUNs worse than that.
my sub wwid($n) { return '3' . substr(sha256_hex($n), 0, 32) }

# $n maps of two paths, of which each tenth has lost one.
my sub maps_json($n) {
    my @maps = map {
        my $i = $_;
        my @paths = map {
            {
                dev => "sd$i.$_",
                dm_st => $i % 10 == 0 && $_ == 1 ? 'failed' : 'active',
                dev_st => 'running',
                chk_st => 'ready',
            }
        } (0, 1);
        {
            name => "lun-$i",
            uuid => wwid($i),
            sysfs => "dm-$i",
            dm_st => 'active',
            path_groups => [{ group => 1, pri => 1, dm_st => 'active', paths => \@paths }],
        }
    } 1 .. $n;
    return JSON::PP->new()->encode({ major_version => 0, maps => \@maps });
}

# What this node broadcasts now, as pmxcfs keeps it. The order counts, for others read meanwhile.
my $store = {};

my sub broadcast($n) {
    spew($out, maps_json($n));
    # a change is sent at once, at any time
    PVE::Multipath::broadcast_health();
    my @sent = MultipathTest::Cluster::take();
    for my $value (@sent) {
        my ($key, $text) = @$value;
        cmp_ok(length($text // ''), '<=', 32767, "$key fits, in bytes");
        ok(!utf8::is_utf8($text // ''), 'and is bytes');
        unlike($text // '', qr/\0/, 'without NUL');
    }
    return @sent;
}

my sub keep(@values) {
    $store->{ $_->[0] } = $_->[1] for @values;
}

my sub status($n) {
    my $kv = { pve1 => $store->{multipath} };
    my $keys = PVE::RS::Multipath::Broadcast::continuation_keys('multipath', $kv);
    return PVE::Multipath::cluster_status({
        kv => $kv,
        'kv-continued' => { map { $_ => { pve1 => $store->{$_} } } @$keys },
        now => time(),
        members => { pve1 => { online => 1 } },
        expectations => { nodes => ['pve1'] },
        config => { ids => { map { wwid($_) => { type => 'wwid' } } 1 .. $n } },
    })->{luns};
}

my sub wanted($n) {
    my %wanted;
    for my $i (1 .. $n) {
        my $lost = $i % 10 == 0;
        $wanted{ wwid($i) } = {
            state => $lost ? 'degraded' : 'optimal',
            'paths-active' => $lost ? 1 : 2,
            'paths-total' => 2,
            $lost
            ? (reasons => [{ code => 'path-failed', count => 1, devs => ["sd$i.1"] }])
            : (),
        };
    }
    return \%wanted;
}

# Maps that were not there before have begun to be.
my sub cells() {
    my %cells = map { $_->{wwid} => $_->{nodes}->{pve1} } status(0)->@*;
    delete $_->{since} for values %cells;
    return \%cells;
}

# --- there and back ---

for my $n (1, 2000, 1999) {
    my @sent = broadcast($n);
    is($sent[-1]->[0], 'multipath', "$n maps: the key that points to the others comes last");
    is(scalar(@sent), $n == 1 ? 1 : 3, 'in as many values as it takes');
    keep(@sent);
    is_deeply(cells(), wanted($n), 'nothing is lost');
}

# --- parts of two reports ---

my @next = broadcast(1998);
keep($next[0]);
my $luns = status(3);
is(scalar(@$luns), 3, 'a reader between two writes sees the allow-list alone');
is_deeply(
    [map { $_->{nodes}->{pve1} } @$luns],
    [
        ({
            state => 'unknown',
            reasons =>
                [{ code => 'bad-broadcast', detail => 'its parts do not belong together' }],
        }) x 3
    ],
    'as unknown',
);
keep(@next);
is_deeply(cells(), wanted(1998), 'and the new report afterwards');

# a node that has just joined may have one key before the other
delete $store->{'multipath-2'};
is_deeply(
    status(1)->[0]->{nodes}->{pve1},
    {
        state => 'unknown',
        reasons => [{ code => 'bad-broadcast', detail => 'part 3 of 3 is missing' }],
    },
    'a part that is missing',
);

# --- fewer again ---

my @few = broadcast(3);
is_deeply(
    [map { [$_->[0], defined($_->[1]) ? 1 : 0] } @few],
    [['multipath', 1], ['multipath-1', 0], ['multipath-2', 0]],
    'what is not needed any more is cleared, afterwards',
);
keep(@few);
is_deeply(cells(), wanted(3), 'and three maps are left');

done_testing();
