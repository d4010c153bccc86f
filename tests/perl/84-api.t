#!/usr/bin/perl

# The REST API: the methods, and the parameter errors.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/lib/double";

use File::Temp qw(tempdir);
use Test::More;

use MultipathTest qw($replay slurp spew stub warnings_of);
use PVE::Cluster;
use PVE::Exception;
use PVE::Storage;
use PVE::Tools;

use PVE::API2::Disks::Multipath;
use PVE::API2::Multipath;

my $dir = $PVE::Cluster::dir = $PVE::Multipath::Source::PMXCFS = tempdir(CLEANUP => 1);
spew("$dir/.version", '');

my $api = 'PVE::API2::Multipath';

my sub call($method, $path, %param) {
    return $api->call($method, $path, \%param);
}

my sub config_text() {
    return -e "$dir/multipath.cfg" ? slurp("$dir/multipath.cfg") : '';
}

# The parameters that it complains of, by name.
my sub refused($method, $path, %param) {
    my $before = config_text();
    return undef if eval { call($method, $path, %param); 1 };
    my $err = $@;
    die $err if !ref($err);
    is($err->{code}, 400, "$method $path: a bad request") or diag("$err");
    is(config_text(), $before, "$method $path: changes nothing");
    return $err->{errors};
}

# --- the schemas ---

my @methods = map { [$_, $_->methods_of()] } $api, 'PVE::API2::Disks::Multipath';
sub undescribed($schema, $where) {
    my @without = defined($schema->{description}) || $where =~ m!returns\z|/items\z! ? () : $where;
    my $properties = $schema->{properties} // {};
    push @without, undescribed($properties->{$_}, "$where/$_") for sort keys %$properties;
    my $items = $schema->{items} // return @without;
    push @without, undescribed($items, "$where/items") if $items->{properties};
    return @without;
}
for my $entry (@methods) {
    my ($class, @infos) = @$entry;
    for my $info (@infos) {
        my $name = "$class $info->{method} $info->{path}";
        my $writes = $info->{method} ne 'GET' && $info->{path} ne 'check-overrides';
        my $check = $info->{permissions}->{check};
        is_deeply(
            $check->[2], [$writes ? 'Sys.Modify' : 'Sys.Audit'], "$name: its privilege",
        );
        is($check->[1], $class eq $api ? '/' : '/nodes/{node}', "$name: and on what");
        ok($info->{protected}, "$name: as root") if $writes;
        ok(!$info->{protected}, "$name: in pveproxy") if !$writes && $class eq $api;
        is($info->{parameters}->{additionalProperties}, 0, "$name: takes nothing else");
        is_deeply(
            [undescribed({ %{ $info->{parameters} }, description => 1 }, 'parameters'),
                undescribed($info->{returns}, 'returns')],
            [], "$name: everything is described",
        );
        my @in_path = $info->{path} =~ m/\{(\w+)\}/g;
        is_deeply([grep { !$info->{parameters}->{properties}->{$_} } @in_path], [], "$name: its path");
        my $defaults = grep { exists($_->{default}) } values $info->{parameters}->{properties}->%*;
        is($defaults, 0, "$name: what is left out stays as it is");
    }
}

# --- the configuration ---

is_deeply(
    call('GET', ''),
    {
        defaults => {
            'find-multipaths' => 'strict', 'user-friendly-names' => 'no', 'polling-interval' => 5,
        },
        wwids => [],
        aliases => {},
        'wwid-options' => {},
        problems => [],
        digest => 'da39a3ee5e6b4b0d3255bfef95601890afd80709', # of nothing
    },
    'no configuration',
);
is(call('POST', 'wwid', wwid => '3600a', alias => 'one', 'no-path-retry' => '18'), undef, 'a LUN');
is(call('POST', 'wwid', wwid => '3600b'), undef, 'another one');
is(call('PUT', 'wwid/{wwid}', wwid => '3600a', failback => 'manual', delete => 'no-path-retry'),
    undef, 'changed');
is(call('POST', 'alias', wwid => '3600b', alias => 'two'), undef, 'an alias');
is(call('PUT', 'defaults', 'polling-interval' => 10), undef, 'a default');
is(
    config_text(),
    "wwid: 3600a\n\talias one\n\tfailback manual\n\nwwid: 3600b\n\talias two\n\n"
        . "defaults: defaults\n\tpolling-interval 10\n\n",
    'is in the file',
);
my $config = call('GET', '');
is_deeply($config->{wwids}, ['3600a', '3600b'], 'and told');
is_deeply($config->{aliases}, { '3600a' => 'one', '3600b' => 'two' }, 'with the aliases');
is_deeply(
    $config->{'wwid-options'},
    { '3600a' => { alias => 'one', failback => 'manual' }, '3600b' => { alias => 'two' } },
    'the options',
);
is($config->{defaults}->{'polling-interval'}, 10, 'and the defaults');
is(call('DELETE', 'alias/{wwid}', wwid => '3600b'), undef, 'the alias is removed');
is(call('PUT', 'defaults', delete => 'polling-interval'), undef, 'the default as well');

# --- what is refused, and for which parameter ---

is_deeply([keys refused('POST', 'wwid', wwid => "3600c\n")->%*], ['wwid'], 'a line feed at the end');
is_deeply([keys refused('POST', 'wwid', wwid => 'defaults')->%*], ['wwid'], 'called defaults');
is_deeply(
    refused('POST', 'wwid', wwid => '3600c', alias => 'one'),
    { alias => "alias 'one' is already assigned to WWID '3600a'" }, 'an alias that is taken',
);
is_deeply([keys refused('POST', 'alias', wwid => '3600a')->%*], ['alias'], 'an alias that is missing');
is_deeply(
    [keys refused('PUT', 'wwid/{wwid}', wwid => '3600x', failback => 'manual')->%*], ['wwid'],
    'a LUN that is not there',
);
is_deeply(
    [keys refused('DELETE', 'wwid/{wwid}', wwid => "3600a\n")->%*], ['wwid'],
    'what cannot be there is an error to remove',
);
is_deeply(
    [keys refused('DELETE', 'wwid/{wwid}', wwid => 'defaults')->%*], ['wwid'], 'or is something else',
);
is_deeply(
    [keys refused('PUT', 'wwid/{wwid}', wwid => '3600a', delete => 'type')->%*], ['delete'],
    'what cannot be deleted',
);
is_deeply(
    [keys refused('PUT', 'defaults', 'path-selector' => 'nonsense 0')->%*], ['path-selector'],
    'a selector that takes maps away',
);
is_deeply([keys refused('PUT', 'defaults', bogus => 1)->%*], ['bogus'], 'a knob that there is not');

my $digest = call('GET', '')->{digest};
is(eval { call('PUT', 'defaults', failback => 'manual', digest => '0' x 40); 1 }, undef, 'a digest');
like("$@", qr/detected modified configuration/, 'of another configuration');
is(call('PUT', 'defaults', failback => 'manual', digest => $digest), undef, 'the right one');

# --- LUNs as objects ---

is_deeply(
    call('GET', 'wwid'),
    [{ wwid => '3600a', alias => 'one', failback => 'manual' }, { wwid => '3600b' }],
    'the LUNs',
);
$digest = call('GET', '')->{digest};
is_deeply(
    call('GET', 'wwid/{wwid}', wwid => '3600a'),
    { wwid => '3600a', alias => 'one', failback => 'manual', digest => $digest }, 'one LUN',
);
is(eval { call('GET', 'wwid/{wwid}', wwid => '3600x'); 1 }, undef, 'one that is not listed');
is($@->{code}, 404, 'is not found');

# what pvesh and the API viewer look at
my ($list) = grep { "$_->{method} $_->{path}" eq 'GET wwid' } $api->methods_of();
is_deeply($list->{returns}->{links}, [{ rel => 'child', href => '{wwid}' }], 'the list has children');

# --- what was not understood, and how to get rid of it ---

my $text_before = config_text();
my $bad = <<"CFG";
pool: fast
	member 3600b

wwid: 3600a
	no-path-retry never

wwid: defaults

wwid: bad!id

wwid: a/b

wwid: gr\xc3\xbcn

wwid: \xff

stray
CFG
spew("$dir/multipath.cfg", $bad);
my ($problem_list, @warned) = warnings_of(sub {
    call('GET', $_) for '', 'wwid', 'status';
    return call('GET', '')->{problems};
});
is_deeply(\@warned, [], 'no warnings for each request');
is_deeply(
    [map { [$_->@{qw(severity code section property)}] } @$problem_list],
    [
        ['warning', 'unknown-section', 'fast', undef],
        ['warning', 'refused-value', '3600a', 'no-path-retry'],
        ['error', 'wwid-defaults', 'defaults', undef],
        (map { ['error', 'invalid-wwid', $_, undef] } 'bad!id', 'a/b', "gr\xfcn", "\xff"),
        ['warning', 'stray-line', undef, undef],
    ],
    'the problems, with what was not understood',
);
like($problem_list->[-2]->{message}, qr/invalid character/, 'each with a text');
{
    local $PVE::Multipath::Node::DPKG_QUERY = stub('printf "installed 0.15.0-1"');
    spew("$dir/multipath.cfg", "wwid: 3600a\n\trr-weight uniform\n\n");
    is_deeply(
        [map { $_->{code} } call('GET', '')->{problems}->@*], ['ignored-knob'],
        'a knob that the installed multipath-tools ignores',
    );
    spew("$dir/multipath.cfg", $bad);
}

my @gone = grep { $_->{code} =~ m/wwid/ } @$problem_list;
for my $section (map { $_->{section} } @gone) {
    my $shown = $section =~ s/([^ -~])/sprintf('\x{%x}', ord($1))/ger;
    is(call('DELETE', 'wwid', wwid => $section), undef, "section '$shown' is removed");
}
is(config_text(), "pool: fast\n\tmember 3600b\n\nwwid: 3600a\n\tno-path-retry never\n\nstray\n\n",
    'what others may understand stays');

# in a path, as pveproxy decodes it: bytes
spew("$dir/multipath.cfg", $bad);
is(call('DELETE', 'wwid/{wwid}', wwid => $_), undef, 'in a path')
    for 'defaults', 'bad!id', "gr\xc3\xbcn", "\xc3\xbf";
is_deeply(
    [grep { m/^(?:\S*wwid|invalid)/ } map { "$_->{code} $_->{section}" }
        grep { defined($_->{section}) } call('GET', '')->{problems}->@*],
    ['invalid-wwid a/b'], 'as well',
);
is(
    eval { call('DELETE', 'wwid', wwid => 'a/b', digest => '0' x 40); 1 }, undef,
    'not with another digest',
);
spew("$dir/multipath.cfg", $text_before);

# --- removing what is used ---

$PVE::Storage::ids = {
    san => { type => 'multipath' },
    vg => { type => 'lvm', base => 'san:3600a' },
};
is_deeply(
    refused('DELETE', 'wwid/{wwid}', wwid => '3600a'),
    {
        wwid => "WWID '3600a' is used by storage 'vg' - set 'force' to remove it anyway",
    },
    'a LUN that a storage uses',
);
is(call('DELETE', 'wwid/{wwid}', wwid => '3600b'), undef, 'one that none uses');
is(call('DELETE', 'wwid/{wwid}', wwid => '3600a', force => 1), undef, 'or with force');
is_deeply(call('GET', '')->{wwids}, [], 'both are gone');
is(call('DELETE', 'wwid/{wwid}', wwid => $_), undef, 'which can be repeated') for qw(3600a 3600b);
is(call('DELETE', 'alias/{wwid}', wwid => '3600a'), undef, 'also for an alias');
is(
    eval { call('DELETE', 'wwid/{wwid}', wwid => '3600a', digest => '0' x 40); 1 }, undef,
    'but not with another digest',
);
like("$@", qr/detected modified configuration/, 'with an error message');

# --- overrides ---

my $text = "# gr\x{fc}n \x{2603}\ndevices {\n\tdevice {\n\t\tvendor A\n\t\tproduct B\n\t}\n}\n";
is_deeply(call('GET', 'overrides')->{text}, '', 'none');
is(scalar(call('PUT', 'overrides', text => $text)->{warnings}->@*), 0, 'stored');
my $bytes = $text;
utf8::encode($bytes);
is(slurp("$dir/multipath-overrides.conf"), $bytes, 'as UTF-8');
my $present = call('GET', 'overrides');
is($present->{text}, $text, 'and given back');
my $res = call('PUT', 'overrides', text => "defaults {\n\tbogus 1\n}\n", digest => $present->{digest});
like($res->{warnings}->[0], qr/\Aline 2: .*bogus/, 'what is doubtful is told');
is(eval { call('PUT', 'overrides', text => $text, digest => $present->{digest}); 1 }, undef, 'digest');
like("$@", qr/\Achanging the overrides failed: detected modified configuration/, 'of an older text');
my $errors = refused('PUT', 'overrides', text => "multipaths {\n}\n");
like($errors->{text}, qr/\Amultipath overrides: line 1: .*managed via aliases/, 'a dangerous text');

# the limit is in bytes: a line of these has 303 characters, and 903 bytes
my $line = '# ' . "\x{2603}" x 300 . "\n";
is(scalar(call('PUT', 'overrides', text => $line x 145)->{warnings}->@*), 0, 'just below 128 KiB');
for my $too_long ($line x 146, "#\n" x (64 * 1024 + 1)) {
    for (['PUT', 'overrides'], ['POST', 'check-overrides']) {
        is_deeply([keys refused(@$_, text => $too_long)->%*], ['text'], "@$_: a longer one");
    }
}
is(
    refused('PUT', 'overrides', text => $line x 146)->{text},
    'it has 131838 bytes, at most 131072 are possible', 'with an error message',
);
call('PUT', 'overrides', text => "defaults {\n\tbogus 1\n}\n");

my $findings = call('POST', 'check-overrides', text => "defaults {\n\tpolling_interval 0\n");
is_deeply([sort map { $_->{severity} } @$findings], [('error') x 2], 'all findings');
is_deeply([map { $_->{line} } @$findings], [1, 2], 'with their places');
for my $version ("0.11.1\n", '99999999999.1') {
    $errors = refused('POST', 'check-overrides', text => '', version => $version);
    like($errors->{version}, qr/is not a version of multipath-tools/, 'what gets past the pattern');
}
is(slurp("$dir/multipath-overrides.conf"), "defaults {\n\tbogus 1\n}\n", 'nothing is stored');

# --- status and maps ---

no warnings 'once';
call('POST', 'wwid', wwid => '35000c50000000a01');
$PVE::Storage::ids = {};
my $status = call('GET', 'status');
is_deeply([map { $_->{wwid} } $status->{luns}->@*], ['35000c50000000a01'], 'a row for the LUN');
is_deeply($status->{nodes}, {}, 'and no node that could not apply it');

$api = 'PVE::API2::Disks::Multipath';
local $PVE::Multipath::Node::MULTIPATH = stub();
local $PVE::Multipath::Node::MULTIPATHD = stub();
is_deeply(call('GET', '', node => 'pve1'), { supported => 0, running => 0, maps => [] },
    'a node without multipath-tools');
my $pve1 = "$replay/three-nodes/nodes/pve1";
local $PVE::Multipath::Node::SYSFS = "$pve1/sys";
$PVE::Multipath::Node::MULTIPATH = stub('exit 0');
$PVE::Multipath::Node::MULTIPATHD = stub('exit 1');
is_deeply(
    call('GET', '', node => 'pve1'), { supported => 1, running => 0, daemon => 'stopped', maps => [] },
    'no daemon',
);
$PVE::Multipath::Node::MULTIPATHD =
    stub("cat $pve1/multipathd/\$(echo \"\$*\" | tr ' ' -).out");
my $node = call('GET', '', node => 'pve1');
is_deeply([$node->@{qw(running daemon)}], [1, 'running'], 'one that runs');
my $map = $node->{maps}->[0];
is_deeply(call('GET', '{wwid}', node => 'pve1', wwid => $map->{wwid}), $map, 'one of its maps');
is(eval { call('GET', '{wwid}', node => 'pve1', wwid => '3600x'); 1 }, undef, 'one that is not there');
is($@->{code}, 404, 'is not found');

local $PVE::Multipath::Node::PATHS_FILE = "$dir/paths.json";
my $total = $map->{'paths-total'};
my $accepted = call('POST', '{wwid}/accept-paths', node => 'pve1', wwid => $map->{wwid});
is($accepted, $total, 'its paths are accepted');
like(slurp("$dir/paths.json"), qr/"\Q$map->{wwid}\E"/, 'and remembered');
is(
    eval { call('POST', '{wwid}/accept-paths', node => 'pve1', wwid => '3600x'); 1 }, undef,
    'those of a LUN without a map',
);
is($@->{code}, 404, 'are not found');

done_testing();
