#!/usr/bin/perl

# parse_maps_json and get_maps on recorded replies return what the kernel had at that moment: dmsetup
# status and dmsetup table of the same recordings, copied here by hand.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use MultipathTest qw($replay slurp spew stub copy_tree warnings_of);
use PVE::Multipath;

# dm device, map, WWID, sectors, paths as the kernel has them: device number and A(ctive) or
# F(ailed)
my $healthy = [
    [0, 'mpatha', '35000c50000000a01', 131072, '8:0A 8:144A'],
    [1, 'mpathb', '35000c50000000b01', 196608, '8:16A 8:80A 8:160A 8:176A'],
    [
        2, 'mpathc', '35000c50000000c01', 262144,
        '8:32A 8:48A 8:64A 8:96A 8:192A 8:208A 8:224A 8:240A',
    ],
    [3, 'mpathe', '35000c50000000d01', 327680, '8:112A 65:0A'],
    [4, 'mpathd', '35000c50000000f01', 98304, '65:16A 65:48A'],
];

my sub changed($changes) {
    return [map { [$_->@[0 .. 3], $changes->{ $_->[1] } // $_->[4]] } @$healthy];
}

my $kernel = {
    'three-nodes/pve1' => $healthy,
    'three-nodes/pve2' => changed({ mpathb => '8:16F 8:80F 8:160F 8:176A' }),
    'three-nodes/pve3' => changed({ map { $_->[1] => $_->[4] =~ tr/A/F/r } @$healthy }),
    'silent-node/pve1' =>
        changed({ mpathc => '8:192A 8:208A 8:224A 8:240A 8:32F 8:48F 8:64F 8:96F' }),
    'silent-node/pve2' => changed({ mpathe => '' }),
    'silent-node/pve3' => [],
    'standalone-iscsi/pve' => [
        [0, 'mpatha', '360014051111222033334444555500000', 131072, '8:0A 8:32F'],
        [1, 'mpathb', '360014051111222133334444555500000', 196608, '8:48F 8:16A'],
    ],
};

my sub facts($map) {
    my @paths = map { $_->{paths}->@* } $map->{'path-groups'}->@*;
    return {
        map({ $_ => $map->{$_} } qw(name wwid sysfs health paths-total paths-active dm-state)),
        paths => [map { "$_->{'dev-number'} $_->{'dm-state'}" } @paths],
    };
}

my sub expected_facts($row) {
    my ($minor, $name, $wwid, $sectors, $paths) = @$row;
    my @paths = split(/ /, $paths);
    my $active = grep { m/A$/ } @paths;
    return {
        name => $name,
        wwid => $wwid,
        sysfs => "dm-$minor",
        'dm-state' => 'active',
        'paths-total' => scalar(@paths),
        'paths-active' => $active,
        health => !$active ? 'failed' : $active < @paths ? 'degraded' : 'optimal',
        paths => [map { m/(.*)A$/ ? "$1 active" : s/F$/ failed/r } @paths],
    };
}

my sub by_wwid(@list) {
    return [sort { $a->{wwid} cmp $b->{wwid} } @list];
}

for my $where (sort keys %$kernel) {
    my ($folder, $node) = split(m!/!, $where);
    my $json = slurp("$replay/$folder/nodes/$node/multipathd/show-maps-json.out");
    my @expected = map { expected_facts($_) } $kernel->{$where}->@*;

    my ($maps, @warnings) = warnings_of(sub { PVE::Multipath::parse_maps_json($json) });
    is_deeply(by_wwid(map { facts($_) } @$maps), by_wwid(@expected), "$where: maps");
    is_deeply(\@warnings, [], "$where: no warnings");

    my $recording = PVE::Multipath::Node->replay("$replay/$folder", $node);
    my $from_node = PVE::Multipath::get_maps($recording);
    is_deeply(by_wwid(map { facts($_) } @$from_node), by_wwid(@expected), "$where: get_maps");
    is_deeply(
        { map { $_->{wwid} => $_->{size} } @$from_node },
        { map { $_->[2] => $_->[3] * 512 } $kernel->{$where}->@* },
        "$where: sizes",
    );
    is_deeply(
        [map { $_->{path} } @$from_node],
        [map { "/dev/disk/by-id/dm-uuid-mpath-$_->{wwid}" } @$from_node],
        "$where: device nodes",
    );
}

# One map in full: names, vendor, groups.
my $json = slurp("$replay/three-nodes/nodes/pve1/multipathd/show-maps-json.out");
my ($map) = PVE::Multipath::parse_maps_json($json)->@*;
is_deeply([$map->@{qw(vendor product revision)}], ['LAB', 'VIRTUAL-lunA', '2.5+'], 'who made it');
is_deeply(
    [map { [$_->@{qw(group dm-state priority)}, map { $_->{dev} } $_->{paths}->@*] }
            $map->{'path-groups'}->@*],
    [[1, 'active', 1, 'sda'], [2, 'enabled', 1, 'sdj']],
    'groups',
);
ok(!exists($map->{$_}), "'$_' needs sysfs") for qw(size path used transport);

my $maps = PVE::Multipath::get_maps(PVE::Multipath::Node->replay("$replay/three-nodes", 'pve1'));
my %by_name = map { $_->{name} => $_ } @$maps;
is($by_name{mpathe}->{used}, 1, 'a map with logical volumes is in use');
ok(!$by_name{mpatha}->{used}, 'one without is not');
is($by_name{mpathd}->{transport}, 'sas', 'SAS, from the links in sysfs');
is($by_name{mpatha}->{transport}, undef, 'virtio has no transport of ours');

$maps = PVE::Multipath::get_maps(PVE::Multipath::Node->replay("$replay/standalone-iscsi", 'pve'));
is_deeply([map { $_->{transport} } @$maps], ['iscsi', 'iscsi'], 'iSCSI, from the links in sysfs');

# The caller's string may be flagged as characters.
my $text = <<'JSON';
{ "major_version": 0, "minor_version": 1, "maps": [{ "name": "lün", "uuid": "3600a",
  "sysfs": "dm-1", "dm_st": "active", "path_groups": [] }] }
JSON
my $bytes = $text;
my $characters = $text;
utf8::decode($characters);
for ([bytes => $bytes], [characters => $characters]) {
    my ($what, $arg) = @$_;
    my $before = $arg;
    my $name = PVE::Multipath::parse_maps_json($arg)->[0]->{name};
    is($name, "l\x{fc}n", "a name beyond ASCII, from $what");
    is($arg, $before, 'the argument stays as it was');
}

# Texts that are not a list of maps.
for (
    ['' => 'nothing'],
    [undef() => 'undef'],
    ["timeout\n" => 'an error reply'],
    ['[]' => 'a list'],
    ['{"maps":{}}' => 'maps that are no list'],
    [substr($json, 0, 3000) => 'a reply cut short'],
    ['{"maps":' x 10_000 => 'very deep nesting'],
    ["\xff\xfe" => 'bytes that are no text'],
) {
    my ($arg, $what) = @$_;
    my ($res) = warnings_of(sub { eval { PVE::Multipath::parse_maps_json($arg) } });
    is($res, undef, "$what: no maps");
    like($@, qr/\Acould not parse multipathd maps JSON: [^\n]+\n\z/, "$what: an error of one line");
    unlike($@, qr/: ([^:]+): \1\n/, 'that does not repeat itself');
}

# One odd map among good ones.
my ($res, @warnings) = warnings_of(
    sub { PVE::Multipath::parse_maps_json($json =~ s/"uuid" : "35000c50000000b01",//r) },
);
is(scalar(@$res), 4, 'an odd map is left out, the others stay');
is(scalar(@warnings), 1, 'with a warning');
like($warnings[0], qr/\A[^\n]*map 2[^\n]*\n\z/, 'with the reason');

# Parts of sysfs that vanished while it was read, and that cannot be read.
my $copy = copy_tree('three-nodes');
my $block = "$copy/nodes/pve1/sys/block";
unlink("$block/sdr", "$block/dm-0/size");
unlink(glob("$block/dm-3/holders/*"));
rmdir("$block/dm-3/holders");
my $node = PVE::Multipath::Node->replay($copy, 'pve1');
%by_name = map { $_->{name} => $_ } PVE::Multipath::get_maps($node)->@*;
is($by_name{mpatha}->{size}, undef, 'a size that is gone is left out');
is($by_name{mpathb}->{size}, 100663296, 'the others are there');
is($by_name{mpathd}->{transport}, 'sas', 'the transport of the paths that are left');
is(scalar(keys %by_name), 5, 'no map is lost');

unlink("$block/sda");
spew("$block/sda", 'no link');
eval { PVE::Multipath::get_maps($node) };
like($@, qr/^cannot read link '.*sda' - /, 'a recording that cannot be read is an error');
{
    local $PVE::Multipath::Node::SYSFS = "$copy/nodes/pve1/sys";
    local $PVE::Multipath::Node::MULTIPATHD =
        stub("cat $copy/nodes/pve1/multipathd/show-maps-json.out");
    local $PVE::Multipath::Node::MULTIPATH = stub('exit 0');
    ($res, @warnings) = warnings_of(sub { PVE::Multipath::get_maps() });
    is(scalar(@$res), 5, 'on a live node the maps stay');
    like($warnings[0], qr/^cannot read link '.*sda' - /, 'with a warning');
    is(scalar(@warnings), 1, 'a single one');

    local $SIG{__WARN__} = sub { };
    is(PVE::Multipath::get_map_for_wwid('35000c50000000d01')->{name}, 'mpathe', 'a map by WWID');
    is(PVE::Multipath::get_map_for_wwid('35000c50000000e01'), undef, 'one that is not there');
}

done_testing();
