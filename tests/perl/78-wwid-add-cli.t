#!/usr/bin/perl

# pvemultipath wwid add: what a person means by a WWID in another form, and several LUNs at once.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use MultipathTest qw($replay slurp spew from_json copy_tree cli);

my $dir = copy_tree('candidates');
my $file = "$dir/multipath.cfg";
my $before = slurp($file);
my sub add(@args) { return cli(['wwid', 'add', @args, '--replay', $dir]) }

for my $case (
    ['0x5000C50000000B01', 'the same in another form'],
    ['naa.5000c50000000b01', 'the same in another form'],
    ['5000c500:00000b01', 'the same in another form'],
    ['/dev/sdp', 'a path or the map of it'],
    ['/dev/disk/by-id/wwn-0x5000c50000000b01', 'a path or the map of it'],
) {
    my ($typed, $how) = @$case;
    my $res = add($typed);
    my $said = "35000c50000000b01: added ('$typed' is $how)\n";
    is_deeply([$res->@{qw(code out err)}], [0, $said, ''], $typed);
    is(slurp($file), "${before}wwid: 35000c50000000b01\n\n", 'the WWID of multipathd');
    spew($file, $before);
}

for my $case (
    ['sdb', "wwid: 'sdb' is the name of a device, not a WWID; on this node it is currently a path of '35000c50000000b01'"],
    ['8:0', "wwid: '8:0' is the name of a device, not a WWID"],
    ['/dev/nothing', "wwid: '/dev/nothing' is not a path of a LUN that this node sees: 'pvemultipath candidates --all' lists them"],
    ['35000c50000000f08', "35000c50000000f08: in use outside multipath: held by 'md7' - use --force to add it anyway"],
    ['a b', "wwid: WWID has an invalid character ' ' at position 2"],
) {
    my ($typed, $error) = @$case;
    my $res = add('35000c50000000b01', $typed);
    is_deeply([$res->@{qw(code out err)}], [3, '', "error: $error\n"], $typed);
    is(slurp($file), $before, 'and the other one was not added either');
}

my $res = add('0x5000c500000000ff');
is_deeply(
    [$res->@{qw(code out err)}],
    [0, "35000c500000000ff: added ('0x5000c500000000ff' is taken for it)\n",
        "warning: 35000c500000000ff: no node sees this LUN - check the WWID\n"],
    'one that is not seen',
);
spew($file, $before);

$res = add('35000c50000000f08', '/dev/sdl', '--force');
is($res->{code}, 0, 'forced');
is_deeply([sort split(/\n/, $res->{err})], [
    "warning: 35000c50000000f08: in use outside multipath: held by 'md7'",
    'warning: 35000c50000000f0b: blacklisted by /etc/multipath.conf:6 (devnode "^(sdl|sdy)$")',
], 'and told nevertheless');
spew($file, $before);

# several
my @three = qw(35000c50000000b01 /dev/sdc 5000C50000000D03);
$res = add(@three, '--alias', 'san-{n:03}', '--no-path-retry', 12, '--dry-run');
is_deeply([$res->@{qw(code out err)}], [0, <<'TEXT', ''], 'only told');
35000c50000000b01: added as 'san-001'
35000c50000000c02: added as 'san-002' ('/dev/sdc' is a path or the map of it)
35000c50000000d03: added as 'san-003' ('5000C50000000D03' is the same in another form)
Nothing was changed: --dry-run.
TEXT
is(slurp($file), $before, 'nothing was changed');
$res = add(@three, '35000c50000000a00', '/dev/sdb', '--alias', 'san-{n:03}', '--no-path-retry', 12, '--output-format', 'json');
is_deeply([$res->@{qw(code err)}], [0, ''], 'added');
my $data = from_json($res->{out});
is_deeply([map { "$_->{wwid} $_->{result} " . ($_->{alias} // '-') } @$data], [
    '35000c50000000b01 added san-001', '35000c50000000c02 added san-002', '35000c50000000d03 added san-003',
    '35000c50000000a00 already-there -',
], 'each once, one was there');
is(slurp($file), $before . join('', map { "wwid: $_->[0]\n\talias san-$_->[1]\n\tno-path-retry 12\n\n" }
    ['35000c50000000b01', '001'], ['35000c50000000c02', '002'], ['35000c50000000d03', '003']), 'the file');

# numbers go on, and a name that is taken refuses all
$res = add('35000c50000000f0c', '--alias', 'san-{n:03}');
is($res->{out}, "35000c50000000f0c: added as 'san-004'\n", 'the next number');
my $now = slurp($file);
$res = add('35000c50000000f0d', '35000c50000000f09', '--alias', '{size}');
is_deeply(
    [$res->@{qw(code err)}], [3, "error: alias: alias '64M' is already assigned to WWID '35000c50000000f0d'\n"],
    'the same alias twice',
);
$res = add('35000c50000000f0d', '35000c50000000f09', '--alias', 'one');
is($res->{err}, "error: alias: several LUNs cannot have the same alias: write for example 'one-{n}'\n", 'no field');
$res = add('35000c50000000f0d', '--alias', '{N}');
like($res->{err}, qr/\Aerror: alias: template has the unknown field 'N' at position 1; known are /, 'unknown field');
is(slurp($file), $now, 'nothing of it was written');
$res = add('35000c50000000f0d', '35000c50000000f09', '--alias', 'x-{serial}', '--digest', 'other');
is($res->{code}, 3, 'another digest');
is(slurp($file), $now, 'nothing of it was written');

# --- completion ---

is(cli(['complete', 'wwid', 'add', '--replay', "$replay/candidates", '35000c50000000f0c', ''])->{out},
    join('', map { "35000c50000000$_\n" } qw(b01 c02 d03 f09 f0a f0c f0d)), 'WWIDs that are offered, also for the second one');

done_testing();
