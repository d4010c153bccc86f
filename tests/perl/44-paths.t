#!/usr/bin/perl

# Lost redundancy: a node remembers its numbers of paths and reports missing paths, an administrator can
# accept the present number, and an unreadable paths.json is neither used nor overwritten.

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
use JSON::PP ();
use Test::More;

use MultipathTest qw($replay cli copy_tree from_json slurp spew stub warnings_of);
use PVE::Multipath;

MultipathTest::Cluster::install();

# also for the age of what was read
no warnings 'redefine';
local *PVE::Multipath::Source::monotonic = sub() { return $now };

my $WWID = '36001405aabbccddeeff00112233445566';

my $dir = tempdir(CLEANUP => 1);
my $out = stub();
local $PVE::Multipath::Node::SYSFS = '/nonexistent';
local $PVE::Multipath::Node::MULTIPATH = stub('exit 0');
local $PVE::Multipath::Node::MULTIPATHD = stub("cat $out");
local $PVE::Multipath::Node::PATHS_FILE = "$dir/lib/pve-multipath/paths.json";
local $PVE::Multipath::Source::PMXCFS = "$dir/pve";
my $file = $PVE::Multipath::Node::PATHS_FILE;

my sub set_paths(@states) {
    my @paths = map { { dev => "sd$_", dm_st => $states[$_] } } 0 .. $#states;
    my $map = { uuid => $WWID, name => 'san-a', path_groups => [{ paths => \@paths }] };
    spew($out, JSON::PP->new()->encode({ maps => [$map] }));
}

# What is broadcast of the LUN at a time, and the warnings.
my sub at($time) {
    $now = 1_000_000 + $time;
    my (undef, @warnings) = warnings_of(sub { PVE::Multipath::broadcast_health() });
    my ($sent) = MultipathTest::Cluster::take();
    my $entry = defined($sent) ? from_json($sent->[1])->{maps}->{$WWID} : undef;
    return ($entry, @warnings);
}

my sub remembered() {
    return -e $file ? from_json(slurp($file))->{luns}->{$WWID}->{paths} : undef;
}

# --- learning ---

set_paths(('active') x 4);
for my $time (map { 60 * $_ } 0 .. 4) {
    my ($entry) = at($time);
    is_deeply([$entry->@{qw(state paths-expected)}], ['optimal', undef], "$time s: optimal");
    is(remembered(), undef, 'nothing has settled');
}
at(300);
is(remembered(), 4, 'five minutes later four paths are remembered');
is((stat($file))[2] & 0777, 0644, 'in a file that others may read');
my ($entry) = at(360);
is($entry->{'paths-expected'}, 4, 'and expected');

# --- a path is gone ---

set_paths(('active') x 3);
($entry) = at(370);
is_deeply(
    [$entry->@{qw(state paths-active paths-total paths-expected reasons)}],
    ['degraded', 3, 3, 4, [{ code => 'path-gone', present => 3, expected => 4 }]],
    'a path that was removed is missed at once',
);
my $maps = PVE::Multipath::get_maps();
is_deeply(
    [$maps->[0]->@{qw(health paths-expected)}], ['degraded', 4],
    'and so it is by those who ask for the maps',
);

# --- what the administrator says ---

is(PVE::Multipath::accept_paths($WWID), 3, 'the present number is accepted');
is(remembered(), 3, 'and remembered');
($entry) = at(380);
is($entry->{state}, 'optimal', 'which is well again');

mkdir("$dir/pve");
spew("$dir/pve/.version", '');
spew("$dir/pve/multipath.cfg", "wwid: $WWID\n\texpected-paths 2\n");
($entry) = at(390);
is_deeply(
    [$entry->@{qw(state paths-expected notes)}],
    ['optimal', 2, ['more-paths-than-configured']],
    'what is configured comes first',
);
is(eval { PVE::Multipath::accept_paths($WWID) }, undef, 'then nothing can be accepted');
like($@, qr/^\Q$WWID\E has 3 paths, and expected-paths of multipath.cfg says 2: /, 'for a reason');

# --- forgetting ---

spew("$dir/pve/multipath.cfg", "wwid: $WWID\n");
at($_) for 400, 405;
is(remembered(), 3, 'a LUN on the allow-list is remembered');
unlink("$dir/pve/.version", "$dir/pve/multipath.cfg");
at(410);
is(remembered(), 3, 'a cluster file system that is not mounted is not an empty allow-list');
spew("$dir/pve/.version", '');
at(420);
is(remembered(), 3, 'nor is one that an editor may be about to save');
spew("$dir/pve/multipath.cfg", "wwid: ");
at(430);
is(remembered(), 3, 'or has saved the beginning of');
at(440);
is(remembered(), undef, 'a LUN that is not in the saved file is forgotten');

# --- unreadable is not empty ---

for my $text ('', '{', '{"version":2}') {
    spew($file, $text);
    set_paths(('active') x 2);
    local $PVE::Multipath::COMPLAINT_INTERVAL = 0;
    ($entry, my @warnings) = at($now - 1_000_000 + 60);
    is_deeply([$entry->@{qw(state paths-total)}], ['optimal', 2], "'$text': what is known is sent");
    is(scalar(@warnings), 2, 'with warnings');
    like($warnings[0], qr/^the numbers of paths in paths\.json cannot be read: /, 'that say so');
    at($now - 1_000_000 + 60) for 1 .. 6;
    is(slurp($file), $text, 'and the file stays as it is');
    warnings_of(sub { eval { PVE::Multipath::accept_paths($WWID) } });
    like($@, qr/; .*removed/, 'nothing is accepted either, with a way out');
    is(slurp($file), $text, 'and nothing lost');
}
unlink($file);
mkdir($file);
($entry, my @warnings) = at($now - 1_000_000 + 60);
like($warnings[0], qr/^cannot read '\Q$file\E' - /, 'a file that cannot be read at all');

# --- the command ---

my $copy = copy_tree('standalone-iscsi');
my $lun = '360014051111222033334444555500000';
my $res = cli(['accept-paths', $lun, '--replay', $copy]);
is_deeply([$res->@{qw(code out err)}], [0, "$lun: 2 paths accepted\n", ''], 'accept-paths');
my $stored = "$copy/nodes/pve/var/lib/pve-multipath/paths.json";
is(from_json(slurp($stored))->{luns}->{$lun}->{paths}, 2, 'stores the number');
is_deeply(
    from_json(cli(['accept-paths', $lun, '--replay', $copy, '--output-format', 'json'])->{out}),
    { wwid => $lun, 'paths-expected' => 2 },
    'also as JSON',
);
spew($stored, slurp($stored) =~ s/"paths": 2/"paths": 3/r);
$res = cli(['maps', '--replay', $copy]);
is($res->{code}, 1, 'maps: a path is missed');
like($res->{out}, qr/1 path gone \(2 of 3 present\)/, 'and said to be gone');
for (
    [['accept-paths'], qr/no LUN given/],
    [['accept-paths', '../x', '--replay', $copy], qr/WWID/],
    [['accept-paths', '3600', '--replay', $copy], qr/no map of '3600' on this node/],
) {
    my ($args, $message) = @$_;
    $res = cli($args);
    is($res->{code}, 3, "@$args: 3");
    like($res->{err}, $message, 'with a message');
}

done_testing();
