#!/usr/bin/perl

# pvemultipath doctor: why LUNs are missing, each case told apart.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path qw(make_path);
use JSON::PP ();
use Test::More;

use MultipathTest qw($root $replay slurp spew from_json copy_tree cli stub);

# Which LUNs were put on the allow-list when pve2 was recorded, and some more.
my $dir = copy_tree('candidates');
my $luns = sub(@ids) { join('', map { "wwid: $_\n\n" } @ids) };
my $given = { a => '35000c50000000a00', map { $_ => "35000c50000000$_" } qw(b01 d03 f06 f07 f08 f0a) };
spew("$dir/multipath.cfg", "wwid: $given->{a}\n\talias san-a\n\n" . $luns->($given->@{qw(b01 f06 f07 f08 f0a)}, '3600a'));

my sub doctor(@args) {
    my $res = cli(['doctor', @args, '--output-format', 'json']);
    is($res->{err}, '', "doctor @args") if $res->{code} != 3;
    return { code => $res->{code}, found => [$res->{code} == 3 ? () : from_json($res->{out})->@*], err => $res->{err} };
}

my sub codes($res) {
    return [map { join(' ', $_->{severity}, $_->{node} // '-', $_->{code}, ($_->{luns} // [])->@*) } $res->{found}->@*];
}

# --- recorded: allow-listed, and no map of any but a and h ---

my $res = doctor('--replay', $dir, '--node', 'pve2');
is($res->{code}, 2, 'there are errors');
is_deeply(
    codes($res),
    [
        'warning pve2 not-applied',
        'error pve2 not-visible 3600a',
        "error pve2 blacklisted $given->{f06}",
        "error pve2 no-wwid $given->{f0a}",
        "error pve2 held $given->{f08}",
        "error pve2 not-in-wwids-file $given->{b01}",
        "error pve2 past-map $given->{f07}",
    ],
    'each case',
);
my %by_code = map { $_->{code} => $_ } $res->{found}->@*;
is_deeply(
    $by_code{'past-map'},
    {
        severity => 'error', node => 'pve2', code => 'past-map', luns => [$given->{f07}], count => 1,
        text => "volume group 'vg-held' is active on the path sdh instead of the map: held by logical volume"
            . " 'vg-held/lv0'",
        help => 'vgchange -an vg-held; vgchange -ay vg-held',
    },
    'a volume group on a single path, and what helps',
);
like($by_code{blacklisted}->{text}, qr!^blacklisted by /etc/multipath\.conf:8 !, 'the file and line of a rule');

is_deeply(codes(doctor('san-a', '--replay', $dir, '--node', 'pve2')), ['warning pve2 not-applied'], 'one that is there');
$res = doctor($given->{f08}, '--replay', $dir, '--node', 'pve2');
is_deeply(codes($res), ['warning pve2 not-applied', "error pve2 held $given->{f08}"], 'one that is not');
is_deeply(
    codes(doctor('naa.5000c50000000b01', '--replay', $dir)),
    ['error - not-allow-listed naa.5000c50000000b01', 'warning pve1 not-applied'], 'one that is not configured',
);
$res = doctor('no such lun', '--replay', $dir);
is_deeply([$res->@{qw(code err)}], [3, "error: WWID has an invalid character ' ' at position 3\n"], 'no LUN at all');

my $text = cli(['doctor', $given->{f08}, '--replay', $dir, '--node', 'pve2'], COLUMNS => 100);
is($text->{out}, <<"TEXT", 'as text');
warning: pve2: the configuration has changes that are not applied yet
    try: pvemultipath apply
error: pve2: $given->{f08}: multipathd cannot have its paths: sdi held by 'md7'
    try: stop what uses the path (vgchange -an VG, mdadm --stop DEVICE, umount), then multipathd add
        map $given->{f08}

1 error, 1 warning
TEXT

# --- made by hand ---

my $node = "$dir/nodes/pve2";
make_path("$node/multipathd");
my sub daemon($rc, $out) {
    spew("$node/multipathd/show-daemon.$_->[0]", $_->[1]) for ['rc', "$rc\n"], ['out', $out];
    return grep { m/ (?:not-installed|daemon-\w+|not-read)\b/ } codes(doctor('--replay', $dir, '--node', 'pve2'))->@*;
}
is_deeply([daemon(127, '')], ['error pve2 not-installed'], 'multipath-tools is not there');
is_deeply([daemon(1, '')], ['error pve2 daemon-stopped'], 'multipathd does not run');
is_deeply([daemon('timeout', '')], ['error pve2 daemon-silent'], 'multipathd does not answer');
is_deeply([daemon(0, "pid 7 idle\n")], [], 'it runs');

# drift, and an alias that another device has
spew("$node/multipathd/show-config-local.$_->[0]", $_->[1]) for ['rc', "0\n"], ['out', <<"CONF"];
defaults {
	polling_interval 5
}
multipaths {
	multipath {
		wwid "$given->{b01}"
		alias "vg--held-lv0"
	}
	multipath {
		wwid "$given->{a}"
		alias "san-a"
	}
}
CONF
spew("$dir/multipath.cfg", "defaults: defaults\n\tno-path-retry 18\n\n" . slurp("$dir/multipath.cfg"));
my $wwids = "$node/etc/multipath/wwids";
spew($wwids, slurp($wwids) . "/$given->{b01}/\n");
$res = doctor('--replay', $dir, '--node', 'pve2');
my @drift = map { $_->{code} eq 'drift' ? $_->{text} : () } $res->{found}->@*;
my $retry = 'overridden by another file: defaults: no-path-retry is not set, not 18';
is_deeply([grep { m/no-path-retry/ } @drift], [$retry], 'drift');
%by_code = map { $_->{code} => $_ } $res->{found}->@*;
like($by_code{'alias-taken'}->{text}, qr/^its alias 'vg--held-lv0' is the name of another device \(LVM-nAa19/, 'an alias that is taken');
is($by_code{'alias-taken'}->{help}, "pvemultipath wwid set $given->{b01} --alias ALIAS", '... and what helps');

# the root file system on a map
my sub boot($initramfs) {
    spew("$node/initramfs.json", $initramfs);
    my @boot = grep { $_->{code} =~ m/boot|initramfs/ } doctor('--replay', $dir, '--node', 'pve2')->{found}->@*;
    return [map { "$_->{code} @{$_->{luns}} $_->{help}" } @boot];
}
make_path("$node/proc/self");
spew("$node/sys/block/dm-1/dev", "252:1\n");
spew("$node/proc/self/mountinfo", "21 1 252:1 / / rw - ext4 /dev/mapper/mpatha rw\n");
is_deeply(
    boot('{"time":1000,"files":{}}'), ["no-boot-package $given->{a} apt-get install multipath-tools-boot"], 'no hook',
);
is_deeply(
    boot('{"time":1000,"hook":1,"files":{"/etc/multipath/wwids":1001}}'),
    ["initramfs-outdated $given->{a} update-initramfs -u"], 'changed since',
);
is_deeply(boot('{"time":1000,"hook":1,"files":{"/etc/multipath/wwids":999}}'), [], 'not changed since');

# what cannot be read
spew("$node/proc/swaps", '');
unlink("$node/multipath-tools-version");
spew("$node/var-lib", '');
make_path("$node/etc/multipath/conf.d/x.conf");
ok(
    (grep { m/^warning - not-read/ } codes(doctor('--replay', $dir, '--node', 'pve2'))->@*),
    'what cannot be read is said',
);

# --- the other nodes ---

is_deeply(
    codes(doctor('--replay', "$replay/silent-node")),
    [
        'warning pve1 not-read', 'warning pve1 not-applied',
        'error pve2 not-assembled 35000c50000000e01', 'error pve3 no-report',
    ],
    'a node that has never reported',
);
$text = cli(['doctor', '--replay', "$replay/three-nodes"]);
like($text->{out}, qr/^error: pve3: the last report of the node is out of date \(10 min ago\)$/m, 'one that is out of date');
like($text->{out}, qr/^error: pve2: the node could not apply the configuration: .*\(45 s ago\)$/ms, 'one that could not apply');

# --- a live node without Proxmox VE's modules, where multipathd hangs ---

{
    require PVE::Multipath;
    require PVE::Multipath::Doctor;
    require PVE::Multipath::Source;
    my $recorded = "$replay/candidates/nodes/pve2";
    no warnings 'once';
    local $PVE::Multipath::Node::QUERY_TIMEOUT = 1;
    local $PVE::Multipath::Node::MULTIPATHD = stub('exec sleep 20');
    local $PVE::Multipath::Node::DMSETUP = stub('exit 1');
    local $PVE::Multipath::Node::SYSFS = "$recorded/sys";
    local $PVE::Multipath::Node::UDEV_DATA = "$recorded/run/udev/data";
    local $PVE::Multipath::Node::DPKG_QUERY = stub('exit 1');
    local $PVE::Multipath::Node::CONFIG_FILE = "$recorded/etc/multipath.conf";
    local $PVE::Multipath::Node::WWIDS_FILE = "$recorded/etc/multipath/wwids";
    local $PVE::Multipath::Node::DROP_IN_DIR = "$recorded/etc/multipath/conf.d";
    local $PVE::Multipath::Node::RECORD_FILE = "$recorded/none";
    local $PVE::Multipath::Source::PMXCFS = $dir;
    spew("$dir/.version", "{}\n");
    my $source = PVE::Multipath::Source->files();
    my $start = time();
    my $found = PVE::Multipath::Doctor::findings($source, undef, $source->node(), 'pve2');
    cmp_ok(time() - $start, '<', 5, 'a multipathd that hangs is asked once');
    my @codes = map { $_->{code} } @$found;
    ok((grep { $_ eq 'daemon-silent' } @codes), '... and said to be silent');
    ok((grep { $_ eq 'held' } @codes), 'what the files tell is told') or diag("@codes");

    # a daemon's pass looks for it, and the next one reports it
    MultipathTest::Cluster::install();
    spew("$dir/multipath.cfg", $luns->($given->@{qw(f06 f08)}, '3600a'));
    local $PVE::Multipath::Node::MULTIPATHD = stub(<<"SH");
case "\$*" in
    'show maps json') echo '{"major_version":0,"minor_version":1,"maps":[]}';;
    'show paths raw'*) cat '$recorded/multipathd/show-paths-raw.out';;
    *) echo fail; exit 1;;
esac
SH
    local $PVE::Multipath::Node::MULTIPATH = stub('exit 1');
    local $PVE::Multipath::Node::PATHS_FILE = "$dir/paths.json";
    local $PVE::Multipath::Node::RUN_DIR = "$dir/run";
    local $SIG{__WARN__} = sub { };
    my sub reported() {
        PVE::Multipath::broadcast_health();
        my ($report) = map { $_->[0] eq 'multipath' ? from_json($_->[1]) : () } MultipathTest::Cluster::take();
        return $report;
    }
    is(reported()->{absent}, undef, 'the first report tells nothing of it');
    my $report = reported();
    is_deeply(
        $report->{absent},
        {
            '3600a' => { code => 'not-visible' },
            $given->{f06} => {
                code => 'blacklisted', rule => 'device vendor "BADVEND", product ".*"', place => '/etc/multipath.conf:8',
            },
            $given->{f08} => { code => 'held', devs => ['sdi'], by => "held by 'md7'" },
        },
        'the next one tells why LUNs have no map',
    );
    # and the status shows it
    make_path("$dir/kv/multipath");
    spew("$dir/kv/multipath/pve1", JSON::PP->new()->utf8()->encode($report));
    spew("$dir/now", "$report->{time}\n");
    my $explained = cli(['status', '--explain', $given->{f08}, '--replay', $dir], COLUMNS => 200)->{out};
    like($explained, qr/multipathd cannot have its paths: sdi held by 'md7'/, 'the cell has the reason');
}

done_testing();
