#!/usr/bin/perl

# A multipathd that hangs, and one that is stopped: no request takes longer than pveproxy waits, a round of
# a daemon asks once, and each caller gets the reason.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/lib/double";

use Test::More;
use Time::HiRes qw(time sleep);

use MultipathNode;
use MultipathTest qw($replay slurp from_json stub warnings_of);
use PVE::Multipath;
use PVE::Multipath::Generator;
use PVE::Storage;

BEGIN { MultipathTest::Cluster::install() }

use PVE::API2::Disks::Multipath;
use PVE::Storage::Custom::MultipathPlugin;

my $plugin = 'PVE::Storage::Custom::MultipathPlugin';
my $recorded = "$replay/three-nodes/nodes/pve1";
my $answers = "cat $recorded/multipathd/\$(echo \"\$*\" | tr ' ' -).out";
my $stops = 'echo "ERROR: failed to connect to multipathd" >&2; exit 1';
my $wwid = '3600not-there';

local $PVE::Multipath::Node::SYSFS = "$recorded/sys";
local $PVE::Multipath::Node::MULTIPATH = stub('exit 0');

# Runs the code with a multipathd of this kind: { res, err, warnings, calls, seconds }.
my sub with_daemon($text, $code) {
    my $calls = stub();
    local $PVE::Multipath::Node::MULTIPATHD = stub("echo \"\$*\" >>$calls\n$text");
    my $start = time();
    my ($res, @warnings) = warnings_of(sub { eval { $code->() } });
    return {
        res => $res,
        err => $@,
        seconds => time() - $start,
        calls => -e $calls ? [split(/\n/, slurp($calls))] : [],
        warnings => \@warnings,
    };
}

my sub node_api($path, $method = 'GET', %param) {
    return PVE::API2::Disks::Multipath->call($method, $path, { node => 'pve1', %param });
}

# --- within the time that pveproxy has ---

cmp_ok($PVE::Multipath::Node::QUERY_TIMEOUT, '<', 4, 'all questions of a request: less than 4 seconds');
cmp_ok(
    $PVE::Multipath::Node::QUERY_TIMEOUT + $PVE::Multipath::Node::SILENCE, '<', 10,
    'and the next round of pvestatd asks again',
);

# a round of pvestatd with the times as they are
{
    my $node = MultipathNode->new()->enter();
    $node->set('pve/multipath.cfg', "wwid: 3600a\n");
    my $calls = with_daemon('exec sleep 60', sub {
        my $cache = {};
        $plugin->status($_, {}, $cache) for qw(san-a san-b);
        PVE::Multipath::Generator::sync();
        PVE::Multipath::broadcast_health();
        return 1;
    });
    is($calls->{res}, 1, 'a round: nothing dies');
    is_deeply($calls->{calls}, ['show daemon'], 'asks once');
    cmp_ok($calls->{seconds}, '<', 4, 'takes no longer than one question');
    is_deeply(
        [grep { /multipath\.cfg|^cannot/ } $calls->{warnings}->@*],
        [
            "cannot apply the multipath configuration: multipathd does not answer, so the changes"
                . " are not in effect yet\n",
            "cannot get the health of multipath maps: multipathd did not answer in time\n",
        ],
        'and each part says so',
    );
    my %sent = map { $_->[0] => from_json($_->[1]) } MultipathTest::Cluster::take();
    is_deeply([sort keys %sent], ['multipath', 'multipath-apply'], 'the other nodes are told');
    my $report = $sent{multipath};
    is_deeply([$report->{maps}, $report->{time}], [{}, undef], 'no health is claimed');
    is($report->{node}->{multipathd}, 'no-answer', 'but that multipathd does not answer');
    is($node->text('loaded'), undef, 'the daemon has read nothing');

    # it is told once it is there again
    ok(-e $node->path('run/reconfigure'), 'which is remembered');
    $node->enter();
    PVE::Multipath::Generator::sync();
    ok($node->is_loaded(), 'and done later');
    ok(!-e $node->path('run/reconfigure'), 'once');
    is_deeply(
        [MultipathTest::Cluster::take()], [['multipath-apply', undef]], 'the other nodes know as well',
    );
}

# --- each request: within its time, and says what it is ---

local $PVE::Multipath::Node::SYSFS = "$recorded/sys";
local $PVE::Multipath::Node::MULTIPATH = stub('exit 0');
local $PVE::Multipath::Node::QUERY_TIMEOUT = 0.4;
my $most = 1.2;

my %requests = (
    'GET multipath' => sub() { node_api('') },
    'GET multipath/WWID' => sub() { node_api('{wwid}', 'GET', wwid => $wwid) },
    'POST accept-paths' => sub() { node_api('{wwid}/accept-paths', 'POST', wwid => $wwid) },
    'is_running' => \&PVE::Multipath::is_running,
    'get_maps' => \&PVE::Multipath::get_maps,
    'status' => sub() { [$plugin->status('san', {}, {})] },
    'list_images' => sub() { $plugin->list_images('san', {}, undef, undef, {}) },
    'list_volumes' => sub() { $plugin->list_volumes('san', {}) },
    'volume_size_info' => sub() { $plugin->volume_size_info({}, 'san', $wwid) },
    'activate_volume' => sub() { $plugin->activate_volume('san', {}, $wwid) },
);

for my $name (sort keys %requests) {
    # also one that hangs after it was asked for its state
    for (
        ['hangs', 'exec sleep 60'],
        ['hangs later', "case \"\$*\" in *maps*) exec sleep 60; esac\n$answers"],
    ) {
        my ($how, $daemon) = @$_;
        my $request = with_daemon($daemon, $requests{$name});
        cmp_ok($request->{seconds}, '<', $most, "$name, multipathd $how: ends in time");
    }
}

# [what, with a daemon that hangs, with one that is stopped]
for (
    [
        'GET multipath',
        { supported => 1, running => 0, daemon => 'no-answer', maps => [] },
        { supported => 1, running => 0, daemon => 'stopped', maps => [] },
    ],
    ['GET multipath/WWID', qr/\Amultipathd did not answer in time\n\z/, qr/\Ano answer .*is it running\?/],
    ['is_running', 0, 0],
    ['status', [0, 0, 0, 0], [0, 0, 0, 0]],
    ['list_images', qr/\Amultipathd did not answer in time\n\z/, qr/\Ano answer .*is it running\?/],
    [
        'activate_volume', qr/\Acannot activate the LUN with WWID '$wwid': multipathd does not answer\n\z/,
        qr/\Acannot activate the LUN with WWID '$wwid': multipathd is not running\n\z/,
    ],
) {
    my ($name, @expected) = @$_;
    no warnings 'redefine';
    local *PVE::Multipath::complain = sub($text) { };
    # a daemon that is stopped may come back within the ten seconds
    my $wait = \&PVE::Multipath::wait_for_map;
    local *PVE::Multipath::wait_for_map = sub($wwid) { $wait->($wwid, 1) };
    for my $daemon ('exec sleep 60', $stops) {
        my $request = with_daemon($daemon, $requests{$name});
        my $expected = shift @expected;
        ref($expected) eq 'Regexp' ? like($request->{err}, $expected, "$name: the error")
            : is_deeply($request->{res}, $expected, "$name: the answer");
    }
}

# a slow one: what its answers took counts, not how many there were
{
    my $request = with_daemon("sleep 0.3\ncat $recorded/multipathd/show-maps-json.out", sub() {
        PVE::Multipath::wait_for_map($wwid);
    });
    cmp_ok(scalar($request->{calls}->@*), '<=', 2, 'a slow daemon is not asked for long');
}

# one that hangs between two questions of a request
{
    my $request = with_daemon(
        "case \"\$*\" in *maps*) exec sleep 60; esac\n$answers", $requests{'GET multipath'},
    );
    is($request->{res}->{daemon}, 'no-answer', 'a daemon that begins to hang');
}
is(
    with_daemon($answers, $requests{'GET multipath'})->{res}->{daemon}, 'running', 'one that runs',
);
is_deeply(
    with_daemon($answers, $requests{'GET multipath'})->{calls}, ['show maps json'],
    'is only asked for the maps',
);
like(
    with_daemon("case \"\$*\" in *maps*) echo fail; exit 1; esac\n$answers", $requests{'GET multipath'})
        ->{err},
    qr/answered 'fail'/, 'one that runs, but gives no maps: an error, not no maps',
);

# --- what is logged ---

my $status = sub() { $plugin->status('san-c', {}, {}) };
my $first = with_daemon('exec sleep 60', $status);
is_deeply(
    $first->{warnings}, ["storage 'san-c' is not active: multipathd does not answer\n"],
    'why a storage is not active is logged',
);
is_deeply(with_daemon('exec sleep 60', $status)->{warnings}, [], 'once');
is_deeply(
    with_daemon($stops, $status)->{warnings}, ["storage 'san-c' is not active: multipathd is not running\n"],
    'another reason as well',
);

# --- asking again ---

{
    local $PVE::Multipath::Node::SILENCE = 0.5;
    my $hangs = stub();
    my $request = with_daemon("[ -e $hangs ] || { touch $hangs; exec sleep 60; }\n$answers", sub {
        my @running = (PVE::Multipath::is_running(), PVE::Multipath::is_running());
        sleep(0.6);
        return [@running, PVE::Multipath::is_running()];
    });
    is_deeply($request->{res}, [0, 0, 1], 'after a while it is asked again');
    is(scalar($request->{calls}->@*), 2, 'and not before');
}

done_testing();
