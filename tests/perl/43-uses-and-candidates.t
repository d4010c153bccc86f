#!/usr/bin/perl

# What a node publishes beside the health of its maps: what uses its LUNs, and which LUNs it sees that are not on
# the allow-list. How often it looks and writes, and that the health never waits for it.

use v5.36;

# before anything else takes hold of the real one
our $now;

BEGIN {
    $now = 1_000_000;
    *CORE::GLOBAL::time = sub() { return $main::now };
}

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;

use MultipathTest qw(slurp spew from_json warnings_of);

BEGIN { MultipathTest::Clock::install() }

use MultipathNode;
use PVE::Multipath;

MultipathTest::Cluster::install();

my $vg = 'W0zSGx8PD599BX9Zb13cceyG3xet9reP';
my $node = MultipathNode->new()->enter();
$node->set_mapped('dm-0', 'san-x', 'mpath-3600x', 'sda', 'sdb');
$node->set('sys/block/dm-0/dev', "252:0\n");
$node->set('udev/b252:0', "E:ID_FS_TYPE=LVM2_member\n");
$node->set_mapped('dm-1', 'vg-lv', "LVM-$vg" . 'a' x 32, 'dm-0');
$node->set('sys/block/dm-1/dev', "252:1\n");
$node->set('udev/b252:1', "E:DM_VG_NAME=vg\nE:DM_LV_NAME=lv\n");
my $counts = "1:mpath-3600x\n0:LVM-$vg" . 'a' x 32 . "\n";
$node->set('counts', $counts);
# As in sysfs, a link for each disk.
my sub set_disk($dev) {
    my $device = "devices/pci0000:00/host0/block/$dev";
    $node->set("sys/$device/size", "2048\n");
    symlink("../$device", $node->path("sys/block/$dev")) or die "cannot link '$dev' - $!\n";
    $node->set_disk($dev, 2048);
    return;
}
set_disk($_) for qw(sda sdb sdc);
# A number of paths that is learned later would be a change.
my $config = "wwid: 3600x\n\texpected-paths 2\n\n";
$node->set('pve/multipath.cfg', $config);
my @paths = map { { dev => $_, dm_st => 'active', dev_st => 'running', chk_st => 'ready' } } qw(sda sdb);
$node->set('maps', JSON::PP->new()->canonical()->encode({
    major_version => 0, minor_version => 1,
    maps => [{ uuid => '3600x', name => 'san-x', sysfs => 'dm-0', path_groups => [{ paths => \@paths }] }],
}));
# What multipathd lists, by disk.
my sub list_paths(%wwids) {
    my @lines = map { "$_|8:" . unpack('%32C*', $_) . "|ok|undef|scsi:fcp|$wwids{$_}\n" } sort keys %wwids;
    $node->set('paths', join('', @lines));
    return;
}
my %wwids = (sda => '3600x', sdb => '3600x', sdc => '3600c');
list_paths(%wwids);
spew($node->path('multipathd'), <<'SH');
#!/bin/sh
dir=$(dirname "$0")
echo "multipathd $*" >>$dir/calls
case "$*" in
'show maps json') cat $dir/maps ;;
'show paths raw format '*) cat $dir/paths ;;
*) echo fail; exit 1 ;;
esac
SH

# One pass, ten seconds after the last one: what it wrote by key, and its warnings.
my @warnings;
my sub pass() {
    $now += 10;
    $MultipathTest::Clock::elapsed += 10;
    (undef, @warnings) = warnings_of(sub { PVE::Multipath::broadcast_health() });
    return { map { $_->[0] => $_->[1] } MultipathTest::Cluster::take_all() };
}

my sub calls() {
    my %calls;
    $calls{ $_ =~ s/ format.*//r }++ for split(/\n/, $node->text('calls') // '');
    unlink($node->path('calls'));
    return \%calls;
}

# --- the first pass tells everything ---

my $sent = pass();
is_deeply(\@warnings, [], 'no complaint');
is_deeply([sort keys %$sent], [qw(multipath multipath-candidates multipath-uses)], 'all three');
is(
    $sent->{'multipath-uses'},
    '{"maps":{"3600x":[{"code":"volume-group","vg":"vg","active":1,"volumes":["lv"]}]},"time":' . "$now}",
    'what uses the LUN',
);
my $list = from_json($sent->{'multipath-candidates'});
is_deeply(
    [map { [$_->@{qw(wwid paths devs)}] } $list->{candidates}->@*], [['3600c', 1, ['sdc']]], 'one beside the allow-list',
);
is($list->{time}, $now, 'when');
is_deeply(pass(), {}, 'a second look at the disks, nothing to write');

# --- an idle node ---

# what the node learns about paths has settled after five minutes
pass() for 1 .. 35;
calls();
my (%written, $looks);
for my $pass (1 .. 30) {
    my $values = pass();
    $written{$_}++ for keys %$values;
}
is_deeply(
    \%written, { multipath => 5, 'multipath-uses' => 1, 'multipath-candidates' => 1 },
    'in five minutes: the health each minute, the others once',
);
$looks = calls();
is($looks->{'multipathd show maps json'}, 30, 'the maps in each pass');
is($looks->{dmsetup}, 5, 'the uses once a minute');
is($looks->{'multipathd show paths raw'}, 1, 'the candidates once');

# --- changes ---

set_disk('sdd');
$node->set_mapped("dm-$_", "vm-$_", "LVM-$_", 'sda') for 7 .. 9;
$sent = pass();
is(calls()->{'multipathd show paths raw'}, 1, 'a new disk: a look at once');
list_paths(%wwids, sdd => '3600d');
$sent = pass();
is_deeply(
    [map { $_->{wwid} } from_json($sent->{'multipath-candidates'})->{candidates}->@*], [qw(3600c 3600d)],
    'and in the next pass, when multipathd knows it',
);
calls();
$node->set_mapped('dm-10', 'vm-10', 'LVM-10', 'sda');
pass() for 1 .. 2;
is(calls()->{'multipathd show paths raw'}, undef, 'a logical volume is no disk');
$node->set('pve/multipath.cfg', "${config}wwid: 3600c\n\n");
is_deeply(
    [map { $_->{wwid} } from_json(pass()->{'multipath-candidates'})->{candidates}->@*], ['3600d'],
    'the allow-list has changed',
);

# what a program has open for a moment is not told
my sub open_told() {
    for (1 .. 7) {
        my $text = pass()->{'multipath-uses'} // next;
        return $text =~ m/"code":"open","count":(\d+)/ ? $1 : 0;
    }
    return undef;
}
open_told();
$node->set('counts', $counts =~ s/^1:/3:/r);
is(open_told(), undef, 'open in one look');
is(open_told(), 2, 'open in two');

# --- trouble ---

$node->set('no-dm', '');
my $unread;
for (1 .. 7) {
    $unread = pass()->{'multipath-uses'} // next;
    last;
}
like($unread, qr/"unread":\{"open-counts":"[^"]*no device-mapper; in the kernel"\}/, 'what cannot be read is told');
unlink($node->path('no-dm'));

# multipathd does not answer: what uses the LUNs is known nevertheless
{
    local $PVE::Multipath::State::current = PVE::Multipath::State->new();
    local $PVE::Multipath::Node::QUERY_TIMEOUT = 0.3;
    spew($node->path('multipathd'), "#!/bin/sh\nexec sleep 600\n");
    $sent = pass();
    is_deeply(
        [grep { $_ ne 'multipath' } sort keys %$sent], [qw(multipath-candidates multipath-uses)], 'without the maps',
    );
    like(join('', @warnings), qr/\Acannot get the health of multipath maps: /, 'which is a complaint');
    is(from_json($sent->{'multipath-candidates'})->{candidates}->[0]->{reason}->{code}, 'no-answer', 'none is offered');
}

# an error in one part does not keep the others
{
    local $PVE::Multipath::State::current = PVE::Multipath::State->new();
    no warnings 'redefine';
    local *PVE::Multipath::Uses::facts = sub { die "no uses\n" };
    local *PVE::Multipath::Candidates::facts = sub { die "no candidates\n" };
    pass();
    is_deeply(
        [@warnings[-2, -1]],
        ["cannot publish what uses the LUNs: no uses\n", "cannot publish the LUNs that could be added: no candidates\n"],
        'complaints',
    );
    pass() for 1 .. 7;
    is_deeply(\@warnings, [], 'not repeated each time');
}

# --- without multipath-tools ---
{
    local $PVE::Multipath::State::current = PVE::Multipath::State->new();
    local $PVE::Multipath::Node::MULTIPATH = $node->path('gone');
    $sent = pass();
    is_deeply([sort keys %$sent], [qw(multipath multipath-uses)], 'no candidates');
    is($sent->{'multipath-uses'}, qq({"maps":{},"time":$now}), 'nothing is used any more');
}

done_testing();
