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

my sub uses() {
    my $maps = our_maps();
    return { map { $_ => [map { $_->{code} } ($maps->{$_}->{uses} // [])->@*] } keys %$maps };
}

my $uses = {
    $san_a => ['volume-group'],
    $san_b => ['volume-group'],
    $san_c => ['volume-group'],
    $san_d => ['mount'],
    $san_e => ['open'],
};
eventually(\&uses, $uses, 'each use is named');
$text = run(qw(pvemultipath maps))->{out};
like($text, qr/^ +use: LVM volume group vg-a with 1 active logical volume \(lv-one\)$/m, 'the active volumes');
like($text, qr/^ +use: LVM volume group vg-b, no logical volume is active$/m, 'a group without active volumes');
like($text, qr!^ +use: .*/mnt!m, 'where a file system is mounted');

# --- all paths lost ---

set_path($_, 'offline') for paths_of($san_b);
eventually(sub() { our_maps()->{$san_b}->{health} }, 'failed', 'all paths of a map are lost, and it queues');
is(run(qw(timeout --kill-after=1 10 vgs vg-b))->{code} ? 1 : 0, 1, 'LVM does not get an answer');
my $res = run(qw(timeout --kill-after=1 10 pvemultipath maps));
is($res->{code}, 2, 'pvemultipath maps answers');
like($res->{out}, qr/^ +use: LVM volume group vg-b, no logical volume is active$/m, '... with what uses the map');
set_path($_, 'running') for paths_of($san_b);
eventually(sub() { our_maps()->{$san_b}->{health} }, 'optimal', 'the paths are back');

done_testing();
