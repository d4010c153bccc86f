#!/usr/bin/perl

# What `pvemultipath maps` tells of a node's maps while paths come and go, beside what the kernel has.

use v5.36;

use Test::More;

use MachineTest qw(
    $san_a $san_b run must spew eventually
    paths_of set_path remove_path rescan kernel_maps kernel_paths daemon_maps our_maps install_package
);

# Soon enough for a test.
spew('/etc/multipath.conf', "defaults {\n\tpolling_interval 1\n\tmax_polling_interval 2\n}\n");
must('systemctl', 'restart', 'multipathd');

install_package();

my sub health($wwid) {
    my $map = our_maps()->{$wwid} // return 'no map';
    return "$map->{health} $map->{'paths-active'}/$map->{'paths-total'}";
}

my sub exit_code() {
    return run('pvemultipath', 'maps')->{code};
}

# Tests that the kernel has these paths, and that pvemultipath maps says so.
my sub paths_are($wwid, $paths, $health, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    eventually(sub() { kernel_paths($wwid) }, $paths, "$what: so says the kernel");
    eventually(sub() { health($wwid) }, $health, "... and pvemultipath maps: $health");
    return;
}

# --- without maps ---

is_deeply(kernel_maps(), {}, 'no LUN is allowed: the kernel has no map');
is_deeply(our_maps(), {}, '... pvemultipath maps has none');
is(exit_code(), 0, '... and finds nothing wrong');

# --- maps ---

must('multipath', '-a', $_) for $san_a, $san_b;
must('multipathd', 'reconfigure');
eventually(\&kernel_maps, { $san_a => $san_a, $san_b => $san_b }, 'two LUNs are allowed: the kernel has their maps');
eventually(\&daemon_maps, kernel_maps(), '... multipathd knows them');

my @paths = paths_of($san_a);
is(scalar(@paths), 4, 'the node sees four disks with the WWID of the first');
my $all = { map { $_ => 'active' } @paths };
paths_are($san_a, $all, 'optimal 4/4', 'its map has all four');
is(exit_code(), 0, 'all is well: exit code 0');

my $map = our_maps()->{$san_a};
my ($size) = must('blockdev', '--getsize64', "/dev/mapper/$san_a") =~ m/(\d+)/;
is($map->{size}, $size, 'pvemultipath maps: the size is the kernel\'s');
is(readlink($map->{path}) =~ s!.*/!!r, $map->{sysfs}, '... the path leads to its device');
is($map->{used}, 0, '... it is not in use');

# --- one path ---

set_path($paths[0], 'offline');
paths_are($san_a, { %$all, $paths[0] => 'failed' }, 'degraded 3/4', 'a path is offline');
is(exit_code(), 1, '... exit code 1');
like(run('pvemultipath', 'maps')->{out}, qr/^ +$paths[0] failed \(3 of 4 paths active\)$/m, '... with the reason');

set_path($paths[0], 'running');
paths_are($san_a, $all, 'optimal 4/4', 'it is back');

remove_path($paths[1]);
my $rest = { $all->%{ @paths[0, 2, 3] } };
paths_are($san_a, $rest, 'optimal 3/3', 'a path is removed');
rescan();
paths_are($san_a, { %$rest, map { $_ => 'active' } paths_of($san_a) }, 'optimal 4/4', 'it is found again');

# --- all paths, while LVM uses the map ---

must('pvcreate', "/dev/mapper/$san_b");
must('vgcreate', 'data', "/dev/mapper/$san_b");
must('lvcreate', '--yes', '--wipesignatures', 'n', '--extents', '4', '--name', 'disk', 'data');
is(our_maps()->{$san_b}->{used}, 1, 'LVM uses a map: it is in use');

my @lost = paths_of($san_b);
set_path($_, 'offline') for @lost;
paths_are($san_b, { map { $_ => 'failed' } @lost }, 'failed 0/2', 'all of its paths are offline');
is(exit_code(), 2, '... exit code 2');
is(health($san_a), 'optimal 4/4', '... the other map is well');

set_path($_, 'running') for @lost;
paths_are($san_b, { map { $_ => 'active' } @lost }, 'optimal 2/2', 'they are back');

remove_path($_) for @lost;
paths_are($san_b, {}, 'failed 0/0', 'all of its paths are removed, the map stays because LVM uses it');

rescan();
paths_are($san_b, { map { $_ => 'active' } paths_of($san_b) }, 'optimal 2/2', 'they are found again');
must('dd', 'if=/dev/data/disk', 'of=/dev/null', 'iflag=direct', 'bs=1M');

# --- without multipathd ---

must('systemctl', 'stop', 'multipathd.socket', 'multipathd.service');
my $res = run('pvemultipath', 'maps');
is($res->{code}, 3, 'multipathd is stopped: exit code 3');
like($res->{err}, qr/^error: /, '... with an error');
is(scalar(keys kernel_maps()->%*), 2, '... the maps stay');

done_testing();
