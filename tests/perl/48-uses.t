#!/usr/bin/perl

# Who uses a LUN: what a node finds, what is refused because of it, and that nothing waits for a device.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/lib/double";

use File::Temp qw(tempdir);
use POSIX ();
use Test::More;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

use MultipathNode;
use MultipathTest qw($replay slurp spew stub from_json cli copy_tree warnings_of);
use PVE::Cluster;
use PVE::Storage;

use PVE::API2::Multipath;
use PVE::Multipath::CLI;
use PVE::Multipath::Uses;

# By STATE.txt of the recording.
my $uses = {
    a00 => 'LVM volume group vg-a with 2 active logical volumes (lv-one, vm-100-disk-0)',
    b01 => 'LVM volume group vg-b, no logical volume is active',
    c02 => 'LVM volume group vg-c on part1 with 1 active logical volume (lv0)',
    d03 => 'LVM volume group vg-de with 2 active logical volumes (lv-big, lv-d)',
    e04 => 'LVM volume group vg-de with 1 active logical volume (lv-big)',
    f05 => 'ext4 mounted at /mnt/f',
    f07 => 'member of the md array md7',
    f08 => 'opened once by a process or another program',
    f09 => undef,
    f0a => 'LVM physical volume that belongs to no group',
};

my sub wwid($ending) {
    return "35000c50000000$ending";
}

my sub texts($uses) {
    return { map { (s/\A35000c50000000//r) => $uses->{maps}->{$_}->[0]->{text} } keys $uses->{maps}->%* };
}

# --- a recorded node ---

for my $folder (qw(consumers all-paths-lost)) {
    my $node = PVE::Multipath::Source->replay("$replay/$folder")->node();
    my ($found, @warnings) = warnings_of(sub { PVE::Multipath::Uses::of_node($node) });
    is_deeply(texts($found), $uses, "$folder: the uses of its maps");
    is_deeply([$found->{unread}, @warnings], [{}], 'all was read');
}
{
    my $node = PVE::Multipath::Source->replay("$replay/three-nodes")->node();
    is(PVE::Multipath::Uses::of_node($node), undef, 'a recording that has nothing of them');
}

my $res = cli(['maps', '--replay', "$replay/consumers"]);
is($res->{err}, '', 'maps: no complaint');
like($res->{out}, qr/^\S.*35000c50000000b01  san-b  .*\n +use: LVM volume group vg-b, no logical volume is active$/m,
    'shows them');
my %maps = map { $_->{wwid} => $_ }
    from_json(cli(['maps', '--replay', "$replay/consumers", '--output-format', 'json'])->{out})->@*;
is_deeply(
    $maps{ wwid('c02') }->{uses},
    [{ code => 'volume-group', vg => 'vg-c', active => 1, volumes => ['lv0'], on => 'part1', text => $uses->{c02} }],
    'also as data',
);
is_deeply($maps{ wwid('f09') }->{uses}, [], 'a map that is not used');

# explained, with a storage that names no base
$res = cli(['status', '--explain', 'san-a', '--replay', "$replay/consumers"], COLUMNS => 200);
like($res->{out}, qr/^Storage 'data' \(volume group vg-a\) uses it\.$/m, 'status --explain: the storage');
like($res->{out}, qr/^On pve it is used: \Q$uses->{a00}\E\.$/m, 'and what the node has found');
unlike(cli(['status', '--explain', 'san-j', '--replay', "$replay/consumers"])->{out}, qr/\buse[sd]\b/, 'a free one');

# --- refused: each kind of use ---

for my $folder (qw(consumers all-paths-lost)) {
    my $dir = copy_tree($folder);
    my $before = slurp("$dir/multipath.cfg");
    for my $ending (sort grep { defined($uses->{$_}) } keys %$uses) {
        my $wwid = wwid($ending);
        my $storage = $ending eq 'a00' ? "storage 'data' (volume group vg-a) and " : '';
        my $res = cli(['wwid', 'remove', $wwid, '--replay', $dir]);
        is($res->{code}, 3, "$folder: $uses->{$ending}");
        is(
            $res->{err},
            "error: WWID '$wwid' is used by ${storage}node pve ($uses->{$ending})"
                . " - use --force to remove it anyway\n",
            'is named',
        );
    }
    is(slurp("$dir/multipath.cfg"), $before, 'nothing is removed');
    is(cli(['wwid', 'remove', 'san-j', '--replay', $dir])->{out}, wwid('f09') . ": removed\n", 'one that is free');
    is(cli(['wwid', 'remove', 'san-b', '--force', '--replay', $dir])->{out}, wwid('b01') . ": removed\n", 'or with force');
}

# what is not known is not unused
{
    my $dir = copy_tree('consumers');
    unlink("$dir/nodes/pve/run/udev/data/b252:9") or die;
    my $res = cli(['wwid', 'remove', 'san-j', '--replay', $dir]);
    is($res->{code}, 3, 'without what udev knows');
    like($res->{err}, qr/\Aerror: WWID '\S+' may be used: whether node pve uses it is not known \(udev's data /,
        'which is said');
    spew("$dir/nodes/pve/dmsetup/info.rc", "1\n");
    spew("$dir/nodes/pve/dmsetup/info.err", "no device-mapper\n");
    $res = cli(['maps', '--replay', $dir]);
    like($res->{err}, qr/^warning: the uses of the maps may be incomplete, open-counts: .*no device-mapper/m, 'maps');
    like($res->{out}, qr/use: not known: /, 'and the map');
}

# --- refused because of other nodes ---

# pve2 has told that it uses nothing, pve3 runs an older version and has maps of all but the first
{
    my $dir = copy_tree('three-nodes');
    my $refusal = sub($wwid, @args) { cli(['wwid', 'remove', $wwid, '--replay', $dir, @args])->{err} };
    my $older = "whether node pve3 uses it is not known (it has a map, and pve-multipath is too old there to report uses)";
    my $hint = "use --force to remove it anyway\n";
    is(
        $refusal->(wwid('d01')),
        "error: WWID '35000c50000000d01' is used by storage 'vglab' and node pve1 (LVM volume group vglab with 2 active"
            . " logical volumes (lv1, lv2)); $older - $hint",
        'a node uses it, another may',
    );
    is($refusal->(wwid('c01')), "error: WWID '35000c50000000c01' may be used: $older - $hint", 'one may');
    is($refusal->(wwid('e01')), '', 'none has it');

    my $uses = '{"maps":{"35000c50000000f01":[{"code":"swap"}]},"time":1795252480}';
    spew("$dir/kv/multipath-uses/pve2", $uses);
    spew("$dir/kv/multipath-uses/pve3", '{"maps":{},"time":1795252480}');
    like($refusal->(wwid('f01')), qr/ is used by node pve2 \(swap space\); whether node pve3 .* is out of date: it is 600 /,
        'a node that has fallen silent');
    for (['torn', qr/part 2 of 2 is missing/, '{"format":2,"time":1795252480,"values":2,"sha1":"x","data":""}'],
        ['newer', qr/made by a newer version \(format 9\)/, '{"format":9}'],
        ['anything', qr/invalid UTF-8/, "\e[2J\xff"]) {
        my ($what, $why, $text) = @$_;
        spew("$dir/kv/multipath-uses/pve2", $text);
        like($refusal->(wwid('c01')), qr/whether node pve2 uses it is not known \(its report cannot be read: $why/, $what);
    }
    my $members = slurp("$dir/members.json");
    spew("$dir/members.json", $members =~ s/("online" : )1/${1}0/gr =~ s/("online" : )0/${1}1/r);
    is($refusal->(wwid('c01')), '', 'offline nodes are not asked');
    spew("$dir/members.json", $members);
    is(cli(['wwid', 'remove', wwid('f01'), '--force', '--replay', $dir])->{code}, 0, 'with force');
}

# --- live, and hostile names ---

my $vg = 'W0zSGx8PD599BX9Zb13cceyG3xet9reP';

my sub node() {
    my $node = MultipathNode->new()->enter();
    $node->set_mapped('dm-0', 'san-x', 'mpath-3600x', 'sda', 'sdb');
    $node->set_mapped('dm-1', 'vg-lv', "LVM-$vg" . 'a' x 32, 'dm-0');
    $node->set_mapped('dm-2', 'san-y', 'mpath-3600y', 'sdc');
    $node->set("sys/block/dm-$_/dev", "252:$_\n") for 0 .. 2;
    $node->set('sys/block/md9/dev', "9:9\n");
    $node->set('sys/block/md9/slaves/dm-2', '');
    $node->set('udev/b252:0', "E:ID_FS_TYPE=LVM2_member\n");
    $node->set('udev/b252:1', "E:DM_VG_NAME=v\eg\nE:DM_LV_NAME=lv\n");
    $node->set('udev/b252:2', "E:ID_FS_TYPE=linux_raid_member\n");
    $node->set('counts', "1:mpath-3600x\n0:LVM-$vg" . 'a' x 32 . "\n2:mpath-3600y\n");
    $node->set('proc/self/mountinfo', "20 1 252:2 / /mnt/\\033[2J\xff\\012 rw - ext4 /dev/dm-2 rw\n");
    return $node;
}

my sub live() {
    return PVE::Multipath::Uses::of_node(PVE::Multipath::Node->live());
}

{
    my $node = node();
    my $found = live();
    is_deeply(
        { map { $_ => [map { $_->{text} } $found->{maps}->{$_}->@*] } keys $found->{maps}->%* },
        {
            '3600x' => ['LVM volume group vg with 1 active logical volume (lv)'],
            '3600y' => ['member of the md array md9', 'ext4 mounted at /mnt/\x{1b}[2J\x{ff}\x{a}'],
        },
        'a live node; names that could steer a terminal',
    );

    # recorded, it says the same
    $node->set('etc/lvm/backup/vg', 'vg { id = "x" }');
    $node->set('run/lvm/hints', "# hints\n");
    spew($node->path('multipathd'), "#!/bin/sh\nexit 1\n");
    my $dir = tempdir(CLEANUP => 1);
    my ($out, $err) = ('', '');
    {
        local (*STDOUT, *STDERR);
        open(STDOUT, '>', \$out) or die "cannot redirect - $!\n";
        open(STDERR, '>', \$err) or die "cannot redirect - $!\n";
        PVE::Multipath::CLI::main('record', $dir);
    }
    unlike($err, qr/uses of the maps/, 'all of it is recorded');
    my $recorded = PVE::Multipath::Uses::of_node(PVE::Multipath::Source->replay($dir)->node());
    is_deeply($recorded, $found, 'a recording of it');
}

# --- the API ---
{
    my $node = node();
    local $PVE::Cluster::dir = $node->path('pve');
    $node->set('pve/multipath.cfg', "wwid: 3600x\n\nwwid: 3600z\n\n");
    local $PVE::Storage::ids = { data => { type => 'lvm', vgname => 'vg', content => { images => 1 } } };
    my $remove = sub($wwid, %more) {
        return PVE::API2::Multipath->call('DELETE', 'wwid/{wwid}', { wwid => $wwid, %more });
    };
    is(eval { $remove->('3600x'); 1 }, undef, 'DELETE is refused');
    my $name = (POSIX::uname())[1] =~ s/\..*//sr;
    is_deeply(
        $@->{errors},
        {
            wwid => "WWID '3600x' is used by storage 'data' (volume group vg) and node $name (LVM volume group vg"
                . " with 1 active logical volume (lv)) - set 'force' to remove it anyway",
        },
        'with what uses it',
    );
    {
        no warnings qw(redefine once);
        local *PVE::Cluster::get_node_kv = sub($key) {
            return $key eq 'multipath-uses' ? { other => '{"maps":{"3600z":[{"code":"swap"}]},"time":' . time() . '}' } : {};
        };
        is(eval { $remove->('3600z'); 1 }, undef, 'one that another node uses');
        is($@->{errors}->{wwid}, "WWID '3600z' is used by node other (swap space) - set 'force' to remove it anyway", 'why');
        local *PVE::Cluster::get_node_kv = sub($key) { {} };
        local *PVE::Cluster::get_vmlist = sub() {
            return { ids => { 100 => { type => 'qemu', node => 'other' }, 101 => { type => 'lxc', node => 'other' } } };
        };
        local *PVE::QemuConfig::load_config = sub($class, $id, $node) {
            return { scsi0 => 'san:3600z,size=4G', snapshots => { a => { scsi0 => 'san:3600y' } }, cores => 4 };
        };
        local *PVE::LXC::Config::load_config = sub($class, $id, $node) { die "no such file\n" };
        local $INC{'PVE/QemuConfig.pm'} = 1;
        local $INC{'PVE/LXC/Config.pm'} = 1;
        local $PVE::Storage::ids->{san} = { type => 'multipath' };
        my ($res, @told) = warnings_of(sub { eval { $remove->('3600z'); 1 } });
        is($res, undef, 'one that a guest uses');
        is($@->{errors}->{wwid}, "WWID '3600z' is used by guest 100 - set 'force' to remove it anyway", 'which');
        is_deeply(\@told, ["it is not known which LUNs guest 101 uses: no such file\n"], 'one that cannot be read');
    }
    is($remove->('3600z'), undef, 'one that has no map here');
    is($remove->('3600x', force => 1), undef, 'or with force');
}

# --- nothing waits ---
{
    my $node = node();
    # reading these would never end, and neither would dmsetup
    for my $name ('udev/b252:0', 'proc/self/mountinfo', 'proc/swaps', 'run/lvm/hints', 'etc/lvm/backup/vg') {
        my $path = $node->path($name);
        unlink($path) or $node->set($name, '') && unlink($path);
        POSIX::mkfifo($path, 0600) or die "cannot make '$path' - $!\n";
    }
    spew($node->path('dmsetup'), "#!/bin/sh\nexec sleep 600\n");
    local $PVE::Multipath::Uses::DMSETUP_TIMEOUT = 0.5;
    my $start = clock_gettime(CLOCK_MONOTONIC);
    my $found = live();
    cmp_ok(clock_gettime(CLOCK_MONOTONIC) - $start, '<', 10, 'it ends soon');
    my $unread = $found->{unread};
    is_deeply(
        [sort keys %$unread], [qw(lvm-backup lvm-hints mounts open-counts swaps udev)], 'and says what was not read',
    );
    like($unread->{mounts}, qr/mountinfo' is not a regular file\z/, 'why');
    is($unread->{'open-counts'}, "'dmsetup info' did not answer in time", 'and why');
    is($found->{maps}->{'3600x'}->[0]->{text}, 'LVM volume group vg with 1 active logical volume (lv)', 'the rest is told');
    is($found->{maps}->{'3600y'}->[0]->{text}, 'member of the md array md9', 'also of the other');
}

# what is too long is not read in part
{
    my $node = node();
    $node->set('udev/b252:2', 'E:X=' . 'x' x 70_000);
    $node->set('etc/lvm/backup/vg', 'x' x 70_000);
    my $found = live();
    like($found->{unread}->{udev}, qr/has more than 65536 bytes\z/, "udev's file");
    is_deeply([sort keys $found->{unread}->%*], ['udev'], 'of a backup, the beginning is enough');
}

# --- guests and other nodes, where the caller knows them ---

my $refusal = PVE::Multipath::Uses::refusal('3600b', {
    storages => { san => { type => 'iscsi' } },
    guests => { 100 => { scsi0 => 'san:0.0.1.scsi-3600b,size=4G' } },
    nodes => { pve1 => { uses => { maps => {}, unread => {} } }, pve2 => { error => 'its report cannot be read' } },
});
is(
    $refusal->{text},
    "WWID '3600b' is used by guest 100; whether node pve2 uses it is not known (its report cannot be read)",
    'all that is in the way',
);
is_deeply(
    $refusal->{obstacles}->[0], { text => 'guest 100', guest => '100', storage => 'san' }, 'as data',
);
is(PVE::Multipath::Uses::refusal('3600b', {}), undef, 'nothing is in the way');
{
    my $users = PVE::Multipath::Uses::users(PVE::Multipath::Source->replay("$replay/consumers"));
    my $uses = PVE::Multipath::Uses::of_cluster($users);
    is(scalar(keys %$uses), 9, 'all LUNs that are used');
    is_deeply(
        $uses->{ wwid('a00') }->[0],
        {
            text => "storage 'data' (volume group vg-a)", storage => 'data', how => 'volume-group', vg => 'vg-a',
            nodes => { pve => 1 },
        },
        'the storage, by its volume group',
    );
    is($uses->{ wwid('b01') }->[0]->{uses}->[0]->{vg}, 'vg-b', 'what the node has found');
}

done_testing();
