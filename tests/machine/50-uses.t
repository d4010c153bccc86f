#!/usr/bin/perl

# What the node tells of LUNs that are not configured and of what uses its maps, by a real multipathd, udev and
# LVM; also while all paths of a map are lost and everything that reads it hangs.

use v5.36;

use JSON::PP ();
use Test::More;

use MachineTest qw(
    $san_a $san_b $san_c $san_d $san_e run must spew eventually
    paths_of set_path kernel_maps our_maps install_package configure apply
);

spew('/etc/multipath.conf', "defaults {\n\tpolling_interval 1\n\tmax_polling_interval 2\n}\n");
must('systemctl', 'restart', 'multipathd');
install_package();
configure(undef);

my sub candidates() {
    my $res = run(qw(pvemultipath candidates --output-format json));
    is($res->{code}, 0, 'pvemultipath candidates') or diag($res->{err});
    return { map { ($_->{wwid} // $_->{devs}->[0] // '') => $_ } JSON::PP->new()->utf8()->decode($res->{out})->{candidates}->@* };
}

# --- LUNs that are not configured ---

my $luns = candidates();
is_deeply(
    { map { $_ => $luns->{$_}->{paths} } grep { $luns->{$_}->{offered} } keys %$luns },
    { $san_a => 4, map { $_ => 2 } $san_b, $san_c, $san_d, $san_e },
    'the five LUNs are offered, with their numbers of paths',
) or diag(explain($luns));
is($luns->{$san_a}->{size}, 64 * 1024 * 1024, 'their size');
my @others = map { $_->{offered} ? () : "$_->{devs}->[0] $_->{reason}->{code}" } values %$luns;
my ($local) = map { m!/ata1/.*/(sd\w+)\z! } map { readlink } glob('/sys/block/sd*');
is_deeply([sort @others], ["$local local-disk", 'sr0 cd', 'vda local-disk'], 'local disks and a CD drive are not');

my sub first_path($wwid) { '/dev/' . (paths_of($wwid))[0] }

must('pvcreate', first_path($san_c));
must('vgcreate', 'vg-old', first_path($san_c));
must('mkfs.ext4', '-q', '-L', 'label', first_path($san_d));
must('udevadm', 'trigger', '--settle', '--subsystem-match=block');
my $text = run(qw(pvemultipath candidates))->{out};
like($text, qr/^\Q$san_c\E .*not empty: LVM physical volume/m, 'one with a physical volume is offered with a warning');
like($text, qr/^\Q$san_d\E .*not empty: file system ext4 'label'/m, 'one with a file system as well');

# --- what uses the maps ---

configure("defaults: defaults\n\tno-path-retry queue\n\tpolling-interval 1\n\n"
        . join('', map { "wwid: $_\n\n" } $san_a, $san_b, $san_c, $san_d, $san_e));
is(apply()->{code}, 0, 'all are configured');
eventually(\&kernel_maps, { map { $_ => $_ } $san_a, $san_b, $san_c, $san_d, $san_e }, 'the kernel has their maps');
is_deeply([grep { exists($luns->{$_}) && $luns->{$_}->{offered} } keys candidates()->%*], [], 'none is a candidate');

eventually(
    sub() { [grep { !-b "/dev/mapper/$_" } $san_a, $san_b, $san_c, $san_d, $san_e] }, [], '... and their devices are there',
);
must('pvcreate', "/dev/mapper/$san_a");
must('vgcreate', 'vg-a', "/dev/mapper/$san_a");
must('lvcreate', '--yes', '-L', '4M', '-n', 'lv-one', 'vg-a');
must('pvcreate', "/dev/mapper/$san_b");
must('vgcreate', 'vg-b', "/dev/mapper/$san_b");
must('mount', "/dev/mapper/$san_d", '/mnt');
open(my $held, '<', "/dev/mapper/$san_e") or die "cannot open a map - $!\n";
must('udevadm', 'settle', '--timeout=60');

my sub uses_in($maps) {
    return { map { $_ => [map { $_->{code} } ($maps->{$_}->{uses} // [])->@*] } keys %$maps };
}

my $uses = {
    $san_a => ['volume-group'],
    $san_b => ['volume-group'],
    $san_c => ['volume-group'],
    $san_d => ['mount'],
    $san_e => ['open'],
};
eventually(sub() { uses_in(our_maps()) }, $uses, 'each use is named');
$text = run(qw(pvemultipath maps))->{out};
like($text, qr/^ +use: LVM volume group vg-a with 1 active logical volume \(lv-one\)$/m, 'the active volumes');
like($text, qr/^ +use: LVM volume group vg-b, no logical volume is active$/m, 'a group without active volumes');
like($text, qr!^ +use: .*/mnt!m, 'where a file system is mounted');

# without Proxmox VE's modules, on a recording of this node
my sub is_refused(@wwids) {
    state $count = 0;
    my $dir = '/root/recording' . ++$count;
    must('pvemultipath', 'record', $dir);
    for my $wwid (@wwids) {
        my $refused = run(qw(pvemultipath wwid remove), $wwid, '--replay', $dir);
        like($refused->{err}, qr/^error: WWID '$wwid' is used by /, "$wwid cannot be taken away");
    }
    return;
}
is_refused($san_a, $san_b, $san_c, $san_d, $san_e);

# an array in place of the file system, a group on a partition in place of the process
must('umount', '/mnt');
must(qw(mdadm --create /dev/md7 --run --force --level=1 --raid-devices=1), "/dev/mapper/$san_d");
close($held) or die "cannot close a map - $!\n";
open(my $map, '+<:raw', "/dev/mapper/$san_e") or die "cannot open a map - $!\n";
seek($map, 446, 0);
print $map pack('C8 V V x48 v', 0, 0, 0, 0, 0x8e, 0, 0, 0, 2048, 129024, 0xaa55);
close($map) or die "cannot write a table of partitions - $!\n";
must(qw(kpartx -a -p -part), "/dev/mapper/$san_e");
must('udevadm', 'settle', '--timeout=60');
must('pvcreate', "/dev/mapper/$san_e-part1");
must('vgcreate', 'vg-part', "/dev/mapper/$san_e-part1");
must('udevadm', 'settle', '--timeout=60');
my $maps;
eventually(sub() { $maps = our_maps(); uses_in($maps) }, { %$uses, $san_d => ['md'], $san_e => ['volume-group'] }, 'each use is named')
    or diag(explain($maps));
$text = run(qw(pvemultipath maps))->{out};
like($text, qr/^ +use: member of the md array md7$/m, 'the array');
like($text, qr/^ +use: LVM volume group vg-part\b.*part1/m, 'the partition');
is_refused($san_d, $san_e);

# --- all paths lost ---

set_path($_, 'offline') for paths_of($san_b);
eventually(sub() { our_maps()->{$san_b}->{health} }, 'failed', 'all paths of a map are lost, and it queues');
is(run(qw(timeout --kill-after=1 10 vgs vg-b))->{code} ? 1 : 0, 1, 'LVM does not get an answer');
my $res = run(qw(timeout --kill-after=1 10 pvemultipath maps));
is($res->{code}, 2, 'pvemultipath maps answers');
like($res->{out}, qr/^ +use: LVM volume group vg-b, no logical volume is active$/m, '... with what uses the map');

# what a daemon's pass runs, and doctor, each in the time that a pass may take; without loading the modules
my $seconds = JSON::PP->new()->decode(must(qw(timeout --kill-after=1 120 perl -e), <<'PERL'));
use v5.36;
use PVE::Multipath;
use PVE::Multipath::Candidates;
use PVE::Multipath::Doctor;
use PVE::Multipath::Uses;
use Time::HiRes ();
$INC{'PVE/Cluster.pm'} = 1;
my $sent = 0;
sub PVE::Cluster::broadcast_node_kv { $sent++ }
my $node = sub() { PVE::Multipath::Node->live() };
my $source = PVE::Multipath::Source->files();
my $parts = {
    broadcast => sub() { PVE::Multipath::broadcast_health(); die "nothing was sent\n" if !$sent },
    uses => sub() { PVE::Multipath::Uses::of_node($node->()) },
    candidates => sub() { PVE::Multipath::Candidates::list($node->(), $source->config()) },
    doctor => sub() { PVE::Multipath::Doctor::findings($source, undef, $node->(), 'guest') },
};
my %seconds = map {
    my $start = Time::HiRes::time();
    $parts->{$_}->();
    ($_ => Time::HiRes::time() - $start)
} keys %$parts;
print JSON::PP->new()->encode(\%seconds);
PERL
cmp_ok($seconds->{$_}, '<', 2, "$_ ends in time") for qw(broadcast uses candidates doctor);
diag(join(', ', map { sprintf('%s %.2f s', $_, $seconds->{$_}) } sort keys %$seconds));
set_path($_, 'running') for paths_of($san_b);
eventually(sub() { our_maps()->{$san_b}->{health} }, 'optimal', 'the paths are back');

done_testing();
