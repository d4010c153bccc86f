#!/usr/bin/perl

# pvemultipath doctor on a real multipathd, udev and LVM: each reason why a LUN has no map is made, and told.

use v5.36;

use JSON::PP ();
use Test::More;
use Time::HiRes ();

use MachineTest qw(
    $san_a $san_b $san_c $san_d $san_e run must spew eventually
    paths_of set_path kernel_maps install_package configure apply
);

my $conf = "defaults {\n\tpolling_interval 1\n\tmax_polling_interval 2\n}\n";
spew('/etc/multipath.conf', $conf);
must('systemctl', 'restart', 'multipathd');
install_package();

my sub allow(@wwids) {
    configure("defaults: defaults\n\tpolling-interval 1\n\n" . join('', map { "wwid: $_\n\n" } @wwids));
    return;
}

# The findings: { CODE => { severity, text, help, luns } }.
my sub doctor(@args) {
    my $res = run(qw(timeout --kill-after=1 60 pvemultipath doctor), @args, qw(--output-format json));
    die "doctor failed ($res->{code}): $res->{err}\n" if $res->{code} !~ m/\A[012]\z/;
    return { map { $_->{code} => $_ } JSON::PP->new()->utf8()->decode($res->{out})->@* };
}

my sub is_told($lun, $code, $text, $what) {
    my $found = doctor($lun);
    my $finding = $found->{$code};
    like($finding->{text} // '', $text, $what) or diag(explain($found));
    is_deeply($finding->{luns}, [$lun], '... of this LUN');
    return $finding;
}

my sub reconfigure() {
    must(qw(multipathd reconfigure));
    # it answers when it is done
    must(qw(multipathd show daemon));
    return;
}

# --- the configuration ---

allow($san_a, '3600a0000000000000');
is_told($san_a, 'not-in-wwids-file', qr/^not in /, 'a LUN that was not applied');
ok(doctor()->{'not-applied'}, '... nor anything else');
is(apply()->{code}, 0, 'applied');
eventually(sub() { exists(kernel_maps()->{$san_a}) ? 1 : 0 }, 1, 'the LUN has its map');
eventually(sub() { [sort keys doctor($san_a)->%*] }, [], 'then nothing is found');
is_told('3600a0000000000000', 'not-visible', qr/^no path to it/, 'a LUN that is not there');
is_told($san_b, 'not-allow-listed', qr/^not on /, 'a LUN that is not allow-listed');

spew('/etc/multipath/conf.d/zz.conf', "defaults {\n\tpolling_interval 2\n}\n");
reconfigure();
is(doctor()->{drift}->{text}, 'overridden by another file: defaults: polling-interval is 2, not 1', 'drift');
unlink('/etc/multipath/conf.d/zz.conf');

# --- hidden by a rule ---

spew('/etc/multipath.conf', "${conf}blacklist {\n\twwid \"$san_b\"\n}\n");
reconfigure();
allow($san_a, $san_b);
apply();
is_told($san_b, 'blacklisted', qr!^blacklisted by /etc/multipath\.conf:6 !, 'a rule hides it');
spew('/etc/multipath.conf', $conf);
reconfigure();
# multipath -a refuses what is blacklisted
is_told($san_b, 'not-in-wwids-file', qr/^not in /, 'without the rule it can be applied');
apply();
eventually(sub() { exists(kernel_maps()->{$san_b}) ? 1 : 0 }, 1, '... and has its map');

# --- used on a single path ---

my ($path_c) = paths_of($san_c);
must(qw(mdadm --create /dev/md7 --run --force --level=1 --raid-devices=1), "/dev/$path_c");
my ($path_d) = paths_of($san_d);
must('mkfs.ext4', '-q', "/dev/$path_d");
must('mount', "/dev/$path_d", '/mnt');
my ($path_e) = paths_of($san_e);
# else LVM finds it twice
my @only = ('--devices', "/dev/$path_e");
must('pvcreate', @only, "/dev/$path_e");
must('vgcreate', @only, 'vg-e', "/dev/$path_e");
must('lvcreate', @only, '--yes', '-L', '4M', '-n', 'lv-one', 'vg-e');
must('udevadm', 'settle', '--timeout=60');
allow($san_a, $san_b, $san_c, $san_d, $san_e);
apply();
eventually(sub() { exists(kernel_maps()->{$san_e}) ? 1 : 0 }, 1, 'a logical volume does not keep multipathd from a map');
ok(!exists(kernel_maps()->{$_}), "... others do: $_") for $san_c, $san_d;
is_told($san_c, 'held', qr/^multipathd cannot have its paths: $path_c held by 'md7'$/, 'an md array');
is_told($san_d, 'held', qr!^multipathd cannot have its paths: $path_d mounted at '/mnt'$!, 'a file system');
my $past = is_told(
    $san_e, 'past-map', qr/^volume group 'vg-e' is active on the path $path_e instead of the map: /,
    'a volume group on one path',
);
my $code = join(',', sort keys doctor()->%*);
is($code, 'held,past-map', 'and nothing else');

# what it says helps
is($past->{help}, 'vgchange -an vg-e; vgchange -ay vg-e', 'it tells what helps');
must('udevadm', 'settle', '--timeout=60');
must('sh', '-c', $past->{help});
eventually(sub() { [keys doctor($san_e)->%*] }, [], '... and it does');
must('umount', '/mnt');
must(qw(mdadm --stop /dev/md7));
must(qw(multipathd add map), $san_d);
eventually(sub() { [keys doctor($san_d)->%*] }, [], '... also of the file system');

# --- the alias of another device ---

must('multipath', '-f', $san_a);
must(qw(dmsetup create san-x --table), '0 8 zero');
spew('/etc/multipath.conf', "${conf}multipaths {\n\tmultipath {\n\t\twwid $san_a\n\t\talias san-x\n\t}\n}\n");
reconfigure();
sleep(2);
ok(!exists(kernel_maps()->{$san_a}), 'multipathd makes no map of a name that is taken');
is_told($san_a, 'alias-taken', qr/^its alias 'san-x' is the name of another device/, 'which is told');
must(qw(dmsetup remove san-x));
spew('/etc/multipath.conf', $conf);
reconfigure();
eventually(sub() { exists(kernel_maps()->{$san_a}) ? 1 : 0 }, 1, 'when the name is free, it has its map');

# --- offline when multipathd starts ---

must('multipath', '-f', $san_b);
set_path($_, 'offline') for paths_of($san_b);
must('systemctl', 'restart', 'multipathd');
eventually(sub() { [grep { m/^no-wwid|^paths-offline/ } keys doctor($san_b)->%*] }, ['no-wwid'], 'paths that are offline');
set_path($_, 'running') for paths_of($san_b);
reconfigure();
eventually(sub() { [keys doctor($san_b)->%*] }, [], 'and back');

# --- multipathd itself ---

my $start = Time::HiRes::time();
my $pid = must(qw(pidof multipathd)) + 0;
kill('STOP', $pid);
ok(doctor()->{'daemon-silent'}, 'multipathd does not answer');
kill('CONT', $pid);
diag(sprintf('%.1f s', Time::HiRes::time() - $start));
must(qw(systemctl stop multipathd.socket multipathd));
is(doctor()->{'daemon-stopped'}->{severity}, 'error', 'multipathd does not run');
must('mv', '/sbin/multipathd', '/sbin/multipathd.away');
ok(doctor()->{'not-installed'}, 'it is not there');

done_testing();
