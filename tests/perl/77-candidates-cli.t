#!/usr/bin/perl

# pvemultipath candidates: which LUNs may be put on the allow-list, and why others may not.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use MultipathTest qw($root $replay slurp spew from_json copy_tree cli stub);
use PVE::Multipath;
use PVE::Multipath::Candidates;
use PVE::Multipath::Config;
use PVE::Multipath::Node;

my @folder = ('--replay', "$replay/candidates");

# --- candidates ---

my sub found(@args) {
    my $res = cli(['candidates', @args, '--output-format', 'json']);
    is_deeply([$res->@{qw(code err)}], [0, ''], "candidates @args");
    return from_json($res->{out});
}

# what one node sees, with all facts
my $config = PVE::Multipath::Config->parse_config('multipath.cfg', slurp("$replay/candidates/multipath.cfg"));
my $found = PVE::Multipath::Candidates::list(PVE::Multipath::Node->replay("$replay/candidates", 'pve1'), $config);
is($found->{omitted}, 0, 'none is left out');
is_deeply($found->{warnings}, [], 'and nothing is wrong');
my %by_wwid = map { ($_->{wwid} // "$_->{devs}->[0]") => $_ } $found->{candidates}->@*;
my @offered = map { $_->{offered} ? $_->{wwid} : () } $found->{candidates}->@*;
is_deeply(\@offered, [map { "35000c50000000$_" } qw(b01 c02 d03 f09 f0a f0c f0d)], 'those that are offered');
is_deeply(
    $by_wwid{'35000c50000000c02'},
    {
        wwid => '35000c50000000c02', size => 67108864, vendor => 'LAB', product => 'VIRTUAL-c', serial => 'SERc',
        protocol => 'scsi:unspec', paths => 2, devs => [qw(sdc sdq)], offered => 1,
        contents => [{ code => 'lvm-pv', type => 'LVM2_member' }], warnings => [{ code => 'has-data' }],
        told => ['not empty: LVM physical volume'],
    },
    'one with a foreign physical volume',
);
is_deeply($by_wwid{sdac}->{reason}, { code => 'local-disk', what => 'SATA' }, 'a local disk');
is_deeply($by_wwid{sr0}->{reason}, { code => 'cd' }, 'a CD drive');
is_deeply(
    $by_wwid{'35000c50000000f07'}->{reason},
    { code => 'in-use', by => [{ code => 'volume', group => 'vg-held', name => 'lv0' }], devs => ['sdh'] },
    'one in use',
);
is_deeply(
    $by_wwid{sdg}->{reason}->{place}, { file => '/etc/multipath.conf', line => 8 }, 'where the rule stands',
);

is(cli(['candidates', @folder], COLUMNS => 100)->{out}, <<'TEXT', 'a line for each');
WWID               SIZE    PATHS  VIA  DISK                NOTES
35000c50000000b01  64 MiB  2      -    LAB VIRTUAL-b SERb
35000c50000000c02  64 MiB  2      -    LAB VIRTUAL-c SERc  not empty: LVM physical volume
35000c50000000d03  64 MiB  2      -    LAB VIRTUAL-d SERd  not empty: file system ext4 'lunlabel'
35000c50000000f09  64 MiB  2      -    LAB VIRTUAL-j SERj  1 path is offline
35000c50000000f0a  64 MiB  2      -    LAB VIRTUAL-k SERk  2 paths are offline
35000c50000000f0c  64 MiB  2      -    LAB VIRTUAL-m SERm
35000c50000000f0d  64 MiB  2      -    LAB VIRTUAL-n SERn

Not offered: 4 blacklisted, 2 in use, 1 CD or DVD drive, 1 local disk. Use --all to see why.

Use 'pvemultipath wwid add WWID' to add one to the cluster's allow-list.
TEXT

my $all = cli(['candidates', @folder, '--all'], COLUMNS => 200)->{out};
like($all, qr/^\(35000c50000000f05\)  64 MiB  LAB VIRTUAL-f SERf \(sdf, sds\): blacklisted by \/etc\/multipath\.conf:7 /m,
    'the reasons');
like($all, qr/^\(sr0\) .*: CD or DVD drive$/m, 'also of what cannot be added');
for my $width (40, 60, 80) {
    my @lines = split(/\n/, cli(['candidates', @folder], COLUMNS => $width)->{out});
    is_deeply([grep { length > $width } @lines], [], "$width columns");
    like("@lines", qr/not empty: LVM/, 'with what to know') if $width < 80;
}

like(cli(['candidates', @folder, '--node', 'pve2', '--all'])->{out}, qr/^\(35000c50000000f0a\) .*\(sdk\): multipathd has no\s+WWID for it/m,
    'a path that was offline is listed by its device');

# --- the cluster's ---

my @three = ('--replay', "$replay/three-nodes");
is(cli(['candidates', @three], COLUMNS => 100)->{out}, <<'TEXT', 'one line for a LUN with the nodes that see it');
WWID               SIZE   PATHS  NODES      VIA  DISK                NOTES
35000c50000000701  1 TiB  1      pve1,pve2  fc   LAB VIRTUAL-1 SER1  pve2: only one path: perhaps...

Not offered: 1 in use. Use --all to see why.

It is not known what pve3 sees: it has sent no such report: pve-multipath is older there, or not
    installed

Use 'pvemultipath wwid add WWID' to add one to the cluster's allow-list.
TEXT
like(cli(['candidates', @three, '--all'], COLUMNS => 200)->{out},
    qr/^35000c50000000702  1 TiB  .* \(pve1: sdq, sdr, sds, sdt; pve2: sdn, sdo, sdp, sdq\): pve2: in use outside multipath: held by 'vg--old-lv0'$/m,
    'one that a node uses is not offered on any');
my $of_three = found(@three);
is_deeply(
    [map { [$_->@{qw(wwid offered paths)}, sort keys $_->{nodes}->%*] } $of_three->{candidates}->@*],
    [['35000c50000000701', 1, 1, 'pve1', 'pve2'], ['35000c50000000702', 0, 4, 'pve1', 'pve2']], 'as data',
);
is_deeply(
    [map { [$_->@{qw(wwid offered paths)}, sort keys $_->{nodes}->%*] } found(@three, '--node', 'pve1')->{candidates}->@*],
    [['35000c50000000701', 1, 4, 'pve1'], ['35000c50000000702', 1, 4, 'pve1']], 'of one node: what that says',
);
my $res = cli(['candidates', @three, '--node', 'pve3']);
is_deeply(
    [$res->@{qw(code err)}],
    [3, "error: it is not known what 'pve3' sees: it has sent no such report: pve-multipath is older there, or not installed\n"],
    'one that has not told',
);
is_deeply(PVE::Multipath::candidates(PVE::Multipath::Source->replay("$replay/three-nodes")), $of_three, 'the function');

# one that was allow-listed since is no candidate any more
my $dir = copy_tree('three-nodes');
is(cli(['wwid', 'add', '0x5000c50000000701', '--replay', $dir])->{err}, '', 'a LUN that only other nodes see');
unlike(cli(['candidates', '--replay', $dir])->{out}, qr/35000c50000000701/, 'is configured now');
$res = cli(['wwid', 'add', '35000c50000000702', '--replay', $dir]);
is($res->{err}, "error: 35000c50000000702: pve2: in use outside multipath: held by 'vg--old-lv0'"
    . " - use --force to add it anyway\n", 'one that another node uses');

# a peer's text may be anything
spew("$dir/kv/multipath-candidates/pve2", "\xff\x1b");
like(cli(['candidates', '--replay', $dir])->{out},
    qr/^It is not known what pve2 sees: its report cannot be read: invalid UTF-8/m, 'named');
is(cli(['candidates', '--replay', $dir, '--all', '--output-format', 'json'])->{code}, 0, 'not in the way');

# --- what others write to it ---

$dir = copy_tree('candidates');
my $node = "$dir/nodes/pve1";
my $vendor = "$node/sys/block/sdb/device/vendor";
spew($_, "\e[31mE\nV|L\xff\n") for $vendor, "$node/sys/block/sdp/device/vendor";
my $udev = slurp("$node/run/udev/data/b8:48");
spew("$node/run/udev/data/b8:48", $udev =~ s/^E:ID_FS_LABEL=.*$/E:ID_FS_LABEL=\e]0;x\a"|/mr);
$res = cli(['candidates', '--replay', $dir, '--all']);
unlike($res->{out} . $res->{err}, qr/[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/, 'nothing steers the terminal');
like($res->{out}, qr/^35000c50000000b01  64 MiB  2 /m, 'and no column is shifted');
my $json = cli(['candidates', '--replay', $dir, '--output-format', 'json']);
my ($evil) = grep { ($_->{wwid} // '') eq '35000c50000000b01' } from_json($json->{out})->{candidates}->@*;
is($evil->{vendor}, "\x{fffd}[31mE\x{fffd}V|L\x{fffd}", 'made harmless');
my $listing = "$node/multipathd/show-paths-raw.out";
spew($listing, slurp($listing) . "sdz|65:144|ok|undef|scsi:fcp|36\nsdz|65:144|ok|undef|scsi:fcp|37\n");
$res = cli(['candidates', '--replay', $dir]);
like($res->{err}, qr/^warning: lines in multipathd's list of paths that cannot be read: 1; /, 'told');
spew($listing, "timeout\n");
$res = cli(['candidates', '--replay', $dir]);
is($res->{err}, "warning: multipathd answered 'timeout' when asked for its paths\n", 'no list');
like($res->{out}, qr/\ANo LUNs to add to the allow-list\.\n/, 'so nothing is offered');

# --- a live node, and its recording ---

{
    my $recorded = "$replay/candidates/nodes/pve1";
    no warnings 'once';
    local $PVE::Multipath::Node::MULTIPATHD = stub(<<"SH");
case "\$*" in
    'show paths raw format %d|%D|%I|%t|%P|%w') cat '$recorded/multipathd/show-paths-raw.out';;
    *) echo fail; exit 1;;
esac
SH
    local $PVE::Multipath::Node::SYSFS = "$recorded/sys";
    local $PVE::Multipath::Node::UDEV_DATA = "$recorded/run/udev/data";
    local $PVE::Multipath::Node::DPKG_QUERY = stub('exit 1');
    local $PVE::Multipath::Node::CONFIG_FILE = "$recorded/etc/multipath.conf";
    local $PVE::Multipath::Node::DROP_IN_DIR = "$recorded/etc/multipath/conf.d";
    local $PVE::Multipath::Node::MOUNTS_FILE = "$recorded/proc/self/mountinfo";
    local $PVE::Multipath::Node::SWAPS_FILE = "$recorded/proc/swaps";
    local $PVE::Multipath::Node::LVM_HINTS_FILE = "$recorded/run/lvm/hints";
    local $PVE::Multipath::Node::LVM_BACKUP_DIR = "$recorded/etc/lvm/backup";
    is_deeply(PVE::Multipath::Candidates::list(PVE::Multipath::Node->live(), $config), $found, 'asked live: the same');

    # and recorded
    my $base = tempdir(CLEANUP => 1) . '/new';
    {
        no warnings qw(once redefine);
        require PVE::Multipath::CLI;
        local *PVE::Multipath::CLI::Output::print_lines = sub { };
        local $PVE::Multipath::Source::PMXCFS = "$replay/candidates";
        local $PVE::Multipath::Node::DMSETUP = stub('exit 1');
        local $SIG{__WARN__} = sub { };
        open(my $stdout, '>&', \*STDOUT);
        open(STDOUT, '>', '/dev/null');
        PVE::Multipath::CLI::Record::run(PVE::Multipath::Source->files(), { 'output-format' => 'text' }, $base);
        open(STDOUT, '>&', $stdout);
    }
    spew("$base/multipath.cfg", slurp("$replay/candidates/multipath.cfg"));
    my $recording = PVE::Multipath::Node->replay($base, PVE::Multipath::Source->replay($base)->nodename());
    is_deeply(PVE::Multipath::Candidates::list($recording, $config), $found, 'recorded: the same');

    # a pipe in place of a file must not block
    my $odd = tempdir(CLEANUP => 1);
    system('mkfifo', "$odd/multipath.conf") == 0 or die "cannot make a FIFO\n";
    local $PVE::Multipath::Node::CONFIG_FILE = "$odd/multipath.conf";
    local $PVE::Multipath::Node::DROP_IN_DIR = "$odd/conf.d";
    local $SIG{ALRM} = sub { die "it waits\n" };
    alarm(20);
    my $list = PVE::Multipath::Candidates::list(PVE::Multipath::Node->live(), $config);
    alarm(0);
    is_deeply($list->{warnings}, ["'$odd/multipath.conf' is not a regular file\n"], 'a FIFO is told, not read');
    my ($unknown) = grep { $_->{devs}->[0] eq 'sdf' } $list->{candidates}->@*;
    is($unknown->{reason}->{code}, 'not-monitored', 'then it is not known why it is hidden');
}

done_testing();
