#!/usr/bin/perl

# Calling the programs of multipath-tools (stubs here): valid answers, retries, error texts, and how WWIDs
# are passed.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use MultipathTest qw($replay slurp stub warnings_of);
use PVE::Multipath;

my $recorded = "$replay/three-nodes/nodes/pve1";
my $maps_out = "$recorded/multipathd/show-maps-json.out";

local $PVE::Multipath::Node::SYSFS = "$recorded/sys";
local $PVE::Multipath::Node::MULTIPATH = stub();
local $PVE::Multipath::Node::MULTIPATHD = stub();

# --- is it there ---

is(PVE::Multipath::is_supported(), 0, 'no multipath-tools');
for my $name (qw(get_maps reconfigure)) {
    eval { PVE::Multipath->can($name)->() };
    is($@, "no multipath support - please install 'multipath-tools'\n", "$name says so");
}
eval { PVE::Multipath::add_wwid('3600a') };
is($@, "no multipath support - please install 'multipath-tools'\n", 'add_wwid says so');
is(PVE::Multipath::is_running(), 0, 'is_running is false then');

$PVE::Multipath::Node::MULTIPATH = stub('exit 1');
is(PVE::Multipath::is_supported(), 0, 'one program alone is not enough');
$PVE::Multipath::Node::MULTIPATHD = stub('exit 1');
is(PVE::Multipath::is_supported(), 1, 'both are');
is(PVE::Multipath::assert_supported(), 1, 'which can be asserted');
{
    local $PVE::Multipath::Node::MULTIPATH = stub();
    is(PVE::Multipath::is_supported(), 1, 'and is remembered');
    local $PVE::Multipath::State::current = PVE::Multipath::State->new();
    is(PVE::Multipath::is_supported(), 0, 'but not by another process');
    is(eval { PVE::Multipath::State::current()->{suported} = 1 }, undef, 'a misspelt name of the state');
    like($@, qr/disallowed/, 'is an error');
}

my sub with_daemon($text, $code) {
    my $calls = stub();
    local $PVE::Multipath::Node::MULTIPATHD = stub("echo \"\$*\" >> $calls\n$text");
    my ($res, @warnings) = warnings_of(sub { eval { $code->() } });
    my $err = $@;
    my @calls = -e $calls ? split(/\n/, slurp($calls)) : ();
    return ($res, $err, \@calls, \@warnings);
}

my sub is_running_with($text) {
    my ($res, $err, $calls) = with_daemon($text, \&PVE::Multipath::is_running);
    is_deeply($calls, ['show daemon'], 'one command');
    return $res;
}

is(is_running_with("cat $recorded/multipathd/show-daemon.out"), 1, 'a daemon that runs');
is(is_running_with("cat $recorded/multipathd/show-daemon.out; exit 1"), 0, 'exit code 1');
is(is_running_with('echo "ERROR: failed to connect to multipathd" >&2; exit 1'), 0, 'no daemon');
is(is_running_with('echo timeout'), 0, 'exit code 0 alone does not count');
is(is_running_with('kill -8 $$'), 0, 'a client that crashes');

# --- the maps ---

my ($maps, $err, $calls, $warnings) = with_daemon("cat $maps_out", \&PVE::Multipath::get_maps);
is(scalar(@$maps), 5, 'maps');
is_deeply($calls, ['show maps json'], 'asked once');

($maps, $err, $calls, $warnings) = with_daemon(
    "echo 'x.conf line 2, invalid keyword: bogus {' >&2; cat $maps_out",
    \&PVE::Multipath::get_maps,
);
is(scalar(@$maps), 5, 'complaints on stderr do not spoil the reply');

# a map that vanishes meanwhile fails the whole reply, once
my $seen = stub();
my $once_failing = sub($failure) {
    unlink($seen);
    return "if [ -e $seen ]; then cat $maps_out; else touch $seen; $failure; fi";
};
for my $failure ('echo fail; exit 1', 'echo timeout', 'echo timeout; exit 1') {
    ($maps, $err, $calls) = with_daemon($once_failing->($failure), \&PVE::Multipath::get_maps);
    is(scalar(($maps // [])->@*), 5, "'$failure' once: asked again");
    is(scalar(@$calls), 2, 'once');
}

for (
    ['echo timeout', qr/'timeout'/, 2],
    ['echo fail; exit 1', qr/'fail' \(exit code 1\)/, 2],
    ["head -c 5000 $maps_out", qr/^could not parse multipathd maps JSON: /, 2],
    ['echo "ERROR: failed to connect to multipathd" >&2; exit 1', qr/failed to connect/, 1],
    ['exit 1', qr/no answer from multipathd/, 1],
    ['echo "permission deny: need to be root"; exit 1', qr/permission deny/, 1],
    ['kill -8 $$', qr/killed by a signal/, 1],
) {
    my ($text, $message, $times) = @$_;
    ($maps, $err, $calls) = with_daemon($text, \&PVE::Multipath::get_maps);
    is($maps, undef, "'$text': no maps");
    like($err, $message, 'a clear error');
    like($err, qr/\A[^\n]+\n\z/, 'of one line');
    is(scalar(@$calls), $times, "asked $times times");
}

{
    local $PVE::Multipath::Node::QUERY_TIMEOUT = 0.5;
    my $start = time();
    ($maps, $err, $calls) = with_daemon('exec sleep 20', \&PVE::Multipath::get_maps);
    is($err, "multipathd did not answer in time\n", 'a daemon that hangs');
    is(scalar(@$calls), 1, 'is not asked again');
    ok(time() - $start < 3, 'and the call returns soon');

    # slow, then transient: both together stay within the time-out
    $start = time();
    ($maps, $err, $calls) = with_daemon('sleep 0.3; echo timeout', \&PVE::Multipath::get_maps);
    is(scalar(@$calls), 1, 'nor is one that took most of the time');
}

# --- waiting for a map ---

my $appear = stub();
# two tries, each of which asks a second time
my $later = <<"SH";
n=\$(cat $appear 2>/dev/null || echo 0); echo \$((n + 1)) > $appear
if [ \$n -ge 3 ]; then cat $maps_out; else echo fail; exit 1; fi
SH
my $start = time();
($maps, $err) =
    with_daemon($later, sub { PVE::Multipath::wait_for_map('35000c50000000d01', 10) });
is($maps->{name}, 'mpathe', 'a map that comes later');
ok(time() - $start >= 0.9, 'is polled for each second');
ok(time() - $start < 5, 'and found at once');

($maps, $err, $calls, $warnings) = with_daemon(
    "cat $maps_out",
    sub { PVE::Multipath::wait_for_map('35000c50000000e01', 0) },
);
is($maps, undef, 'a map that does not come');
is_deeply([$err, $calls, $warnings], ['', ['show maps json'], []], 'no error, no warning');

($maps, $err, $calls, $warnings) =
    with_daemon('exit 1', sub { PVE::Multipath::wait_for_map('3600a', 0) });
is($maps, undef, 'nor without a daemon');
like($warnings->[0], qr/^waiting for the multipath map of '3600a': no answer/, 'with a warning');

# --- the allow-list ---

{
    local $PVE::Multipath::Node::WWIDS_FILE = "$recorded/etc/multipath/wwids";
    is_deeply(
        PVE::Multipath::list_etc_multipath_wwids(),
        [map { "35000c50000000${_}01" } qw(a b c f d)],
        'entries in the order of the file',
    );
}
{
    local $PVE::Multipath::Node::WWIDS_FILE = stub();
    is_deeply(PVE::Multipath::list_etc_multipath_wwids(), [], 'no file, no entries');
}
{
    local $PVE::Multipath::Node::WWIDS_FILE = "$recorded/etc";
    eval { PVE::Multipath::list_etc_multipath_wwids() };
    like($@, qr/^cannot read '.*' - /, 'one that cannot be read is an error');
}

my sub with_multipath($text, $code) {
    my $calls = stub();
    local $PVE::Multipath::Node::MULTIPATH =
        stub("for a; do printf '<%s>' \"\$a\" >> $calls; done\n$text");
    eval { $code->() };
    return ($@, -e $calls ? slurp($calls) : '');
}

my ($add, $remove) = map {
    my $name = $_;
    sub { PVE::Multipath->can($name)->('35000c50000000a01') };
} qw(add_wwid remove_wwid);

my $say = q{echo "wwid '35000c50000000a01'};
is_deeply(
    [with_multipath("$say added\"", $add)], ['', '<-a><35000c50000000a01>'], 'add',
);
is_deeply(
    [with_multipath("$say removed\"", $remove)], ['', '<-w><35000c50000000a01>'],
    'remove',
);
is((with_multipath("$say not in wwids file\"", $remove))[0], '', 'remove what is gone');

for (
    ["echo complaint >&2; $say added\"", $add, ''],
    ["$say added\"; exit 1", $add, qr/^'multipath -a 35.*' failed \(exit code 1\): wwid/],
    ['exit 0', $add, qr/^'multipath -a 35.*' failed: no answer$/],
    ["$say not in wwids file\"", $add, qr/failed: wwid '35.*' not in wwids file$/],
    [q{echo "wwid '3600b' added"}, $add, qr/failed: wwid '3600b' added$/],
    [q{echo "wwid '3600b' removed"}, $remove, qr/failed: wwid '3600b' removed$/],
    [q{echo "no dm" >&2; echo bye >&2; exit 1}, $add, qr/failed \(exit code 1\): no dm; bye$/],
    ['kill -9 $$', $remove, qr/^'multipath -w 35.*' failed \(killed\): no answer$/],
) {
    my ($text, $code, $message) = @$_;
    my ($err) = with_multipath($text, $code);
    ref($message) ? like($err, $message, "'$text'") : is($err, $message, "'$text'");
}

for my $bad (
    undef, '', '-a', '3600a/', '/3600a', "3600a\n", '3600a b', '$(id)', "36\x{100}", "36\0a",
    'x' x 123, {}, "36\xe4",
) {
    my $text = $bad // 'undef';
    for my $name (qw(add_wwid remove_wwid)) {
        my ($err, $args) = with_multipath('exit 0', sub { PVE::Multipath->can($name)->($bad) });
        isnt($err, '', $name . ' refuses ' . ($text =~ s/[^ -~]/?/gr));
        is($args, '', 'and runs nothing');
    }
}

# --- reconfigure ---

for (
    ['echo ok', ''],
    ['echo warning >&2; echo ok', ''],
    ['echo ok; exit 1', qr/failed \(exit code 1\): ok$/],
    ['echo fail', qr/^'multipathd reconfigure' failed: fail$/],
    ['echo timeout', qr/failed: timeout$/],
    ['exit 136', qr/failed \(exit code 136\): no answer$/],
    ['kill -8 $$', qr/failed \(killed\): no answer$/],
) {
    my ($text, $message) = @$_;
    my ($res, $err, $calls) = with_daemon($text, \&PVE::Multipath::reconfigure);
    ref($message) ? like($err, $message, "'$text'") : is($err, $message, "'$text'");
    is_deeply($calls, ['reconfigure'], 'asked once');
}
{
    local $PVE::Multipath::COMMAND_TIMEOUT = 1;
    my ($res, $err) = with_daemon('exec sleep 20', \&PVE::Multipath::reconfigure);
    is($err, "'multipathd reconfigure' did not end within 1 seconds\n", 'a daemon that hangs');
}

done_testing();
