#!/usr/bin/perl

# What `pvemultipath apply` makes of a node, by what its kernel and its multipathd say: the life of a
# configuration from the first LUN to its end, on a node that has multipath maps of its own.

use v5.36;

use Test::More;

use MachineTest qw(
    $san_a $san_b $san_c $san_d $san_e run must slurp spew eventually
    paths_of set_path kernel_maps kernel_paths daemon_maps our_maps wwids
    files_below install_package configure apply
);

# --- a node that was there before ---

# san-d and san-e are its own; only the latter will stay so.
spew('/etc/multipath.conf', "defaults {\n\tpolling_interval 1\n\tmax_polling_interval 2\n}\n");
mkdir('/etc/multipath/conf.d');
spew('/etc/multipath/conf.d/site.conf', <<~"EOF");
    multipaths {
    	multipath {
    		wwid $san_e
    		alias local-disk
    	}
    }
    EOF
must('systemctl', 'restart', 'multipathd');
must('multipath', '-a', $_) for $san_d, $san_e;
must('multipathd', 'reconfigure');
my $own_maps = { $san_d => $san_d, $san_e => 'local-disk' };
eventually(\&kernel_maps, $own_maps, 'a node has two maps of its own');

my $system = sub() { files_below('/etc', '/usr', '/var/lib') };
my $before = $system->();

install_package();

my $multipath = sub() { files_below('/etc/multipath', '/etc/multipath.conf') };
my $untouched = $multipath->();

# --- not in use ---

configure(undef);
is(apply()->{code}, 0, 'without a configuration there is nothing to apply');
is_deeply($multipath->(), $untouched, '... and nothing is written');

# --- the first LUNs ---

my $defaults = "defaults: defaults\n\tno-path-retry fail\n\tpolling-interval 1\n\n";
configure($defaults . <<~"EOF");
    wwid: $san_a

    wwid: $san_b

    wwid: $san_d

    EOF

is(run('pvemultipath', 'apply', '--dry-run')->{code}, 1, 'three LUNs are allowed: apply --dry-run has changes to make');
is_deeply($multipath->(), $untouched, '... writes nothing');

is(apply()->{code}, 0, 'apply');
my $maps = { %$own_maps, map { $_ => $_ } $san_a, $san_b };
eventually(\&kernel_maps, $maps, '... the two new LUNs have maps named by their WWIDs, the own maps stay');
eventually(\&daemon_maps, $maps, '... multipathd knows them');
is_deeply(wwids(), [sort $san_a, $san_b, $san_d, $san_e], '... all are on the node\'s allow-list, each once');
eventually(
    sub() { kernel_paths($san_a) },
    { map { $_ => 'active' } paths_of($san_a) },
    '... all paths are in use',
);
is(our_maps()->{$san_a}->{health}, 'optimal', '... pvemultipath maps: optimal');

# --- nothing new ---

my $managed = sub() { files_below('/etc/multipath', '/var/lib/pve-multipath') };
my $same = $managed->();
my $trace = '/run/apply.strace';
is(
    run('strace', '-f', '-qq', '-o', $trace, '-e', 'trace=execve', 'pvemultipath', 'apply')->{code},
    0,
    'apply once more, with nothing to do',
);
my @programs = slurp($trace) =~ m/ execve\("[^"]*", \[(.*)\], .* = 0$/mg;
shift(@programs);    # pvemultipath itself
is(scalar(grep { !m!"/usr/bin/dpkg-query"! } @programs), 0, '... runs nothing but to ask for the version of multipath-tools');
is_deeply($managed->(), $same, '... and writes nothing');

# --- aliases and knobs ---

configure($defaults . <<~"EOF");
    wwid: $san_a
    	alias san-a
    	no-path-retry queue

    wwid: $san_b

    wwid: $san_d

    EOF
is(apply()->{code}, 0, 'a LUN gets an alias, and is to queue when it has no path');
$maps->{$san_a} = 'san-a';
eventually(\&kernel_maps, $maps, '... its map is renamed');
eventually(sub() { -b '/dev/mapper/san-a' ? 1 : 0 }, 1, '... its device too');

my sub queueing($wwid) {
    my $name = kernel_maps()->{$wwid};
    my $kernel = must('dmsetup', 'table', $name) =~ m/ multipath \d+ queue_if_no_path / ? 'queues' : 'fails';
    my ($daemon) = must('multipathd', 'show', 'maps', 'raw', 'format', '%w|%Q') =~ m/^$wwid\|(.*?)\s*$/m;
    return "$kernel, $daemon";
}

eventually(sub() { queueing($san_a) }, 'queues, on', '... it queues: kernel and multipathd');
is(queueing($san_b), 'fails, off', '... the other one does not');

my @paths = paths_of($san_a);
set_path($_, 'offline') for @paths;
eventually(sub() { kernel_paths('san-a') }, { map { $_ => 'failed' } @paths }, 'all of its paths are lost');
my $reader = fork() // die "cannot fork - $!\n";
exec('dd', 'if=/dev/mapper/san-a', 'of=/dev/null', 'iflag=direct', 'bs=4096', 'count=1', 'status=none')
    if $reader == 0;
is(our_maps()->{$san_a}->{health}, 'failed', '... pvemultipath maps: failed');
is(waitpid($reader, 1), 0, '... who reads from it has to wait');
set_path($_, 'running') for @paths;
eventually(sub() { kernel_paths('san-a') }, { map { $_ => 'active' } @paths }, 'they return');
waitpid($reader, 0);
is($?, 0, '... and the reader gets what it has waited for');

# --- a LUN in use ---

must('pvcreate', "/dev/mapper/$san_b");
must('vgcreate', 'data', "/dev/mapper/$san_b");
must('lvcreate', '--yes', '--wipesignatures', 'n', '--extents', '4', '--name', 'disk', 'data');
my sub read_volume() {
    return run('dd', 'if=/dev/data/disk', 'of=/dev/null', 'iflag=direct', 'bs=1M')->{code};
}

my $rest = <<~"EOF";
    wwid: $san_a
    	alias san-a
    	no-path-retry queue

    wwid: $san_d

    EOF
my $config = "${defaults}wwid: $san_b\n\talias san-b\n\n$rest";
configure($config);
is(apply()->{code}, 0, 'a LUN that LVM uses gets an alias');
$maps->{$san_b} = 'san-b';
eventually(\&kernel_maps, $maps, '... its map is renamed while it is in use');
is(read_volume(), 0, '... the logical volume is there');

# --- an alias that the logical volume has ---

# multipathd would remove the map of a LUN that is not in use.
configure($config =~ s/alias san-a$/alias data-disk/mr);
my $res = apply();
is($res->{code}, 3, 'another LUN gets the name of the logical volume as its alias');
like($res->{err}, qr/'$san_a' does not get its alias 'data-disk' on this node/, '... that is refused');
eventually(\&kernel_maps, { %$maps, $san_a => $san_a }, '... the LUN keeps its map, under its WWID');
is(read_volume(), 0, '... the logical volume is there');

configure($config);
is(apply()->{code}, 0, 'it gets its own alias back');
eventually(\&kernel_maps, $maps, '... and its name');

# --- overrides ---

configure($config, "overrides {\n\tno_path_retry 7\n}\n");
is(apply()->{code}, 0, 'overrides: LUNs queue for 7 checks');
like(
    must('multipathd', 'show', 'config', 'local'),
    qr/^overrides \{\n(?:\t.*\n)*\tno_path_retry 7$/m,
    '... multipathd has read them',
);
eventually(sub() { queueing($san_b) }, 'queues, 7 chk', '... a LUN without a value of its own does so');
is(queueing($san_a), 'queues, on', '... one that has a value keeps to that');

$same = $managed->();
configure($config, "defaults {\n\tpolling_interval 0\n}\n");
$res = apply();
is($res->{code}, 3, 'overrides that would kill multipathd are refused');
like($res->{err}, qr/polling_interval/, '... with the reason');
is_deeply($managed->(), $same, '... what was there before stays');
must('systemctl', 'restart', 'multipathd');
eventually(\&daemon_maps, $maps, '... multipathd lives');

configure($config);
is(apply()->{code}, 0, 'no overrides any more');
eventually(sub() { queueing($san_b) }, 'fails, off', '... the cluster\'s value is in force');

# --- a configuration that cannot be read ---

$same = $managed->();
unlink('/etc/pve/multipath.cfg');
mkdir('/etc/pve/multipath.cfg');
is(apply()->{code}, 3, 'multipath.cfg cannot be read');
is_deeply($managed->(), $same, '... it is not taken for an empty one: nothing changes');
rmdir('/etc/pve/multipath.cfg');

must('umount', '/etc/pve');
is(apply()->{code}, 3, 'the cluster file system is not mounted');
is_deeply($managed->(), $same, '... nothing changes');

# --- a LUN goes while it is in use ---

configure($defaults . $rest);
is(apply()->{code}, 0, 'the LUN that LVM uses is taken off the configuration');
like(run('pvemultipath', 'plan')->{out}, qr/keep $san_b: its map is in use/, '... it is reported as in use');
eventually(sub() { [sort keys kernel_maps()->%*] }, [sort keys %$maps], '... its map stays');
is(read_volume(), 0, '... the logical volume is there');
is((grep { $_ eq $san_b } wwids()->@*) ? 1 : 0, 1, '... it stays on the node\'s allow-list');

must('vgchange', '--activate', 'n', 'data');
is(apply()->{code}, 0, 'it is in use no more');
delete $maps->{$san_b};
eventually(\&kernel_maps, $maps, '... the next pass removes its map');
is_deeply(wwids(), [sort $san_a, $san_d, $san_e], '... and its entry on the allow-list');

# --- a LUN that is being grown ---

# Two hosts that have the same disk of 64 MiB. It can grow, other than those of the virtual machine.
must(qw(modprobe scsi_debug add_host=2 max_luns=1 vpd_use_hostno=0 dev_size_mb=64));
must('udevadm', 'settle', '--timeout=60');
my ($first, $second) = map { m!([^/]+)\z! } grep { slurp("$_/device/model") =~ m/scsi_debug/ } glob('/sys/block/sd*');
ok($second, 'a LUN with two paths that is not in use');
my ($grown) = must('udevadm', 'info', '--query=property', "--name=/dev/$first") =~ m/^ID_SERIAL=(.*)$/m;

my $growing = "${rest}wwid: $grown\n\talias growing\n\n";
configure($defaults . $growing);
is(apply()->{code}, 0, '... is allowed');
$maps->{$grown} = 'growing';
eventually(\&kernel_maps, $maps, '... it has a map');

spew('/sys/bus/pseudo/drivers/scsi_debug/virtual_gb', "1\n");
spew("/sys/block/$first/device/rescan", "1\n");
isnt(slurp("/sys/block/$first/size"), slurp("/sys/block/$second/size"), 'it grows, and one of its paths knows');
configure("$defaults${growing}wwid: $san_c\n\talias san-c\n\n");
$res = apply();
is($res->{code}, 3, '... while another LUN is allowed');
like($res->{err}, qr/'growing' \(WWID $grown, bytes: .*$first 1073741824/, '... the paths are named');
# it comes without a reconfigure, whose time has not come
$maps->{$san_c} = $san_c;
eventually(\&kernel_maps, $maps, '... the new LUN gets a map, and the growing one keeps its own');
is(run('pvemultipath', 'plan')->{code}, 2, '... plan says that something is left');

spew("/sys/block/$second/device/rescan", "1\n");
is(apply()->{code}, 0, 'all of its paths know of the growth: apply');
$maps->{$san_c} = 'san-c';
eventually(\&kernel_maps, $maps, '... the reconfigure is made up for');
eventually(
    sub() { slurp('/sys/block/' . (readlink('/dev/mapper/growing') =~ s!.*/!!r) . '/size') },
    "2097152\n", '... the map has grown as well',
);

# --- the end ---

configure('');
is(apply()->{code}, 0, 'the configuration is emptied');
eventually(\&kernel_maps, $own_maps, '... the node has its own maps, those alone');
is_deeply(wwids(), [sort $san_d, $san_e], '... and its own entries, also of the LUN that was in both');

# Removed entries stay there as comments.
my sub but_wwids($files) {
    return { map { $_ => $files->{$_} } grep { $_ ne '/etc/multipath/wwids' } keys %$files };
}
is_deeply(but_wwids($multipath->()), but_wwids($untouched), '... its own files are as they were, ours are gone');
is(-e '/var/lib/pve-multipath/managed-wwids.json' ? 1 : 0, 0, '... and so is the record');

# --- the package goes ---

configure($defaults . $rest);
is(apply()->{code}, 0, 'a LUN is configured again');
$maps = { %$own_maps, $san_a => 'san-a' };
eventually(\&kernel_maps, $maps, '... it has its map');
must('dpkg', '--remove', 'libpve-multipath-perl');
must('systemctl', 'restart', 'multipathd');
eventually(\&daemon_maps, $maps, 'the package is removed: the node keeps its maps, under their names');

must('dpkg', '--purge', 'libpve-multipath-perl');
must('systemctl', 'restart', 'multipathd');
$maps->{$san_a} = $san_a;
eventually(\&daemon_maps, $maps, 'it is purged: the node keeps its maps');

my $after = $system->();
is_deeply(
    [grep { m/pve-?multipath|pve-[a-z]+\.conf/ } sort keys %$after],
    [],
    '... nothing of the package is left',
);
is_deeply(
    [grep { !m!^/var/lib/dpkg/! && ($after->{$_} // '') ne $before->{$_} } sort keys %$before],
    ['/etc/multipath/wwids'],
    '... and nothing else has changed but the node\'s allow-list',
);

done_testing();
